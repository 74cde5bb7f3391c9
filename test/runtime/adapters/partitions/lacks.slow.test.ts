/** A machine on which a tool of networks does nothing: what is lacking is told, and the rest is held all the same. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Enforcement } from '../../../../runtime/ports/partitions.ts';
import { remainsOf } from './driver.ts';
import { onCrun } from './on-crun.ts';

const BOARD = 'lacking'.padEnd(32, 'a');
const LIFE = join(import.meta.dirname, 'life.ts');

/** In mounts of its own, that tool is another. */
const openedWithout = (tool: string): Enforcement => {
  const data = mkdtempSync(join(tmpdir(), 'lichen-lacks-'));
  try {
    const script = 'mount --bind /bin/false "$0" && exec "$@"';
    const words = ['--mount', 'sh', '-c', script, tool, process.execPath, LIFE, BOARD, data, process.execPath];
    const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8', input: '', timeout: 60_000 });
    const said = stdout.split('\n').find((line) => line.includes('enforcement'));
    if (said === undefined) throw new Error(`it did not open: ${stdout} ${stderr}`);
    expect(remainsOf(BOARD, data, [])).toEqual([]);
    return JSON.parse(said).enforcement;
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
};

onCrun(
  'a board without a part of a network',
  () =>
    describe('is told so, and', () => {
      it('has partitions that reach only each other without a filter', () => {
        const { network, pids, grants, lacks } = openedWithout('/usr/sbin/nft');
        expect({ network, pids }).toEqual({ network: true, pids: true });
        expect(grants).not.toContain('links');
        expect(lacks.join(' ')).toMatch(/can open connections to this board/);
      });
      it('has partitions all the same', () => {
        const { network, pids, lacks } = openedWithout('/usr/sbin/ip');
        expect({ network, pids }).toEqual({ network: false, pids: true });
        expect(lacks.join(' ')).toMatch(/have no network/);
      });
    }),
  ['/usr/sbin/nft', '/usr/sbin/ip'],
);
