/** Every number that bounds a manifest, or a page of it, from both sides: so much passes, and one more does not. */
import { describe, expect, test } from 'vitest';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { payloadOf, seal, unseal } from '../../../runtime/protocol/noun.ts';
import { entry, type Manifest, manifestNoun, manifestSchema } from '../../../runtime/protocol/nouns/release.ts';
import { checkPath } from '../../../runtime/protocol/path.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { checkManifest } from '../../../runtime/protocol/soundness.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { smallRelease } from '../../support/small-release.ts';

type Changes = Partial<Manifest>;

const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const { manifest: plain } = smallRelease();
const hook = (changes: object) => ({ data: { onUpdate: 'snapshot' as const, after: { args: ['/bin/main'], withinMs: 1, ...changes } } });
const limits = (changes: Partial<Manifest['limits']>): Changes => ({ limits: { ...plain.limits, ...changes } });
const network = (changes: Partial<NonNullable<Manifest['network']>>): Changes => ({
  network: { outbound: [], dns: false, links: [], publish: [], ...changes },
});
const ports = (count: number) => times(count, (at) => ({ name: `n${at}`, port: at + 1, protocol: 'tcp' as const }));
const promises = (count: number, changes: object = {}): Changes => ({
  promises: times(count, (at) => ({ ...plain.promises[0]!, name: `p${at}`, ...changes })),
});
const texts = (count: number): Record<string, string> => Object.fromEntries(times(count, (at) => [`p${at}`, '']));
const anything = (count: number): Record<string, object> => Object.fromEntries(times(count, (at) => [`s${at}`, {}]));
const shares = (changes: object): Changes => ({ reload: 'SIGHUP', shares: { most: 1, parameters: {}, ...changes } });
const bare = { args: ['/bin/main'] };
/** As JSON, of exactly so many bytes. */
const schema = (bytes: number): string => {
  const text = '{"type":"object","description":""}';
  return text.replace('""}', `"${'x'.repeat(bytes - text.length)}"}`);
};

/** The number, what has it, and what is said of more. */
const MOST: [string, number, (n: number) => Changes, RegExp][] = [
  ['label', LIMITS.textBytes, (n) => ({ label: 'x'.repeat(n) }), /^bad-schema: manifest.label/],
  ['pages', LIMITS.pages, (n) => ({ pages: times(n, () => new Uint8Array(32)) }), /^bad-schema: manifest.pages/],
  ['entries', LIMITS.entries, (n) => ({ entries: n }), /^bad-schema: manifest.entries/],
  ['bytes', LIMITS.releaseBytes, (n) => ({ bytes: n }), /^bad-schema: manifest.bytes/],
  ['args', 64, (n) => ({ args: ['/bin/main', ...times(n - 1, () => 'x')] }), /^bad-schema: manifest.args/],
  ['one of args', LIMITS.textBytes, (n) => ({ args: ['/bin/main', 'x'.repeat(n)] }), /^bad-schema: manifest.args.1/],
  ['one of env', LIMITS.textBytes, (n) => ({ env: { A: 'x'.repeat(n) } }), /^bad-schema: manifest.env.A/],
  ['parameters', LIMITS.parameters, (n) => ({ ...bare, parameters: texts(n) }), /^bad-schema: manifest.parameters/],
  [
    'parameters and what their schema adds',
    LIMITS.parameters,
    (n) => ({ ...bare, parameters: { a: '' }, parameterSchema: JSON.stringify({ type: 'object', properties: anything(n - 1) }) }),
    /^bad-release: at most 32 parameters/,
  ],
  ['parameterSchema', LIMITS.schemaBytes, (n) => ({ parameterSchema: schema(n) }), /^bad-schema: manifest.parameterSchema/],
  ['connectionSchema', LIMITS.schemaBytes, (n) => ({ connectionSchema: schema(n) }), /^bad-schema: manifest.connectionSchema/],
  ['shares.most', LIMITS.shares, (n) => shares({ most: n }), /^bad-schema: manifest.shares.most/],
  ['shares.parameters', LIMITS.parameters, (n) => shares({ parameters: texts(n) }), /^bad-schema: manifest.shares.parameters/],
  ['shares.parameterSchema', LIMITS.schemaBytes, (n) => shares({ parameterSchema: schema(n) }), /^bad-schema: manifest.shares/],
  ['shares.connectionSchema', LIMITS.schemaBytes, (n) => shares({ connectionSchema: schema(n) }), /^bad-schema: manifest.shares/],
  ['stop.graceMs', LIMITS.stopGraceMs, (n) => ({ stop: { signal: 'SIGTERM', graceMs: n } }), /^bad-schema: manifest.stop.graceMs/],
  ['withinMs', LIMITS.hookMs, (n) => hook({ withinMs: n }), /^bad-schema: manifest.data.after.withinMs/],
  ['args of a hook', 64, (n) => hook({ args: ['/bin/main', ...times(n - 1, () => 'x')] }), /^bad-schema: manifest.data.after.args/],
  ['holdMs', LIMITS.holdMs, (n) => ({ holdMs: n }), /^bad-schema: manifest.holdMs/],
  ['memoryMib', LIMITS.memoryMib, (n) => limits({ memoryMib: n }), /^bad-release: limits.memoryMib/],
  ['cpuMillis', LIMITS.cpuMillis, (n) => limits({ cpuMillis: n }), /^bad-release: limits.cpuMillis/],
  ['pids', LIMITS.pids, (n) => limits({ pids: n }), /^bad-release: limits.pids/],
  ['tmpMib', plain.limits.memoryMib, (n) => limits({ tmpMib: n }), /^bad-release: limits.tmpMib/],
  ['logKib', LIMITS.logMaxKib, (n) => limits({ logKib: n }), /^bad-schema: manifest.limits.logKib/],
  ['dataMib', LIMITS.dataMaxMib, (n) => limits({ dataMib: n }), /^bad-schema: manifest.limits.dataMib/],
  ['dataInodes', LIMITS.dataInodes, (n) => limits({ dataInodes: n }), /^bad-schema: manifest.limits.dataInodes/],
  ['openFiles', LIMITS.openFiles, (n) => limits({ openFiles: n }), /^bad-schema: manifest.limits.openFiles/],
  ['readKibPerS', LIMITS.ioKibPerS, (n) => limits({ readKibPerS: n }), /^bad-schema: manifest.limits.readKibPerS/],
  ['writeKibPerS', LIMITS.ioKibPerS, (n) => limits({ writeKibPerS: n }), /^bad-schema: manifest.limits.writeKibPerS/],
  ['ioOpsPerS', LIMITS.ioOpsPerS, (n) => limits({ ioOpsPerS: n }), /^bad-schema: manifest.limits.ioOpsPerS/],
  ['promises', LIMITS.promises, promises, /^bad-schema: manifest.promises/],
  ['timeoutMs', LIMITS.probeTimeoutMs, (n) => promises(1, { timeoutMs: n }), /^bad-release: promise p0: timeoutMs/],
  ['intervalMs', LIMITS.probeIntervalMs, (n) => promises(1, { intervalMs: n }), /^bad-release: promise p0: intervalMs/],
  ['graceMs', LIMITS.probeGraceMs, (n) => promises(1, { graceMs: n }), /^bad-release: promise p0: graceMs/],
  ['port', 65_535, (n) => promises(1, { probe: { kind: 'tcp', port: n } }), /^bad-schema: manifest.promises.0.probe.port/],
  [
    'outbound',
    LIMITS.outboundRules,
    (n) => network({ outbound: times(n, (at) => ({ to: 'internet', port: at + 1, protocol: 'tcp' })) }),
    /^bad-schema: manifest.network.outbound/,
  ],
  ['links', LIMITS.links, (n) => network({ links: ports(n) }), /^bad-schema: manifest.network.links/],
  ['publish', LIMITS.published, (n) => network({ publish: ports(n) }), /^bad-schema: manifest.network.publish/],
  ['devices', LIMITS.devices, (n) => ({ devices: times(n, (at) => `usb:0000:000${at}`) }), /^bad-schema: manifest.devices/],
];

/** And those below which nothing would get anywhere. */
const LEAST: [string, number, (n: number) => Changes, RegExp][] = [
  ['sequence', 1, (n) => ({ sequence: n }), /^bad-schema: manifest.sequence/],
  ['args', 1, (n) => ({ args: times(n, () => '/bin/main') }), /^bad-schema: manifest.args/],
  ['memoryMib', 1, (n) => limits({ memoryMib: n, tmpMib: 1 }), /^bad-schema: manifest.limits.memoryMib/],
  ['cpuMillis', 1, (n) => limits({ cpuMillis: n }), /^bad-schema: manifest.limits.cpuMillis/],
  ['pids', 1, (n) => limits({ pids: n }), /^bad-schema: manifest.limits.pids/],
  ['tmpMib', 1, (n) => limits({ tmpMib: n }), /^bad-release: limits.tmpMib/],
  ['logKib', 16, (n) => limits({ logKib: n }), /^bad-schema: manifest.limits.logKib/],
  ['dataMib', 1, (n) => limits({ dataMib: n }), /^bad-schema: manifest.limits.dataMib/],
  ['dataInodes', 16, (n) => limits({ dataInodes: n }), /^bad-schema: manifest.limits.dataInodes/],
  ['openFiles', 16, (n) => limits({ openFiles: n }), /^bad-schema: manifest.limits.openFiles/],
  ['readKibPerS', LIMITS.ioMinPerS, (n) => limits({ readKibPerS: n }), /^bad-schema: manifest.limits.readKibPerS/],
  ['writeKibPerS', LIMITS.ioMinPerS, (n) => limits({ writeKibPerS: n }), /^bad-schema: manifest.limits.writeKibPerS/],
  ['ioOpsPerS', LIMITS.ioMinPerS, (n) => limits({ ioOpsPerS: n }), /^bad-schema: manifest.limits.ioOpsPerS/],
  ['intervalMs', 100, (n) => promises(1, { intervalMs: n }), /^bad-schema: manifest.promises.0.intervalMs/],
  ['timeoutMs', 1, (n) => promises(1, { timeoutMs: n }), /^bad-schema: manifest.promises.0.timeoutMs/],
  ['shares.most', 1, (n) => shares({ most: n }), /^bad-schema: manifest.shares.most/],
];

/** What is said of it; nothing when it passes. */
const saidOf = (check: () => unknown): string => {
  try {
    check();
    return '';
  } catch (thrown) {
    if (thrown instanceof LichenError) return thrown.message;
    throw thrown;
  }
};
const judged = (changes: Changes): string => saidOf(() => checkManifest(parse(manifestSchema, smallRelease(changes).manifest, 'manifest')));

describe('a manifest', () => {
  test.each(MOST)('has at most so much: %s, %i', (_what, most, make, why) => {
    expect(judged(make(most))).toBe('');
    expect(saidOf(() => checkManifest(parse(manifestSchema, { ...plain, ...make(most + 1) }, 'manifest')))).toMatch(why);
  });

  test.each(LEAST)('has at least so much: %s, %i', (_what, least, make, why) => {
    expect(judged(make(least))).toBe('');
    expect(saidOf(() => checkManifest(parse(manifestSchema, { ...plain, ...make(least - 1) }, 'manifest')))).toMatch(why);
  });

  test('has no number without a row here', () => {
    const named = new Set([...MOST, ...LEAST].map(([what]) => what.split('.')[0]));
    const numbers = Object.keys(manifestSchema.entries.limits.entries);
    expect(numbers.filter((name) => !named.has(name))).toEqual([]);
  });

  test('is of at most so many bytes, signature and all', () => {
    const signer = keyOf('release key');
    const of = (bytes: number): Manifest => ({
      ...plain,
      env: Object.fromEntries(times(81, (at) => [`E${at}`, 'x'.repeat(at === 0 ? bytes : 800)])),
    });
    const spare = LIMITS.manifestBytes - seal(manifestNoun, of(300), signer).length;
    expect(spare).toBeLessThan(LIMITS.textBytes - 300);
    const full = seal(manifestNoun, of(300 + spare), signer);
    expect(full).toHaveLength(LIMITS.manifestBytes);
    expect(unseal(testCrypto, manifestNoun, full).hash).toEqual(testCrypto.sha256(payloadOf(manifestNoun, of(300 + spare))));
    expect(saidOf(() => seal(manifestNoun, of(301 + spare), signer))).toMatch(/^too-large/);
    const over = seal({ ...manifestNoun, maxBytes: LIMITS.manifestBytes + 1 }, of(301 + spare), signer);
    expect(saidOf(() => unseal(testCrypto, manifestNoun, over))).toMatch(/^too-large/);
  });
});

describe('an entry of a page', () => {
  const hash = new Uint8Array(32);
  const takes = (value: unknown): string => saidOf(() => parse(entry, value, 'entry'));
  const file = (path: string, length: number) => ({ kind: 'file', path, executable: false, bytes: length, hash, chunks: [[hash, length]] });

  test.each<[string, number, (n: number) => unknown, RegExp]>([
    ['path', LIMITS.pathBytes, (n) => file('x'.repeat(n), 1), /^bad-schema: entry.path/],
    ['target of a link', LIMITS.pathBytes, (n) => ({ kind: 'link', path: 'a', target: 'x'.repeat(n) }), /^bad-schema: entry.target/],
    ['chunk', LIMITS.chunkMaxBytes, (n) => file('a', n), /^bad-schema: entry.chunks.0.1/],
  ])('has at most so much: %s, %i', (_what, most, make, why) => {
    expect(takes(make(most))).toBe('');
    expect(takes(make(most + 1))).toMatch(why);
  });

  test('has at least one byte of path and of a chunk, and at most so many segments', () => {
    expect(takes(file('', 1))).toMatch(/^bad-schema: entry.path/);
    expect(takes(file('a', 0))).toMatch(/^bad-schema: entry.chunks.0.1/);
    expect(saidOf(() => checkPath(times(LIMITS.pathSegments, () => 'a').join('/')))).toBe('');
    expect(saidOf(() => checkPath(times(LIMITS.pathSegments + 1, () => 'a').join('/')))).toMatch(/^bad-path/);
  });
});
