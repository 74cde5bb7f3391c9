/**
 * One life of a runtime, as a process that a test can kill: opens partitions and performs the steps it reads, a line
 * of JSON each. Arguments: board, data path, node path, tier (`best` or `dev`), where
 * devices are (JSON, `null` for the machine's own), how often names are looked up anew (ms).
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { closeInherited } from '../../../../runtime/adapters/descriptors.ts';
import type { DeviceRoots } from '../../../../runtime/adapters/partitions/devices.ts';
import { openPartitions } from '../../../../runtime/adapters/partitions/open.ts';
import type { PartitionEvent, PartitionStep, Partitions } from '../../../../runtime/ports/partitions.ts';
import { asLichenError } from '../../../../runtime/protocol/errors.ts';
import { fromLine, toLine } from './lines.ts';

closeInherited(process.env);
const [board = '', dataPath = '', nodePath = '', tier = 'best', deviceRoots = 'null', namesMs = '300'] = process.argv.slice(2);
interface Asked {
  id: number;
  step: PartitionStep;
  /** Instead: takes samples of these by itself, and says how much of a core this process took meanwhile. */
  watch?: { partitions: string[]; everyMs: number; times: number };
}

const watched = async (partitions: Partitions, { partitions: ids, everyMs, times }: NonNullable<Asked['watch']>): Promise<number> => {
  const sample = (): Promise<PartitionEvent> => new Promise((answer) => partitions.perform({ kind: 'sample', partitions: ids }, answer));
  await sample();
  const [before, atMs] = [process.cpuUsage(), performance.now()];
  for (let i = 0; i < times; i++) {
    await pause(everyMs);
    await sample();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - atMs);
};

const say = (what: object): void => {
  process.stdout.write(`${toLine(what)}\n`);
};

try {
  const log = (line: string): void => say({ log: line });
  const devices = JSON.parse(deviceRoots) as DeviceRoots | null;
  const more = { ...(tier === 'dev' && { tier: 'dev' as const }), ...(devices !== null && { devices }), namesMs: Number(namesMs) };
  const partitions = await openPartitions({ board, dataPath, nodePath, log, ...more });
  partitions.watch((event) => say({ unasked: event }));
  say({ enforcement: partitions.enforcement });
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, step, watch } = fromLine<Asked>(line);
    if (watch !== undefined) {
      void watched(partitions, watch).then((cores) => say({ id, cores }));
      return;
    }
    let returned = false;
    partitions.perform(step, (event) => say({ id, event, early: !returned }));
    returned = true;
  });
  lines.on('close', () => partitions.close());
} catch (thrown) {
  const { code, detail } = asLichenError(thrown);
  say({ refused: { code, detail } });
}
