/** How far what is billed is from what the kernel counted, while partitions come and go all the time. */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { writtenIn } from '../../../runtime/adapters/partitions/meter.ts';
import { boardName } from '../../../runtime/adapters/partitions/names.ts';
import type { Counters } from '../../../runtime/ports/partitions.ts';
import { boardCpuMicros } from '../../runtime/adapters/partitions/board-cpu.ts';
import type { Row } from '../measure.ts';
import { alone, BOARD, partitionOf, type Stage } from './stage.ts';

const LIVES = 24;
const AT_ONCE = 3;
const PORT = 8080;
const FETCHES = 20;

/** Busy in short-lived children: their time must be counted when they are gone, too. */
const BURN = 'while :; do busybox sh -c "i=0; while [ \\$i -lt 20000 ]; do i=\\$((i+1)); done"; busybox sleep 0.01; done';
const SERVE = `busybox dd if=/dev/zero of=/tmp/blob bs=1k count=512 2> /dev/null
busybox httpd -p ${PORT} -h /tmp
echo > /data/ready
while [ ! -e /data/enough ]; do busybox sleep 0.02; done
busybox cat /proc/net/dev > /data/told
busybox mv /data/told /data/counted
exec busybox sleep 1000`;

/** Some of it is on the card at once, and some not before the writer has ended. */
const WRITE = `i=0; while :; do
  i=$((i+1)); busybox dd if=/dev/zero of=/data/f$((i % 4)) bs=64k count=16 2> /dev/null
  [ $((i % 3)) -ne 0 ] || busybox sync /data/f$((i % 4)); echo $i > /data/ready; busybox sleep 0.05
done`;

const percent = (billed: bigint, counted: bigint): number => (Math.abs(Number(billed - counted)) / Number(counted)) * 100;

/** Of each life of a partition, some of a moment and some longer, several at once. */
const churn = async (stage: Stage, lives: number, live: (partition: string, number: number) => Promise<Counters>): Promise<Counters[]> => {
  const out: Counters[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < lives; number = next++) out.push(await live(partitionOf(1000 + number), number));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (out.length !== lives || stage.life.unasked.length > 0) throw new Error('a partition ended by itself');
  return out;
};

const sumOf = (all: Counters[], pick: (counters: Counters) => bigint): bigint => all.reduce((sum, one) => sum + pick(one), 0n);

const cpuError = async (stage: Stage): Promise<number> => {
  // One that stays keeps the board's group, and its count, in being.
  const keeper = partitionOf(999);
  await stage.start(keeper, 'exec busybox sleep 1000');
  const before = boardCpuMicros(stage.layout, BOARD);
  const kept = (await stage.life.do({ kind: 'sample', partitions: [keeper] })).counters.get(keeper)?.cpuMicros ?? 0n;
  const ended = await churn(stage, LIVES, async (partition, number) => {
    await stage.start(partition, BURN);
    await pause(200 + 100 * (number % 7));
    return stage.end(partition);
  });
  const counted = boardCpuMicros(stage.layout, BOARD) - before;
  const keeps = await stage.end(keeper);
  return percent(sumOf(ended, ({ cpuMicros }) => cpuMicros) + keeps.cpuMicros - kept, counted);
};

const fetchOnce = (address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    get({ host: address, port: PORT, path: '/blob' }, (answer) => answer.resume().once('end', resolve)).once('error', reject);
  });

const until = async (holds: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 1000; tries++) {
    if (holds()) return;
    await pause(20);
  }
  throw new Error('the workload never came so far');
};

const fileIn = (stage: Stage, partition: string, name: string): string => {
  try {
    return stage.text(partition, 'data', name);
  } catch {
    return '';
  }
};

/** The other end of the link, as the workload itself reads it when all is quiet. */
const inside = (dev: string): bigint => {
  const [received, , , , , , , , sent] = (/eth0:\s*(.*)/.exec(dev)?.[1] ?? '').trim().split(/\s+/);
  return BigInt(received ?? 0) + BigInt(sent ?? 0);
};

const netError = async (stage: Stage): Promise<number> => {
  let counted = 0n;
  const ended = await churn(stage, LIVES / 2, async (partition) => {
    const { address } = await stage.start(partition, SERVE);
    if (address === null) throw new Error('partitions have no network here');
    await until(() => fileIn(stage, partition, 'ready') !== '');
    for (let fetch = 0; fetch < FETCHES; fetch++) await fetchOnce(address);
    stage.touch(partition, 'enough');
    await until(() => fileIn(stage, partition, 'counted') !== '');
    counted += inside(fileIn(stage, partition, 'counted'));
    return stage.end(partition);
  });
  return percent(
    sumOf(ended, ({ netInBytes, netOutBytes }) => netInBytes + netOutBytes),
    counted,
  );
};

/** What the kernel counted for the board's group, of those that are gone as well; on v2 only. */
export const ioError = async (stage: Stage): Promise<Row[]> => {
  const keeper = partitionOf(998);
  await stage.start(keeper, 'exec busybox sleep 1000');
  const group = `${stage.layout.controllers.get('cpuacct')}/${boardName(BOARD)}/io.stat`;
  const written = (): bigint => writtenIn(readFileSync(group, 'utf8'));
  const before = written();
  const ended = await churn(stage, LIVES / 3, async (partition) => {
    await stage.start(partition, WRITE);
    await until(() => fileIn(stage, partition, 'ready') !== '');
    await pause(400);
    return stage.end(partition);
  });
  const counted = written() - before;
  const keeps = await stage.end(keeper);
  const billed = sumOf(ended, ({ diskWrittenBytes }) => diskWrittenBytes) + keeps.diskWrittenBytes;
  return [alone('meter_error_percent_io', percent(billed, counted), '%')];
};

export const meterErrors = async (stage: Stage): Promise<Row[]> => [
  alone('meter_error_percent_cpu', await cpuError(stage), '%'),
  alone('meter_error_percent_net', await netError(stage), '%'),
];
