/** A night of seconds: fresh processes, totals, going on, stopping by itself. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FAULT_KINDS } from '../../../sim/scenario/faults.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import { shippedSource } from '../scenario/files.ts';
import { type Night, runNight } from './night.ts';

const folder = mkdtempSync(join(tmpdir(), 'lichen-nightly-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = `
lasts: 1h
gateways: [north, south]
boards: [{ name: shed, count: 2, profile: pi-3b, link: wifi }]
workloads: [{ recipe: primes, replicas: 1 }]
faults: [{ kind: power-cut, on: shed, every: 20min, for: 1min }]
pace: { tick: 10s, record: 5min }
`;

const fileOf = (name: string, text: string): string => {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, text);
  return path;
};

const night = async (over: Partial<Night>) => {
  const said: string[] = [];
  const usual = { from: 1, seeds: 2, seconds: 50, cores: 2, stop: new AbortController().signal, say: (text: string) => said.push(text) };
  const totals = await runNight({ scenario: fileOf('small', SMALL), ...usual, ...over });
  return { totals, said };
};

test('the scenario is one', () => {
  const text = readFileSync(join(import.meta.dirname, 'nightly.yaml'), 'utf8');
  const scenario = readScenario(text, 'nightly.yaml', shippedSource);
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  expect(scenario.boards).toHaveLength(200);
  expect(scenario.lastsMs).toBe(24 * 3_600_000);
  expect(new Set(scenario.boards.map(({ profile }) => profile)).size).toBe(6);
  expect(new Set(scenario.mix.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
  expect(scenario.workloads.some(({ onIsolation }) => onIsolation === 'stop')).toBe(true);
});

test('runs each seed once, adds up, and says where to go on', async () => {
  const { totals, said } = await night({ seeds: 3 });
  expect(totals).toMatchObject({ ok: true, seeds: 3, from: 1, next: 4, boardHours: 6, violations: [], crashed: [] });
  expect(totals.recordsSigned).toBeGreaterThan(30);
  expect(totals.faults['power-cut']).toBeGreaterThan(3);
  expect(said.map((line) => /^seed \d+ held/.exec(line)?.[0]).sort()).toEqual(['seed 1 held', 'seed 2 held', 'seed 3 held']);
  const [one, rest] = [await night({ seeds: 1 }), await night({ from: 2, seeds: 2 })];
  expect(one.totals.recordsSigned + rest.totals.recordsSigned).toBe(totals.recordsSigned);
}, 120_000);

test('names what was not met, and what did not come to its end', async () => {
  const scenario = fileOf('vain', `${SMALL}expect: [{ sometimes: { see: quarantined, at-least: 1 } }]\n`);
  const { totals } = await night({ scenario, seeds: 1 });
  expect(totals.ok).toBe(false);
  expect(totals.unmet).toMatchObject([{ seed: 1, replay: `lichen sim replay ${scenario} --seed 1` }]);
  const none = await night({ scenario: join(folder, 'none.yaml'), seeds: 1 });
  expect(none.totals).toMatchObject({ ok: false, seeds: 0, next: 2 });
  expect(none.totals.crashed[0]?.why).toContain('exit status 66');
}, 120_000);

test('stops by itself, and what it cut short is where to go on', async () => {
  const began = performance.now();
  const { totals } = await night({ scenario: join(import.meta.dirname, 'nightly.yaml'), seconds: 2 });
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(totals).toMatchObject({ ok: false, seeds: 0, from: 1, next: 1, crashed: [] });
}, 60_000);
