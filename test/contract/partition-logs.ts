/** What every engine keeps of what its instances say, and how it is read. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { boardName } from '../../runtime/adapters/partitions/names.ts';
import { until } from '../../runtime/adapters/partitions/run.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Bench } from '../runtime/adapters/partitions/bench.ts';

interface Heard {
  text: string;
  next: number;
  missed: number;
}

const LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ([oe!])([ +])(.*)$/;

/** What was said, without moments, of one stream or all. */
const words = (text: string, marks = 'oe'): string =>
  text
    .split('\n')
    .flatMap((line) => {
      const [, mark = '', goesOn, said = ''] = LINE.exec(line) ?? [];
      return marks.includes(mark) && mark !== '' ? [said + (goesOn === '+' ? '' : '\n')] : [];
    })
    .join('');

const lostIn = (text: string): number =>
  words(text, '!')
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line || '0', 10), 0);

/** From a position on until nothing more is there. */
const all = async (bench: Bench, partition: string, from: number | null = 0): Promise<Heard> => {
  const heard: Heard = { text: '', next: from ?? 0, missed: 0 };
  for (let at = from; ; at = heard.next) {
    const span = await bench.life.do({ kind: 'log', partition, from: at, tailBytes: 1 << 20, waitMs: 0, tag: 'any' });
    expect(span.tag).toBe('any');
    expect(Buffer.byteLength(span.text)).toBeLessThanOrEqual(LIMITS.logFrameBytes);
    if (at !== null) expect(span.from - span.missed).toBe(at);
    Object.assign(heard, { text: heard.text + span.text, next: span.next, missed: heard.missed + span.missed });
    if (span.text === '') return heard;
  }
};

const heardOf = async (bench: Bench, partition: string, ends: string): Promise<Heard> => {
  let heard: Heard = { text: '', next: 0, missed: 0 };
  for (let tries = 0; tries < 60; tries += 1) {
    heard = await all(bench, partition);
    if (words(heard.text).includes(ends)) return heard;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`"${ends}" was not heard: ${heard.text.slice(-500)}`);
};

const start = (bench: Bench, partition: string, script: string, limits = {}) =>
  bench.life.do({ kind: 'start', deadlineMonoMs: null, spec: bench.spec(partition, script, { limits }) });

export const partitionLogs = (bench: () => Bench, tier: 'best' | 'dev'): void => {
  it('say what was said, by stream and moment, and spell out what a terminal would obey', async () => {
    const partition = bench().partition();
    const script = `busybox printf 'gr\\303\\274n \\033[2J\\007\\tx\\n'; echo bad >&2; busybox printf 'no end'; exec busybox sleep 1000`;
    await start(bench(), partition, script);
    const { text } = await heardOf(bench(), partition, 'no end');
    const streams = tier === 'dev' ? ['grün \\x1b[2J\\x07\tx\nbad\nno end', ''] : ['grün \\x1b[2J\\x07\tx\nno end', 'bad\n'];
    expect([words(text, 'o'), words(text, 'e')]).toEqual(streams);
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(LINE);
    expect(lostIn(text)).toBe(0);
    await bench().end(partition);
  });

  it('begin where they are asked to, and a question waits for what is said next', async () => {
    const partition = bench().partition();
    await start(bench(), partition, 'echo one; echo two; busybox sleep 2; echo three; exec busybox sleep 1000');
    const { next } = await heardOf(bench(), partition, 'two');
    const beganMs = Date.now();
    const span = await bench().life.do({ kind: 'log', partition, from: next, tailBytes: 0, waitMs: 15_000, tag: '' });
    expect(words(span.text)).toBe('three\n');
    expect(Date.now() - beganMs).toBeLessThan(10_000);
    const tail = await bench().life.do({ kind: 'log', partition, from: null, tailBytes: 40, waitMs: 0, tag: '' });
    expect(words(tail.text)).toBe('three\n');
    const none = await bench().life.do({ kind: 'log', partition, from: span.next, tailBytes: 0, waitMs: 300, tag: '' });
    expect(none).toMatchObject({ text: '', next: span.next, missed: 0 });
    const other = await bench().life.do({ kind: 'log', partition, from: 1 << 30, tailBytes: 0, waitMs: 0, tag: '' });
    expect([other.from, words(other.text)], 'a position of another log').toEqual([0, 'one\ntwo\nthree\n']);
    await bench().end(partition);
  });

  it('go on while no runtime is there: nothing is lost, nothing is told twice, and the workload never waits', async () => {
    const partition = bench().partition();
    const script =
      'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "line $i"; busybox usleep 5000; done; echo > /data/report; exec busybox sleep 1000';
    await start(bench(), partition, script);
    await heardOf(bench(), partition, 'line 5\n');
    await bench().restart(async () => void (await bench().report(partition)));
    const found = await bench().life.do({ kind: 'survey' });
    expect(found.found.find((one) => one.partition === partition)?.running).toBe(true);
    const { text } = await heardOf(bench(), partition, 'line 400\n');
    expect(words(text)).toBe(Array.from({ length: 400 }, (_, i) => `line ${i + 1}\n`).join(''));
    await bench().end(partition);
  });

  it('of a flood keep the end, count what went by, stay within their limit, and leave the neighbour alone [escape]', async () => {
    const [loud, quiet] = [bench().partition(), bench().partition()];
    await start(bench(), quiet, 'while :; do echo tick; busybox sleep 1; done');
    const script = `busybox yes 0123456789012345678901234567890123456789012345678 | busybox head -c 20000000; echo over; echo > /data/report; exec busybox sleep 1000`;
    await start(bench(), loud, script, { logKib: 64 });
    await bench().report(loud);
    const { text, missed } = await heardOf(bench(), loud, 'over\n');
    expect(Buffer.byteLength(text)).toBeLessThan(3 * 64 * 1024);
    expect(missed + lostIn(text), 'it is told that something is missing').toBeGreaterThan(0);
    const before = (await all(bench(), quiet)).text;
    await until(() => false, 2_500);
    expect((await all(bench(), quiet)).text.length, 'the neighbour goes on').toBeGreaterThan(before.length);
    await bench().end(loud);
    await bench().end(quiet);
  });

  it('have a copy on the card when an instance has ended, which a reboot does not take', async () => {
    const partition = bench().partition();
    await start(bench(), partition, 'echo last words; exit 3');
    await bench().life.exited(partition);
    const { next } = await heardOf(bench(), partition, 'last words\n');
    const kept = `${bench().dataPath}/partitions/${partition}/log.gz`;
    expect(await until(() => existsSync(kept), 10_000)).toBe(true);
    await bench().restart(async () => {
      for (const directory of [`/run/${boardName(bench().board)}/logs`, `${bench().dataPath}/run/logs`])
        for (const name of existsSync(directory) ? readdirSync(directory) : [])
          if (name.startsWith(partition)) rmSync(`${directory}/${name}`);
    });
    const again = await all(bench(), partition);
    expect(words(again.text)).toBe('last words\n');
    expect(again.next).toBe(next);
    await bench().end(partition);
    expect(existsSync(kept)).toBe(false);
  });
};
