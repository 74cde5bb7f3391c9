import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { EXPLAIN } from '../../../sim/hardware/explain.ts';
import { HARDWARE } from '../../../sim/hardware/profiles.ts';
import { FAULTS } from '../../../sim/scenario/faults.ts';
import { fileShape } from '../../../sim/scenario/file.ts';

/** All names of keys anywhere in a JSON schema. */
const keysIn = (schema: unknown): string[] => {
  if (typeof schema !== 'object' || schema === null) return [];
  if (Array.isArray(schema)) return schema.flatMap(keysIn);
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' && typeof value === 'object' && value !== null ? Object.keys(value) : []),
    ...keysIn(value),
  ]);
};

const fileKeys = new Set(keysIn(fileShape.schema));
const profileKeys = new Set([...Object.keys(HARDWARE['pi-5']), ...Object.keys(HARDWARE['pi-5'].thermal)]);

describe('explain', () => {
  test('every part is told once, with what it does not do', () => {
    const parts = EXPLAIN.map(({ part }) => part);
    expect(new Set(parts).size).toBe(parts.length);
    for (const { models, doesNot } of EXPLAIN) {
      expect(models.length).toBeGreaterThan(0);
      expect(doesNot.length).toBeGreaterThan(0);
    }
    const here = fileURLToPath(new URL('../../../sim/hardware/', import.meta.url));
    /** Files that are told of under another name, or are no part of their own. */
    const toldAs: Record<string, string> = { radio: 'link', profiles: 'profile', sun: 'power', charge: 'power', explain: 'simulator' };
    for (const entry of readdirSync(here)) {
      const name = entry.replace(/\.ts$/, '');
      expect(parts, entry).toContain(toldAs[name] ?? name);
    }
  });

  test('every parameter is one that a scenario, a profile or a fault has', () => {
    for (const { parameters } of EXPLAIN) {
      for (const parameter of parameters) {
        const [, kind = '', path = ''] = /^(?:(profile|fault) )?(.+)$/.exec(parameter) ?? [];
        const steps = path.split('.');
        if (kind === 'profile') for (const step of steps) expect([...profileKeys], parameter).toContain(step);
        else if (kind === 'fault') {
          const [fault = '', word] = steps;
          const row = Object.entries(FAULTS).find(([name]) => name === fault)?.[1];
          expect(row, parameter).toBeDefined();
          if (word !== undefined) expect(Object.keys(row?.takes ?? {}), parameter).toContain(word);
        } else for (const step of steps) expect([...fileKeys], parameter).toContain(step);
      }
    }
  });
});
