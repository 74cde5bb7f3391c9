/** A few seeds of a world in which everything goes wrong; swarm.slow.test.ts runs hundreds of them. */
import { expect, test } from 'vitest';
import { FAULT_KINDS } from '../../../sim/scenario/faults.ts';
import { complaintOf, runSeeds } from './seeds.ts';
import { swarmScenario } from './world.ts';

test('every kind of fault and deed is in the mix', () => {
  expect(new Set(swarmScenario().mix.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
});

test('no promise breaks in the first seeds', async () => {
  const lines = await runSeeds(1, 4);
  expect(lines.map(({ seed }) => seed)).toEqual([1, 2, 3, 4]);
  expect(complaintOf(lines)).toBe('');
}, 120_000);
