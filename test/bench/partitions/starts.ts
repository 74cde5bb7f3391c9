/** A start and a stop, beside a shell that does the same. */
import { chmodSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { median, type Row } from '../measure.ts';
import { Floor } from './floor.ts';
import { alone, partitionOf, type Stage } from './stage.ts';

const RUNS = 25;
const PEER = 'crun and conmon by a shell';
const BEGIN = 'echo > /data/began; exec busybox sleep 1000';

/** When the workload did its first thing: the directory it writes to is watched before it is started. */
const firstAct = async (data: string, start: () => Promise<unknown>): Promise<number> => {
  rmSync(join(data, 'began'), { force: true });
  const acted = Promise.withResolvers<number>();
  const watcher = watch(data, (_event, name) => {
    if (name === 'began') acted.resolve(performance.now());
  });
  const began = performance.now();
  await start();
  const ms = (await acted.promise) - began;
  watcher.close();
  return ms;
};

const timed = async (what: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await what();
  return performance.now() - began;
};

/** One of ours, one of the floor's, and again: what disturbs the machine disturbs both. */
export const startsAndStops = async (stage: Stage): Promise<Row[]> => {
  const partition = partitionOf(0);
  await stage.start(partition, BEGIN);
  const directory = join(stage.directory, 'floor');
  const floor = new Floor({ layout: stage.layout, configFile: stage.path(partition, 'bundle', 'config.json'), directory });
  chmodSync(floor.data, 0o777);
  await stage.end(partition, false);
  const ms: Record<'start' | 'stop' | 'floorStart' | 'floorStop', number[]> = { start: [], stop: [], floorStart: [], floorStop: [] };
  for (let run = 0; run < RUNS; run++) {
    ms.start.push(await firstAct(stage.path(partition, 'data'), () => stage.start(partition, BEGIN)));
    ms.stop.push(await timed(() => stage.end(partition, false)));
    ms.floorStart.push(await firstAct(floor.data, () => floor.do('start')));
    ms.floorStop.push(await timed(() => floor.do('stop')));
  }
  await floor.close(directory);
  await stage.life.do({ kind: 'remove', partition, data: true });
  const [start, stop, floorStart, floorStop] = [median(ms.start), median(ms.stop), median(ms.floorStart), median(ms.floorStop)];
  return [
    { metric: 'start to first act', value: start, unit: 'ms', peer: PEER, peerValue: floorStart },
    { metric: 'stop and cleanup', value: stop, unit: 'ms', peer: PEER, peerValue: floorStop },
    alone('start_vs_crun', start / floorStart, 'ratio'),
    alone('stop_vs_crun', stop / floorStop, 'ratio'),
  ];
};
