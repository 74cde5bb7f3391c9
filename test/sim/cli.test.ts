/** `lichen sim`: what it prints where, what it writes, and with which status it ends. The world itself is a stand-in here. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { registerSim } from '../../sim/cli.ts';
import type { RunOptions } from '../../sim/run.ts';
import { incidentsWith } from '../../sim/scenario/draw.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import type { Scenario } from '../../sim/scenario/scenario.ts';
import type { Run } from '../../sim/sweep.ts';
import { broke, held } from './report/reports.ts';

const plain = { bold: (text: string) => text, dim: (text: string) => text, red: (text: string) => text, green: (text: string) => text };
const root = join(import.meta.dirname, '../..');

const SMALL = `about: A board and a gateway. They have an hour.
lasts: 1h
gateways: [a]
boards:
  - { name: kitchen, profile: pi-4b }
workloads: [primes]
timeline:
  - { at: 10min, kind: link-cut, on: kitchen, for: 5min }
  - { at: 20min, kind: runtime-crash, on: kitchen }
  - { at: 30min, kind: power-cut, on: kitchen, for: 5min }
expect:
  - eventually: { see: linked, at-least: 1, within: 10min }
`;

const RECIPE =
  'name: primes\nlabel: "1"\nargs: [/bin/sh]\nlimits: { memoryMib: 64, cpuMillis: 500, pids: 8, tmpMib: 8 }\nfiles: [{ from: run.sh, to: run.sh }]\n';

let home: string;
const before = process.cwd();

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-sim-cli-'));
  mkdirSync(join(home, 'recipes/primes'), { recursive: true });
  mkdirSync(join(home, 'deep/er'), { recursive: true });
  writeFileSync(join(home, 'small.yaml'), SMALL);
  writeFileSync(join(home, 'deep/er/small.yaml'), SMALL);
  writeFileSync(join(home, 'calm.yaml'), SMALL.replace(/timeline:(\n {2}.*)+/, ''));
  writeFileSync(join(home, 'recipes/primes/recipe.yaml'), RECIPE);
  writeFileSync(join(home, 'recipes/primes/scenario.yaml'), SMALL);
  writeFileSync(join(home, 'bad.yaml'), SMALL.replace('lasts: 1h', 'lasts: 1 hour').replace('boards:', 'bords:'));
});
afterAll(() => rmSync(home, { recursive: true }));
beforeEach(() => process.chdir(home));
afterEach(() => {
  process.chdir(before);
  process.exitCode = undefined;
  delete process.env.GITHUB_STEP_SUMMARY;
});

interface Ran {
  out: string[];
  err: string[];
  status: number;
  refused: LichenError | null;
  asked: { scenario: Scenario; options: RunOptions }[];
}

const reportOf: Run = async (scenario, { seed, only, path }) => {
  const fails = seed === 13 && (only === null || only.includes(1));
  const report = fails ? broke({ shrunk: null, expectations: [] }) : held();
  return { ...report, scenario: scenario.name, seed, path };
};

const sim = async (...words: string[]): Promise<Ran> => {
  const ran: Ran = { out: [], err: [], status: 0, refused: null, asked: [] };
  const program = new Command().exitOverride().configureOutput({ writeOut: (text) => ran.out.push(text), writeErr: () => {} });
  const noun = program.command('sim').copyInheritedSettings(program);
  registerSim(noun, { print: (text) => ran.out.push(text), say: (text) => ran.err.push(text), paint: plain }, async (scenario, options) => {
    ran.asked.push({ scenario, options });
    return await reportOf(scenario, options);
  });
  try {
    await program.parseAsync(['sim', ...words], { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof LichenError) ran.refused = thrown;
    else if (!(thrown instanceof CommanderError)) throw thrown;
    else if (thrown.exitCode !== 0) ran.refused = new LichenError('bad-usage', thrown.message);
  }
  ran.status = Number(process.exitCode ?? 0);
  return ran;
};

const last = ({ out }: Ran): unknown => JSON.parse(out.at(-1) ?? '');

describe('run', () => {
  test('runs a file with the seed of the scenario, and says that it held', async () => {
    const ran = await sim('run', 'small.yaml');
    expect(ran).toMatchObject({ status: 0, refused: null, err: [] });
    expect(ran.out.join('\n')).toContain('small held with seed 1\n');
    expect(ran.asked).toMatchObject([
      { options: { seed: 1, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'small.yaml' } },
    ]);
    expect(ran.asked[0]?.scenario.workloads[0]).toMatchObject({ recipe: 'primes', recipeText: RECIPE });
  });

  test('passes its words on', async () => {
    const { asked } = await sim(
      'run',
      'small.yaml',
      '--seed',
      '5',
      '--tier',
      'b',
      '--ed25519',
      '--faults',
      '2,0,2',
      '--timeline',
      'out/t.html',
    );
    expect(asked[0]?.options).toMatchObject({ seed: 5, tier: 'b', crypto: 'ed25519', only: [0, 2], lanes: true });
  });

  test('finds a scenario by folder, by the name of a recipe, and by that of a shipped one', async () => {
    expect((await sim('run', 'recipes/primes')).asked[0]).toMatchObject({ options: { path: 'recipes/primes/scenario.yaml' } });
    expect((await sim('run', 'primes')).asked[0]).toMatchObject({ scenario: { name: 'primes' } });
    expect((await sim('run', 'first-day')).asked[0]).toMatchObject({ scenario: { name: 'first-day' }, options: { path: 'first-day' } });
  });

  test('recipes are found upwards from the scenario, wherever one stands', async () => {
    process.chdir(tmpdir());
    const { asked } = await sim('run', join(home, 'deep/er/small.yaml'));
    expect(asked[0]?.scenario.workloads[0]?.recipeText).toBe(RECIPE);
  });

  test('--json ends with the contract and keeps stdout to itself', async () => {
    const ran = await sim('run', 'small.yaml', '--json', '--seed', '4');
    expect(ran.out).toHaveLength(1);
    expect(last(ran)).toMatchObject({ ok: true, seed: 4, seeds: 1, faults: { 'power-cut': 2 }, violations: [] });
  });

  test('a failure is shrunk, told on both streams, and ends with 1', async () => {
    const ran = await sim('run', 'small.yaml', '--json', '--seed', '13');
    expect(ran.status).toBe(1);
    expect(last(ran)).toMatchObject({ ok: false, seed: 13, shrunk: [1], replay: 'lichen sim replay small.yaml --seed 13 --faults 1' });
    expect(ran.err.join('\n')).toContain('lichen sim replay small.yaml --seed 13 --faults 1');
    expect(ran.asked.slice(1).every(({ options }) => options.only !== null && !options.lanes)).toBe(true);
    const text = await sim('run', 'small.yaml', '--seed', '13', '--shrink', '0');
    expect(text.status).toBe(1);
    expect(text.asked).toHaveLength(1);
    expect(text.out.join('\n')).toContain('promise 2 broke');
  });

  test('many seeds: a line each, until one fails', async () => {
    const ran = await sim('run', 'small.yaml', '--seed', '11', '--seeds', '20');
    expect(ran.out.filter((line) => /^(held |broke) {2}seed/.test(line))).toHaveLength(3);
    expect(ran.out.at(-1)).toBe('small broke with 1 of 3 seeds; 17 not run');
    expect(ran.status).toBe(1);
    const all = await sim('run', 'small.yaml', '--seed', '11', '--seeds', '5', '--keep-going', '--json');
    expect(all.out).toHaveLength(6);
    expect(last(all)).toMatchObject({ ok: false, seed: 13, seeds: 5, seedsFailed: [13] });
    const well = await sim('run', 'small.yaml', '--seed', '1', '--seeds', '3');
    expect(well.out.at(-1)).toBe('small held with 3 seeds');
  });

  test('says what a fault does not do in tier b, and refuses a scenario that waits for it', async () => {
    const repeats = SMALL.replace('expect:', '  - { at: 20min, kind: duplicate, on: kitchen, for: 5min }\nexpect:');
    writeFileSync('repeats.yaml', repeats);
    writeFileSync('waits.yaml', `${repeats}  - sometimes: { see: faults, of: duplicate, at-least: 1, says: it stutters }\n`);
    expect((await sim('run', 'repeats.yaml', '--tier', 'b')).err).toEqual([expect.stringContaining('duplicate hits nothing in tier b')]);
    expect((await sim('run', 'repeats.yaml')).err).toEqual([]);
    expect((await sim('run', 'waits.yaml')).asked).toHaveLength(1);
    const { refused, asked } = await sim('run', 'waits.yaml', '--tier', 'b');
    expect([refused?.code, asked]).toEqual(['bad-usage', []]);
    expect(refused?.detail).toContain('the scenario waits for it ("it stutters")');
  });

  test('writes JUnit, timeline and the summary of a step, into folders that are not there yet', async () => {
    process.env.GITHUB_STEP_SUMMARY = join(home, 'summary.md');
    writeFileSync(join(home, 'summary.md'), 'before\n');
    const ran = await sim(
      'run',
      'small.yaml',
      '--seed',
      '12',
      '--seeds',
      '2',
      '--github',
      '--junit',
      'new/a.xml',
      '--timeline',
      'new/b.html',
      '--json',
    );
    expect(readFileSync('new/a.xml', 'utf8')).toContain('<failure type="billed-twice"');
    expect(readFileSync('new/b.html', 'utf8')).toContain('<title>small broke, seed 13</title>');
    expect(readFileSync('summary.md', 'utf8')).toMatch(/^before\n### ❌ small broke with 1 of 2 seeds/);
    expect(ran.out.filter((line) => line.startsWith('::error file=small.yaml,'))).toHaveLength(1);
    expect(last(ran)).toMatchObject({ ok: false });
    delete process.env.GITHUB_STEP_SUMMARY;
    expect((await sim('run', 'small.yaml', '--github')).err.join()).toContain('GITHUB_STEP_SUMMARY');
  });

  test('a scenario with flaws is not run: all of them with their place and the nearest word', async () => {
    const { refused, asked } = await sim('run', 'bad.yaml', '--junit', 'never.xml');
    expect(asked).toEqual([]);
    expect(refused?.code).toBe('bad-scenario');
    expect(refused?.detail).toMatch(/bad\.yaml:2:8: .*bad\.yaml:4:1: unknown key "bords"\. Did you mean "boards"\?/s);
    expect(existsSync('never.xml')).toBe(false);
  });

  test.each([
    ['fist-day', 'did you mean first-day?'],
    ['small.yam', 'there is no scenario small.yam'],
  ])('%s is not there', async (name, why) => {
    const { refused } = await sim('run', name);
    expect(refused).toMatchObject({ code: 'not-found', detail: expect.stringContaining(why), next: expect.stringContaining('sim list') });
  });

  test.each([
    [['run', 'small.yaml', '--seed', 'x'], '--seed is a whole number'],
    [['run', 'small.yaml', '--seeds', '0'], '--seeds is a whole number from 1'],
    [['run', 'small.yaml', '--tier', 'c'], '--tier is a or b'],
    [['run', 'small.yaml', '--faults', '1,,2'], '--faults is a whole number'],
    [['run', 'small.yaml', '--faults', '3'], '--faults 3: with seed 1 they are numbered from 0 to 2'],
    [['run', 'calm.yaml', '--faults', '0'], 'with seed 1 there are none'],
    [['replay', 'small.yaml'], "'--seed <number>'"],
    [['run'], "'scenario'"],
    [['explain', 'crad'], 'did you mean card?'],
  ])('%j is refused', async (words, why) => {
    const { refused, status, asked } = await sim(...words);
    expect({ code: refused?.code, status, asked }).toEqual({ code: 'bad-usage', status: 0, asked: [] });
    expect(refused?.detail).toContain(why);
  });
});

test('replay runs one seed with the faults that are named', async () => {
  const ran = await sim('replay', 'small.yaml', '--seed', '13', '--faults', '0,2', '--json');
  expect(ran).toMatchObject({ status: 0, asked: [{ options: { seed: 13, only: [0, 2] } }] });
  expect((await sim('replay', 'small.yaml', '--seed', '13', '--faults', 'none')).asked[0]?.options.only).toEqual([]);
  expect(last(ran)).toMatchObject({ ok: true, replay: 'lichen sim replay small.yaml --seed 13 --faults 0,2' });
});

test('a fault that comes with one seed and not with another is refused before any is run', async () => {
  writeFileSync('drawn.yaml', SMALL.replace('expect:', 'faults: [{ kind: heat, on: kitchen, every: 40min, for: 1min }]\nexpect:'));
  const source = { recipe: () => RECIPE, recipes: () => ['primes'], trace: () => null };
  const scenario = readScenario(readFileSync('drawn.yaml', 'utf8'), 'drawn.yaml', source);
  if (Array.isArray(scenario)) throw new Error('it is not read');
  const counts = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => incidentsWith(scenario, seed).length);
  const most = Math.max(...counts);
  const { asked, refused } = await sim('run', 'drawn.yaml', '--seed', '0', '--seeds', '8', '--faults', `0,${most - 1}`);
  const first = counts.findIndex((count) => count < most);
  expect(first).toBeGreaterThanOrEqual(0);
  expect([asked, refused?.code]).toEqual([[], 'bad-usage']);
  expect(refused?.detail).toContain(`--faults ${most - 1}: with seed ${first} they are numbered from 0 to ${(counts[first] ?? 0) - 1}`);
  expect((await sim('run', 'drawn.yaml', '--seed', `${counts.indexOf(most)}`, '--faults', `${most - 1}`)).asked).toHaveLength(1);
});

test('list knows the shipped scenarios and those of recipes here', async () => {
  const rows = last(await sim('list', '--json'));
  expect(rows).toContainEqual({
    scenario: 'recipes/primes/scenario.yaml',
    about: 'A board and a gateway. They have an hour.',
    shipped: false,
  });
  expect(rows).toContainEqual(expect.objectContaining({ scenario: 'first-day', shipped: true }));
  const { out } = await sim('list');
  expect(out).toContainEqual(expect.stringMatching(/^recipes\/primes\/scenario\.yaml +A board and a gateway\.$/));
});

test('explain says of each part what it models and what it does not', async () => {
  const parts = last(await sim('explain', '--json'));
  expect(parts).toEqual(expect.arrayContaining([expect.objectContaining({ part: 'card', doesNot: expect.anything() })]));
  const { out } = await sim('explain', 'card');
  expect(out.join('\n')).toMatch(/^card\nmodels\n {2}- .*\ndoes not\n {2}- .*\nparameters: /s);
});

test('schema is JSON schema, on one line or for people', async () => {
  const one = await sim('schema', '--json');
  expect(one.out.join('\n').split('\n')).toHaveLength(1);
  expect(last(one)).toMatchObject({ $schema: expect.stringContaining('json-schema.org'), properties: { lasts: {} } });
  const { out } = await sim('schema');
  expect(JSON.parse(out.join('\n'))).toEqual(last(one));
});

describe('the command itself, as a process', () => {
  const lichen = (args: string[], entry: string): unknown =>
    JSON.parse(
      execFileSync(process.execPath, [entry, 'sim', ...args, '--json'], { encoding: 'utf8', cwd: home, env: { PATH: process.env.PATH } }),
    );

  test('the one-file bundle ships what the sources ship', { timeout: 90_000 }, () => {
    const bundle = join(home, 'bundle/lichen.mjs');
    execFileSync(process.execPath, ['build.mjs', 'bundle', '--entry', 'gateway/lichen.ts', '--outfile', bundle], {
      cwd: root,
      stdio: 'pipe',
    });
    const source = join(root, 'gateway/lichen.ts');
    expect(lichen(['list'], bundle)).toEqual(lichen(['list'], source));
    expect(lichen(['explain'], bundle)).toEqual(lichen(['explain'], source));
    expect(lichen(['schema'], bundle)).toEqual(lichen(['schema'], source));
    const words = ['run', 'small.yaml', '--seed', '3', '--timeline', 'bundle/page.html'];
    const [a, b] = [lichen(words, bundle), lichen(words, source)];
    expect({ ...Object(a), wallSeconds: 0 }).toEqual({ ...Object(b), wallSeconds: 0 });
    expect(readFileSync(join(home, 'bundle/page.html'), 'utf8')).toContain('</html>');
  });

  test('says how long a run took by the clock of the machine, in tier b too', { timeout: 90_000 }, () => {
    const { wallSeconds, simulatedHours } = Object(lichen(['run', 'small.yaml', '--tier', 'b'], join(root, 'gateway/lichen.ts')));
    expect(simulatedHours).toBe(1);
    expect(wallSeconds).toBeLessThan(600);
  });
});
