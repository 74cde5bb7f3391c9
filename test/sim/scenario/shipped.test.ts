import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FAULT_KINDS } from '../../../sim/scenario/faults.ts';
import { scenarioJsonSchema } from '../../../sim/scenario/json-schema.ts';
import { LINK_PRESETS } from '../../../sim/scenario/link-presets.ts';
import { OBSERVABLE_WORDS } from '../../../sim/scenario/observables.ts';
import { problemLine } from '../../../sim/scenario/problem.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import { PROFILES } from '../../../sim/scenario/scenario.ts';
import { shipped, shippedSource, sourceOf } from './files.ts';
import { misfits } from './json-schema-check.ts';

const schema = scenarioJsonSchema();
const root = join(import.meta.dirname, '../../..');
const schemaFile = join(root, 'sim/scenario.schema.json');

describe.each(shipped)('$path', ({ path, text }) => {
  const scenario = readScenario(text, path, shippedSource);

  test('is read without a complaint', () => {
    expect(Array.isArray(scenario) ? scenario.map((problem) => problemLine(path, problem)) : []).toEqual([]);
  });

  test('tells a story, and would notice if it did not happen', () => {
    if (Array.isArray(scenario)) throw new Error('it is not read');
    expect(scenario.about.length).toBeGreaterThan(80);
    expect(path).toMatch(new RegExp(`/${scenario.name}(\\.yaml|/scenario\\.yaml)$`));
    const kinds = new Set(scenario.expect.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['eventually', 'sometimes']));
  });

  test('tells an editor in its first line where its schema is', () => {
    const [, named] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    expect(resolve(root, dirname(path), named ?? '')).toBe(schemaFile);
  });

  test('is what the JSON schema describes', () => {
    expect(misfits(schema, parse(text))).toEqual([]);
  });
});

test('those that are promised are there', () => {
  const names = shipped
    .filter(({ path }) => path.startsWith('sim/'))
    .map(({ path }) => path.slice('sim/scenarios/'.length, -'.yaml'.length));
  expect(names.sort()).toEqual([
    ...[
      'cloned-card',
      'first-day',
      'flaky-village-wifi',
      'forked-ledger',
      'full-card',
      'full-gateways',
      'gateway-dies-for-good',
      'lying-gateway',
      'lying-sensors',
    ],
    ...[
      'rolling-update-gone-bad',
      'solar-winter',
      'stop-never-twice',
      'system-update-gone-bad',
      'thirty-days-offline',
      'update-comes-back',
      'village-shares',
      'waves-halt',
    ],
  ]);
});

describe('the JSON schema', () => {
  test('in its file is that of the reader (LICHEN_UPDATE=1 writes it anew)', () => {
    const now = `${JSON.stringify(schema, null, 2)}\n`;
    if (process.env.LICHEN_UPDATE === '1') writeFileSync(schemaFile, now);
    expect(readFileSync(schemaFile, 'utf8') === now).toBe(true);
  });

  const FLEET = 'lasts: 10h\ngateways: [north]\nboards: [{ name: cabin }]\nworkloads: [hello]\n';
  const text = JSON.stringify(schema);

  test('names every word that a scenario may use', () => {
    for (const word of [...FAULT_KINDS, ...OBSERVABLE_WORDS, ...PROFILES, ...LINK_PRESETS]) expect(text).toContain(`"const":"${word}"`);
  });

  test('says something of every key', () => {
    const silent: string[] = [];
    const walk = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, held] of Object.entries(value)) {
        if (key === 'properties') {
          for (const [name, property] of Object.entries(held as Record<string, { description?: string }>)) {
            if (property.description === undefined && name !== 'see') silent.push(`${at}/${name}`);
          }
        }
        walk(held, `${at}/${key}`);
      }
    };
    walk(schema, '');
    expect(silent).toEqual([]);
  });

  // What only a look at the names shows (an unknown recipe) is not the schema's to know.
  test.each([
    `${FLEET}gatways: []`,
    FLEET.replace('10h', '5 parsecs'),
    FLEET.replace('10h', '5'),
    FLEET.replace('name: cabin', 'name: Cabin'),
    FLEET.replace('name: cabin', 'name: cabin, cuont: 3'),
    FLEET.replace('name: cabin', 'name: cabin, profile: pi-zero'),
    FLEET.replace('name: cabin', 'name: cabin, count: 0'),
    FLEET.replace('name: cabin', 'name: cabin, capacity: { memory: 64 }'),
    FLEET.replace('[north]', '[]'),
    FLEET.replace('[hello]', '[{ name: x }]'),
    `${FLEET}timeline: [{ at: 1h, kind: link-cut, on: cabin }]`,
    `${FLEET}timeline: [{ at: 1h, kind: gateway-kil, on: north }]`,
    `${FLEET}timeline: [{ at: 1h, kind: crash, on: hello, for: 1h }]`,
    `${FLEET}timeline: [{ at: 1h, kind: flapping, on: cabin, for: 1h, perod: 2s }]`,
    `${FLEET}faults: [{ kind: link-cut, on: cabin, for: 1h }]`,
    `${FLEET}expect: [{ always: { see: green } }]`,
    `${FLEET}expect: [{ always: { see: green, at-least: 5% } }]`,
    `${FLEET}expect: [{ sometimes: { see: green, at-least: 1, within: 1h } }]`,
    `${FLEET}expect: [{ sometims: { see: green, at-least: 1 } }]`,
  ])('refuses what the reader refuses: %s', (bad) => {
    expect(Array.isArray(readScenario(bad, 'bad.yaml', sourceOf()))).toBe(true);
    expect(misfits(schema, parse(bad))).not.toEqual([]);
  });

  test('takes what the reader takes', () => {
    const good = `${FLEET}seed: 4\nstarts: 2026-01-01T00:00Z\nbackbone: { like: lte }\nlinks: { mine: { speed: 1Mbit/s } }
pace: { tick: 10s }\ntimeline: [{ at: 0, kind: crash, on: [hello] }]\nexpect: [{ always: { see: refusals, at-least: 0 } }]\n`;
    expect(Array.isArray(readScenario(good, 'good.yaml', sourceOf()))).toBe(false);
    expect(misfits(schema, parse(good))).toEqual([]);
  });
});
