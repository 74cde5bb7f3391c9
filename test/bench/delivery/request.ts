/** From a request that was accepted to a promise that holds, on a board that has the content, beside crun reaching the same by a shell. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findLayout } from '../../../runtime/adapters/partitions/cgroup-layout.ts';
import { pause, until } from '../../../sim/harness/wait.ts';
import { median } from '../measure.ts';
import { Floor } from '../partitions/floor.ts';
import { Stage } from './stage.ts';

const RUNS = 9;
/** Of the floor, a look at a file. */
const LOOK_MS = 2;
/** Of ours, a question to the gateway: asked as often as the file is looked at they would take most of a processor from what is measured. */
const ASK_MS = 10;
const TIMEOUT_MS = 60_000;
/** The floor's script gives its container one core, so the partition is to have as much: with half of one Node alone starts twice as long. */
const CORE = { memoryMib: 64, cpuMillis: 1000, pids: 32, tmpMib: 1 };
const ACTS = "require('fs').writeFileSync('/data/up', '1'); process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1000)";

interface Row {
  name: string;
  lease: string;
  report: { promise: string } | null;
}

const SYNCS = 'fsync,fdatasync,msync,sync_file_range';

/** How many system calls of that kind these processes make until `act` is done. */
const syncsDuring = async (pids: number[], act: () => Promise<unknown>): Promise<number> => {
  const tracer = spawn('strace', ['-f', '-e', `trace=${SYNCS}`, ...pids.flatMap((pid) => ['-p', String(pid)])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  tracer.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  await until('strace to be attached', TIMEOUT_MS, () => said.includes('attached'));
  await act();
  tracer.kill('SIGINT');
  await once(tracer, 'exit');
  return (said.match(/(fsync|fdatasync|msync|sync_file_range)\(/g) ?? []).length;
};

const floorMs = async (floor: Floor): Promise<number> => {
  const file = join(floor.data, 'up');
  rmSync(file, { force: true });
  const began = performance.now();
  await floor.do('start');
  while (!existsSync(file)) await pause(LOOK_MS);
  const ms = performance.now() - began;
  await floor.do('stop');
  return ms;
};

export interface ToPromise {
  ms: number;
  floorMs: number;
  syncs: number;
}

export const requestToPromise = async (): Promise<ToPromise> => {
  const stage = new Stage('127.0.0.1', 28_930);
  try {
    await stage.open();
    const { data, child } = await stage.board('prompt board', [], null);
    try {
      const probe = { kind: 'file' as const, path: '/data/up', maxAgeMs: 3_600_000 };
      const promises = [{ name: 'up', probe, intervalMs: 100, timeoutMs: 1000, graceMs: 30_000 }];
      const payload = stage.payload('prompt', 64 * 1024, { args: ['/usr/bin/node', '-e', ACTS], promises, limits: CORE });
      await stage.pushPayload(payload);
      const rows = async (): Promise<Row[]> => (await stage.ask('/1/instances')) as Row[];
      const held = async (name: string): Promise<Row> => {
        for (const end = performance.now() + TIMEOUT_MS; performance.now() < end; await pause(ASK_MS)) {
          const row = (await rows()).find((one) => one.name === name);
          if (row?.report?.promise === 'held') return row;
        }
        throw new Error(`the promise of ${name} did not hold`);
      };
      const gone = async (name: string): Promise<void> => {
        await stage.request(name, payload, { sequence: 2, state: 'destroyed' });
        await until(`${name} to be gone`, TIMEOUT_MS, async () => !(await rows()).some((one) => one.name === name));
      };
      const once_ = async (name: string): Promise<number> => {
        const began = await stage.request(name, payload);
        await held(name);
        return performance.now() - began;
      };
      await once_('first');
      const [row] = await rows();
      const configFile = join(data, 'partitions', row?.lease ?? '', 'bundle', 'config.json');
      const layout = findLayout();
      if (layout === null) throw new Error('partitions cannot be measured here');
      const directory = join(stage.directory, 'floor');
      const floor = new Floor({ layout, configFile, directory });
      chmodSync(floor.data, 0o777);
      await gone('first');
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let run = 0; run < RUNS; run++) {
        ours.push(await once_(`run-${run}`));
        await gone(`run-${run}`);
        theirs.push(await floorMs(floor));
      }
      await floor.close(directory);
      const syncs = await syncsDuring([stage.gatewayPid, child.pid], () => once_('traced'));
      await gone('traced');
      return { ms: median(ours), floorMs: median(theirs), syncs };
    } finally {
      await child.end();
    }
  } finally {
    await stage.close();
  }
};
