/**
 * `hunt.ts <mutant> [seeds] [after] [world]`: runs seed after seed with one guard switched off, until the judge names it. `none` hunts
 * nothing: the same world with every guard on. Prints one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { patchSource } from '../../support/patched.ts';
import { expected, HUNT, MUTANTS } from './mutants.ts';

const [name = '', most = '200', after = '0', world = HUNT] = process.argv.slice(2);
const mutant = MUTANTS.find((one) => one.name === name);
const path = mutant?.world ?? world;
if (mutant === undefined && name !== 'none') throw new Error(`no mutant "${name}"`);

if (mutant !== undefined) patchSource(mutant);

// Only now: the guard has to be off before anything is loaded.
const { runScenario } = await import('../../../sim/run.ts');
const { readScenario } = await import('../../../sim/scenario/read.ts');
const { shippedSource } = await import('../scenario/files.ts');
const scenario = readScenario(readFileSync(join(import.meta.dirname, path), 'utf8'), path, shippedSource);
if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));

const began = performance.now();
const others = new Map<string, number>();
let caught: { seed: number; code: string } | null = null;
let seed = Number(after);
const last = seed + Number(most);
while (caught === null && seed < last) {
  seed++;
  const { violations, expectations } = await runScenario(scenario, {
    ...{ seed, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path },
    seconds: () => performance.now() / 1000,
  });
  const codes = [...violations.map(({ code }) => code), ...expectations.filter(({ held }) => !held).map(({ says }) => expected(says))];
  for (const code of codes) {
    if (mutant?.caughtAs.some((one) => one === code) === true) caught ??= { seed, code };
    else others.set(`${code}, seed ${seed}`, (others.get(`${code}, seed ${seed}`) ?? 0) + 1);
  }
}
const seconds = Math.round((performance.now() - began) / 100) / 10;
const line = {
  mutant: name,
  caught: caught !== null,
  seed: caught?.seed ?? null,
  code: caught?.code ?? null,
  seeds: seed - Number(after),
  seconds,
};
process.stdout.write(`${JSON.stringify({ ...line, others: Object.fromEntries(others) })}\n`);
