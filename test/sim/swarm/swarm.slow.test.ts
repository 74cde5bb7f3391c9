/** Hundreds of seeds of a world in which everything goes wrong: no promise breaks, and a seed is a world for ever. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { FAULT_KINDS } from '../../../sim/scenario/faults.ts';
import { complaintOf, runChild, runSeeds } from './seeds.ts';

const SEEDS = 200;

test(`no promise breaks in ${SEEDS} seeds`, async () => {
  const lines = await runSeeds(1, SEEDS);
  expect(complaintOf(lines)).toBe('');
  expect(lines).toHaveLength(SEEDS);
  // Else nothing of this would be said.
  const incidents = lines.map(({ faults }) => Object.values(faults).reduce((sum, count) => sum + count, 0));
  expect(Math.min(...incidents)).toBeGreaterThanOrEqual(5);
  expect(lines.every(({ records }) => records > 0)).toBe(true);
  expect(new Set(lines.flatMap(({ faults }) => Object.keys(faults)))).toEqual(new Set(FAULT_KINDS));
}, 900_000);

/** What came of one seed in two fresh processes at once and in one that ran another before, all on a busy machine. */
const hashesOf = async (planted: boolean): Promise<string[]> => {
  const burners = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;) Math.sqrt(2)'], { stdio: 'ignore' }),
  );
  try {
    const fresh = await Promise.all([runChild(2, 1, 1, planted), runChild(2, 1, 1, planted)]);
    const after = await runChild(1, 2, 1, planted);
    return [...fresh.flat(), ...after].filter(({ seed }) => seed === 2).map(({ traceHash }) => traceHash);
  } finally {
    for (const burner of burners) burner.kill('SIGKILL');
  }
};

test('the same seed gives the same bytes in every process, however busy the machine is and whatever ran before', async () => {
  const hashes = await hashesOf(false);
  expect(hashes).toHaveLength(3);
  expect(new Set(hashes).size).toBe(1);
}, 300_000);

test('a chance that is not of the seed is noticed', async () => {
  expect(new Set(await hashesOf(true)).size).toBe(3);
}, 300_000);
