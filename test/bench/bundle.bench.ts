/** How long the one-file bundle takes to start with its storage engine, against Node with nothing to run. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Measure, repeat, timeProcess } from './measure.ts';

const root = join(import.meta.dirname, '..', '..');

export const measure: Measure = async () => {
  const home = mkdtempSync(join(tmpdir(), 'lichen-bench-'));
  try {
    const outfile = join(home, 'start.mjs');
    await timeProcess(process.execPath, ['build.mjs', 'bundle', '--entry', 'test/fixtures/bundle/start.ts', '--outfile', outfile], {
      cwd: root,
    });
    const env = { ...process.env, XDG_CACHE_HOME: home };
    const time = async (args: string[]) => (await timeProcess(process.execPath, args, { cwd: home, env })).wallMs;
    const first = await time([outfile]);
    const warm = await repeat(15, () => time([outfile]));
    const bare = await repeat(15, () => time(['-e', '0']));
    return [
      { metric: 'first start, unpacking the addon', value: first, unit: 'ms', peer: null, peerValue: null },
      { metric: 'start with mqtt, cbor-x and lmdb', value: warm, unit: 'ms', peer: 'node -e 0', peerValue: bare },
      { metric: 'size', value: statSync(outfile).size / 1024, unit: 'KiB', peer: null, peerValue: null },
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
