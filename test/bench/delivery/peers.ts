/** What others would send for the same update. Null where the tool is not installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Pair } from './pairs.ts';

export interface Peer {
  name: string;
  /** Whether it shares by chunks, which needs neither the old version at the sender nor a computation for each pair. */
  chunks: boolean;
  bytes(pair: Pair, scratch: string): number | null;
}

/** As it comes, and as many to the mebibyte as here. */
const CASYNC_BYTES = 64 * 1024;
const OUR_BYTES = 16 * 1024;

const has = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;

const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });

const rsync = (pair: Pair, scratch: string): number | null => {
  if (!has('rsync')) return null;
  const copy = join(scratch, 'rsync');
  cpSync(pair.old, copy, { recursive: true });
  const said = run('rsync', ['-rl', '-z', '-c', '--no-whole-file', '--stats', `${pair.new}/`, `${copy}/`], scratch);
  const number = (of: string): number => Number(new RegExp(`Total bytes ${of}: ([0-9,]+)`).exec(said)?.[1]?.replaceAll(',', ''));
  return number('sent') + number('received');
};

const filesBelow = (path: string): Map<string, number> =>
  new Map(
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .map((name): [string, number] => [name, statSync(join(path, name)).size])
      .filter(([name]) => name.endsWith('.cacnk')),
  );

/** `chunkBytes`: on average. */
const casync =
  (chunkBytes: number) =>
  (pair: Pair, scratch: string): number | null => {
    if (!has('casync')) return null;
    const stores = (['old', 'new'] as const).map((side) => {
      const store = join(scratch, `${side}.castr`);
      run(
        'casync',
        [
          'make',
          `--chunk-size=${chunkBytes}`,
          '--without=all',
          '--with=symlinks',
          `--store=${store}`,
          join(scratch, `${side}.caidx`),
          pair[side],
        ],
        scratch,
      );
      return filesBelow(store);
    });
    const [before = new Map<string, number>(), after = new Map<string, number>()] = stores;
    const fresh = [...after].reduce((sum, [name, bytes]) => sum + (before.has(name) ? 0 : bytes), 0);
    return fresh + statSync(join(scratch, 'new.caidx')).size;
  };

const tar = (scratch: string, from: string, to: string): string => {
  const file = join(scratch, to);
  run('tar', ['cf', file, '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '-C', from, '.'], scratch);
  return file;
};

const patch = (pair: Pair, scratch: string): number | null => {
  if (!has('zstd')) return null;
  const [before, after] = [tar(scratch, pair.old, 'old.tar'), tar(scratch, pair.new, 'new.tar')];
  const out = join(scratch, 'patch.zst');
  run('zstd', ['-q', '-f', '-19', '--long=27', `--patch-from=${before}`, after, '-o', out], scratch);
  return statSync(out).size;
};

const full = (pair: Pair, scratch: string): number | null => {
  if (!has('zstd')) return null;
  const out = join(scratch, 'full.zst');
  run('zstd', ['-q', '-f', '-19', '--long=27', tar(scratch, pair.new, 'new.tar'), '-o', out], scratch);
  return statSync(out).size;
};

export const PEERS: Peer[] = [
  { name: 'casync', chunks: true, bytes: casync(CASYNC_BYTES) },
  { name: 'casync, chunks as long as ours', chunks: true, bytes: casync(OUR_BYTES) },
  { name: 'rsync -z', chunks: false, bytes: rsync },
  { name: 'zstd --patch-from -19 (theoretical minimum)', chunks: false, bytes: patch },
  { name: 'all of it, zstd -19', chunks: false, bytes: full },
];

/** Tools of peers that are not installed. */
export const absentPeers = (): string[] => ['casync', 'rsync', 'zstd'].filter((tool) => !has(tool));

export const measuredBy = (peer: Peer, pair: Pair, scratch: string): number | null => {
  const place = join(scratch, 'peer');
  mkdirSync(place, { recursive: true });
  try {
    return peer.bytes(pair, place);
  } finally {
    rmSync(place, { recursive: true });
  }
};
