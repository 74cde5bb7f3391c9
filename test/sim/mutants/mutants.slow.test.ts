/** The judge can fail: with one guard of the real code switched off it says so, by name, within two hundred seeds. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { CONTENT, MUTANTS, STOP, UPDATE } from './mutants.ts';

const HUNT = join(import.meta.dirname, 'hunt.ts');
const hunt = async (name: string, seeds: number, after = 0, world = 'hunt.yaml'): Promise<Record<string, unknown>> => {
  const { stdout } = await promisify(execFile)(process.execPath, [HUNT, name, String(seeds), String(after), world]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
};

test('there are enough of them', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

/** Seeds of each of two processes. A red one names its seed: `lichen sim replay test/sim/mutants/hunt.yaml --seed N`. */
const SEEDS = 40;

test.each(['hunt.yaml', STOP, UPDATE, CONTENT])(
  'with every guard on, nothing is found: %s',
  async (world) => {
    const found = await Promise.all([0, SEEDS].map((after) => hunt('none', SEEDS, after, world)));
    for (const one of found) expect(one).toMatchObject({ caught: false, seeds: SEEDS, others: {} });
  },
  900_000,
);

test.each(MUTANTS.map(({ name }) => name))(
  '%s',
  async (name) => {
    const { caught, seeds, code } = await hunt(name, 200);
    expect({ name, caught, code }).toMatchObject({ caught: true });
    expect(seeds).toBeLessThanOrEqual(200);
  },
  600_000,
);
