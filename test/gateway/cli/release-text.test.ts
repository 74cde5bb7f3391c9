/** The words for a release: every key that a publisher can sign is in them, and none of what he wrote is obeyed. */
import { describe, expect, test } from 'vitest';
import type { Inspection } from '../../../gateway/cli/release-inspect.ts';
import { inspectionText } from '../../../gateway/cli/release-text.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { seal, unseal } from '../../../runtime/protocol/noun.ts';
import { type Manifest, manifestNoun, manifestSchema } from '../../../runtime/protocol/nouns/release.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { PUBLISHER } from '../../support/federation.ts';

const every = { intervalMs: 40_001, timeoutMs: 40_002, graceMs: 40_003 };
/** Says everything that a manifest can say; no two words of it are the same. */
const FULL: Required<Omit<Manifest, 'image'>> = {
  ...{ v: 1, publisher: PUBLISHER, recipe: 'echo', label: 'label-1', sequence: 9001, arch: 'arm64', engine: 'node', demands: 'reduced' },
  ...{ pages: [new Uint8Array(32).fill(1)], sbom: new Uint8Array(32).fill(2), entries: 9002, bytes: 9003 },
  ...{ args: ['/bin/program', '--argument'], env: { VARIABLE: 'environment-1' }, parameters: { parameter: 'parameter-1' } },
  ...{ parameterSchema: '{"title":"schema-1"}', connectionSchema: '{"title":"schema-2"}' },
  shares: {
    ...{ most: 31, parameters: { shared: 'parameter-2' } },
    ...{ parameterSchema: '{"title":"schema-3"}', connectionSchema: '{"title":"schema-4"}' },
  },
  ...{
    reload: 'SIGUSR1',
    stop: { signal: 'SIGINT', graceMs: 9004 },
    holdMs: 9005,
    data: {
      onUpdate: 'snapshot',
      before: { args: ['/bin/dump', 'nine'], withinMs: 9032 },
      after: { args: ['/bin/migrate'], withinMs: 9033 },
    },
  },
  limits: {
    ...{ memoryMib: 9006, cpuMillis: 9007, pids: 9008, tmpMib: 9009, logKib: 901, dataMib: 9011, dataInodes: 9012, openFiles: 913 },
    ...{ readKibPerS: 9014, writeKibPerS: 9015, ioOpsPerS: 9016 },
  },
  promises: [
    { name: 'one', probe: { kind: 'http', port: 8081, path: '/health' }, ...every },
    { name: 'two', probe: { kind: 'tcp', port: 8082 }, ...every },
    { name: 'three', probe: { kind: 'exec', args: ['/bin/probe', 'word-1'] }, ...every },
    { name: 'four', probe: { kind: 'file', path: '/data/file', maxAgeMs: 9017 }, ...every },
    { name: 'five', probe: { kind: 'value', path: '/data/value', min: '-1.5', max: '99.25' }, ...every },
    { name: 'six', probe: { kind: 'reading', args: ['/bin/reading', 'word-2'], min: '-2.5', max: '98.25' }, ...every },
  ],
  network: {
    ...{ outbound: [{ to: 'api.example.org', port: 8083, protocol: 'tcp' }], dns: true },
    ...{ links: [{ name: 'link', port: 8084, protocol: 'udp' }], publish: [{ name: 'outside', port: 8085, protocol: 'tcp' }] },
  },
  devices: ['i2c', 'usb:1234:abcd'],
};
/** As people read it, where that is not as it is signed. */
const SAID: Record<string, string> = { '.v': '', '.pages.0': '1 page', '.data.onUpdate': 'as it was', '.network.dns': 'resolvers' };

const found = (manifest: Manifest, more: Partial<Inspection> = {}): Inspection => ({
  ...{ release: 'ab'.repeat(32), manifest, key: 'cd'.repeat(32), keyIs: 'unknown', pages: 1, chunks: 2, wireBytes: 3 },
  ...{ sbom: null, missing: [], wrong: [], update: null, files: [] },
  ...more,
});

interface Shape {
  type: string;
  entries?: Record<string, Shape>;
  wrapped?: Shape;
  item?: Shape;
  value?: Shape;
  options?: Shape[];
  pipe?: Shape[];
}

const PARTS = new Set(['optional', 'array', 'record', 'variant', 'strict_object', 'object']);
const flat = (shape: Shape): Shape[] => shape.pipe?.flatMap(flat) ?? [shape];

/** Keys that the schema has and no sample says, and `is` of every leaf that one does. */
const walk = (shape: Shape, samples: readonly unknown[], path: string, is: (path: string, value: unknown) => void): string[] => {
  const part = flat(shape).find(({ type }) => PARTS.has(type)) ?? shape;
  if (part.type === 'optional' && part.wrapped !== undefined) return walk(part.wrapped, samples, path, is);
  if (part.type === 'array' && part.item !== undefined) {
    const items = samples.flatMap((sample) => (Array.isArray(sample) ? sample : []));
    return items.length === 0 ? [path] : items.flatMap((one, at) => (part.item ? walk(part.item, [one], `${path}.${at}`, is) : []));
  }
  if (part.type === 'record') {
    const items = samples.flatMap((sample) => Object.entries(sample as object).flat());
    for (const one of items) is(path, one);
    return items.length === 0 ? [path] : [];
  }
  if (part.type === 'variant') {
    const kinds = (part.options ?? []).map((option) => {
      const { entries = {} } = option;
      const kind = (entries.kind as unknown as { literal: string }).literal;
      return { option, of: samples.filter((sample) => (sample as { kind: string }).kind === kind) };
    });
    return kinds.flatMap(({ option, of }) => (of.length === 0 ? [] : walk(option, of, path, is)));
  }
  if (part.entries !== undefined)
    return Object.entries(part.entries).flatMap(([key, of]) => {
      const said = samples.flatMap((sample) => (sample as Record<string, unknown>)[key] ?? []);
      const values = Array.isArray((samples[0] as Record<string, unknown>)[key]) ? [(samples[0] as Record<string, unknown>)[key]] : said;
      return values.length === 0 ? [`${path}.${key}`] : walk(of, values, `${path}.${key}`, is);
    });
  for (const sample of samples) is(path, sample);
  return [];
};

describe('the words for a release', () => {
  const text = inspectionText(found(FULL));

  test('say every key of the schema, down to the last', () => {
    let leaves = 0;
    const unsaid: string[] = [];
    const lacking = walk(manifestSchema as unknown as Shape, [FULL], '', (path, value) => {
      leaves++;
      const said = SAID[path] ?? (value instanceof Uint8Array ? hex(value) : String(value));
      if (!text.includes(said)) unsaid.push(`${path} ${said}`);
    });
    expect(unsaid).toEqual([]);
    // A program is no image: that has a test of its own.
    expect(lacking).toEqual(['.image']);
    expect(leaves).toBeGreaterThan(70);
    expect(unseal(testCrypto, manifestNoun, seal(manifestNoun, FULL, keyOf('release key'))).value).toEqual(FULL);
    for (const kind of ['http', 'tcp', 'exec', 'file', 'value', 'reading']) expect(text).toContain(`by ${kind}`);
  });

  test('say of an image whose system it is', () => {
    expect(inspectionText(found({ ...FULL, image: { board: 'generic-amd64' } }))).toContain('system of boards generic-amd64');
    expect(inspectionText(found({ ...FULL, image: { board: 'pi-4b', part: 'runtime' } }))).toContain('runtime of boards pi-4b');
  });

  test('hold nothing that a terminal obeys, and no line that is not ours, whatever a publisher wrote', () => {
    const evil = '\u001b[2J\u009b8m\u202e\u061c\nit is whole\t';
    const files = [
      { path: evil, kind: 'file' as const, bytes: 1, executable: false, is: 'ab' },
      { path: 'link', kind: 'link' as const, bytes: 0, executable: false, is: evil },
    ];
    const manifest = { ...FULL, label: evil, args: ['/bin/program', evil], env: { [evil]: evil }, parameters: { a: evil } };
    const promises = [{ name: 'one', probe: { kind: 'http' as const, port: 1, path: evil }, ...every }];
    const sbom = { is: 'signed' as const, packages: [evil] };
    const shown = inspectionText(found({ ...manifest, promises, parameterSchema: evil }, { files, wrong: [evil], sbom }));
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u202e]/);
    expect(shown.split('\n').filter((line) => line.startsWith('it is whole'))).toEqual(['it is whole']);
    expect(shown).toContain('\\x1b[2J');
  });
});
