/** The benchmark harness: a number that was not measured must not look like one. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { benchmarkNames, runBenchmark, table } from './bench/harness.ts';
import { median, timeProcess } from './bench/measure.ts';

const directory = join(import.meta.dirname, 'fixtures', 'bench');

test('benchmarks are found by their file names', () => {
  expect(benchmarkNames(directory)).toEqual(['empty', 'gap', 'whole']);
});

test('a report names what was measured, and where', async () => {
  const report = await runBenchmark(directory, 'whole', { curve: true });
  expect(report).toMatchObject({ name: 'whole', rows: [{ metric: 'fast', value: 2 }, { metric: 'alone' }] });
  expect(report.machine.cores).toBeGreaterThan(0);
  expect(report.commit).toMatch(/^([0-9a-f]{12}\+?|unknown)$/);
  expect(table(report).split('\n')).toEqual(['metric  lichen   peer', 'fast    2 ms     other: 1235 ms', 'alone   0.123 s']);
});

test('a gap is named and is no row', async () => {
  const report = await runBenchmark(directory, 'gap', { curve: false });
  expect(report).toMatchObject({ rows: [{ metric: 'known', value: 1 }], gaps: ['unknown'] });
});

test('nothing at all is a failure', async () => {
  await expect(runBenchmark(directory, 'empty', { curve: false })).rejects.toThrow('measured nothing');
});

test('the median is the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow();
});

test('a process that fails or hangs is no measurement', async () => {
  expect((await timeProcess(process.execPath, ['-p', '6*7'])).stdout).toBe('42\n');
  await expect(timeProcess(process.execPath, ['-e', 'console.error("why"); process.exit(3)'])).rejects.toThrow(/ended with 3 .*why/);
  await expect(timeProcess(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 300 })).rejects.toThrow(
    'ended with SIGKILL',
  );
});
