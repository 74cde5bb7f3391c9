/** What twenty partitions cost that do nothing: their meters read each second, their reapers, the runtime's own growth. */
import { readFileSync } from 'node:fs';
import { median, type Row } from '../measure.ts';
import { alone, partitionOf, type Stage } from './stage.ts';

const PARTITIONS = 20;
const SAMPLES = 30;

/** Proportional set size: shared pages by share. */
const pssMb = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? Number.NaN) / 1024;

const reaperOf = (state: string): number => {
  const pid = /"reaper":\{"pid":(\d+)/.exec(state)?.[1];
  if (pid === undefined) throw new Error(`no reaper in ${state}`);
  return Number(pid);
};

export const watching = async (stage: Stage): Promise<Row[]> => {
  const { life } = stage;
  const partitions = Array.from({ length: PARTITIONS }, (_, i) => partitionOf(100 + i));
  // The first one brings what is there once, whatever the number.
  await stage.start(partitionOf(99), 'exec busybox sleep 1000');
  await life.do({ kind: 'sample', partitions: [partitionOf(99)] });
  const before = pssMb(life.pid);
  for (const partition of partitions) await stage.start(partition, 'exec busybox sleep 1000');
  await life.do({ kind: 'sample', partitions });
  const percent = (await life.watch(partitions, 1000, SAMPLES)) * 100;
  const growth = (pssMb(life.pid) - before) / PARTITIONS;
  const reapers = partitions.map((partition) => pssMb(reaperOf(stage.text(partition, 'state.json'))));
  for (const partition of [partitionOf(99), ...partitions]) await stage.end(partition);
  return [
    alone('metering_core_percent', percent, '% of a core'),
    alone('reaper_pss_mb', median(reapers), 'MB'),
    alone('runtime_growth_mb_per_partition', growth, 'MB'),
  ];
};
