/** The judge can fail: with one guard of the real code switched off it says so, by name, in a world in which it finds nothing else. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ALONE, CONTENT, HOOKS, HUNT, LAN, MUTANTS, PEERS, STOP, SYSTEM, UPDATE } from './mutants.ts';

const SCRIPT = join(import.meta.dirname, 'hunt.ts');
const hunt = async (name: string, seeds: number, after = 0, world = HUNT): Promise<Record<string, unknown>> => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, name, String(seeds), String(after), world]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
};

test('there are enough of them', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

/**
 * World → its seeds: those in which nothing may be found, and no others in which a mutant may be. A red one names its seed:
 * `lichen sim replay test/sim/mutants/hunt.yaml --seed N`.
 */
const SEEDS: Record<string, number> = {
  ...{ [HUNT]: 100, [STOP]: 60, [UPDATE]: 40, [HOOKS]: 40, [CONTENT]: 40, [LAN]: 40, [PEERS]: 20, [SYSTEM]: 40, [ALONE]: 20 },
};
const seedsOf = (world: string): number => SEEDS[world] ?? 0;

test('every mutant is hunted where it is known what is found without it', () => {
  expect(new Set(MUTANTS.map(({ world = HUNT }) => world))).toEqual(new Set(Object.keys(SEEDS)));
});

test.each(Object.keys(SEEDS))(
  'with every guard on, nothing is found: %s',
  async (world) => {
    const half = seedsOf(world) / 2;
    const found = await Promise.all([0, half].map((after) => hunt('none', half, after, world)));
    for (const one of found) expect(one).toMatchObject({ caught: false, seeds: half, others: {} });
  },
  900_000,
);

test.each(MUTANTS.map(({ name, world = HUNT }): [string, string] => [name, world]))(
  '%s (%s)',
  async (name, world) => {
    const { caught, code } = await hunt(name, seedsOf(world));
    expect({ name, caught, code }).toMatchObject({ caught: true });
  },
  600_000,
);
