/** What a release may be, beyond what its schema on the wire says. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { Entry, Manifest, PromiseSpec } from '../../../runtime/protocol/nouns/release.ts';
import { checkConnection, givenTo } from '../../../runtime/protocol/parameters.ts';
import { checkProgramHead, follow, programsOf } from '../../../runtime/protocol/program.ts';
import { checkManifest } from '../../../runtime/protocol/soundness.ts';
import { smallRelease } from '../../support/small-release.ts';

const refusal = (act: () => unknown): string => {
  try {
    act();
    return '';
  } catch (thrown) {
    if (thrown instanceof LichenError) return thrown.message;
    throw thrown;
  }
};
const manifest = (changes: Partial<Manifest>): Manifest => smallRelease(changes).manifest;
const said = (changes: Partial<Manifest>): string => refusal(() => checkManifest(manifest(changes)));
const limits = { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8 };
const hook = (...args: string[]) => ({ args: args.length === 0 ? ['/bin/main'] : args, withinMs: 1000 });
const promise = (changes: Partial<PromiseSpec>): Partial<Manifest> => ({
  promises: [
    {
      ...{ name: 'lives', probe: { kind: 'tcp', port: 1 }, intervalMs: 1000, timeoutMs: 500, graceMs: 0 },
      ...changes,
    },
  ],
});
const schemaFor = (properties: object, more: object = {}): Partial<Manifest> => ({
  parameterSchema: JSON.stringify({ type: 'object', properties, ...more }),
});

describe('a manifest', () => {
  test('that can run is taken', () => expect(said({})).toBe(''));

  test.each<[string, Partial<Manifest>, string]>([
    ['more memory than any board has', { limits: { ...limits, memoryMib: LIMITS.memoryMib + 1 } }, 'limits.memoryMib'],
    ['more cores than any board has', { limits: { ...limits, cpuMillis: LIMITS.cpuMillis + 1 } }, 'limits.cpuMillis'],
    ['more processes than a kernel has', { limits: { ...limits, pids: LIMITS.pids + 1 } }, 'limits.pids'],
    ['no /tmp, which a kernel takes for one without limit', { limits: { ...limits, tmpMib: 0 } }, 'limits.tmpMib'],
    ['a /tmp that is larger than its memory', { limits: { ...limits, tmpMib: 33 } }, 'does not fit into 32 MiB'],
    ['a promise that may never return', promise({ timeoutMs: LIMITS.probeTimeoutMs + 1 }), 'timeoutMs'],
    ['a promise that is never asked', promise({ intervalMs: LIMITS.probeIntervalMs + 1 }), 'intervalMs'],
    ['a promise that may be broken for ever', promise({ graceMs: LIMITS.probeGraceMs + 1 }), 'graceMs'],
    ['a promise about a program that is nowhere', promise({ probe: { kind: 'exec', args: ['check'] } }), 'not an absolute path'],
    ['a promise about a file outside', promise({ probe: { kind: 'file', path: '/data/../x', maxAgeMs: 1 } }), '".."'],
    ['a promise about a file of the board', promise({ probe: { kind: 'file', path: '/proc/kmsg', maxAgeMs: 1 } }), '/proc/kmsg'],
    ['a promise that no number keeps', promise({ probe: { kind: 'value', path: '/data/x', min: '2', max: '1.5' } }), 'no number'],
    ['a program without a place', { args: ['main'] }, 'not an absolute path'],
    ['a placeholder that nobody fills', { args: ['/bin/main', '{{port}}'] }, '{{port}}'],
    ['a zero byte in an argument', { args: ['/bin/main', 'a\0b'] }, 'zero byte'],
    [
      'a hook without a snapshot [instances-30]',
      { data: { onUpdate: 'keep', before: hook() } },
      'data.before: only with "onUpdate: snapshot"',
    ],
    ['a hook without a place', { data: { onUpdate: 'snapshot', after: hook('migrate') } }, 'data.after.args: the program migrate'],
    ['a placeholder of a hook that nobody fills', { data: { onUpdate: 'snapshot', after: hook('/bin/main', '{{port}}') } }, '{{port}}'],
    ['a zero byte in a hook', { data: { onUpdate: 'snapshot', before: hook('/bin/main', 'a\0b') } }, 'zero byte'],
    ['a variable that is none', { env: { 'A=B': '' } }, 'env'],
    ['a variable that stands for a parameter', { env: { LICHEN_GREETING: '' } }, 'env'],
    ['a schema that is no JSON', { parameterSchema: '{' }, 'is not JSON'],
    ['a schema of something else than an object', { parameterSchema: '{"type":"string"}' }, '"type": "object"'],
    ['a regular expression', schemaFor({ greeting: { type: 'string', pattern: '^(a+)+$' } }), 'pattern is not taken'],
    ['a reference', schemaFor({ greeting: { $ref: 'https://example.com/' } }), '$ref is not taken'],
    ['alternatives', schemaFor({}, { anyOf: [{}] }), 'anyOf is not taken'],
    ['a schema whose keyword is not what it should be', schemaFor({ greeting: { maxLength: -1 } }), 'greeting.maxLength'],
    ['a default that its own schema refuses', schemaFor({ greeting: { type: 'string', maxLength: 2 } }), 'a default is not'],
    ['a parameter that cannot be named', schemaFor({ Greeting: {} }), 'not a name of a parameter'],
    ['a connection schema that is none', { connectionSchema: '[]' }, 'the schema of the connection'],
  ])('with %s is refused', (_what, changes, words) => {
    expect(said(changes)).toMatch(/^bad-(release|path): /);
    expect(said(changes)).toContain(words);
  });

  test('whose schema is too deep is refused, however deep', () => {
    const deep = (levels: number): object => (levels === 0 ? {} : { type: 'object', properties: { a: deep(levels - 1) } });
    expect(said(schemaFor({ greeting: deep(LIMITS.schemaDepth) }))).toContain('levels deep');
    expect(said({ parameterSchema: `${`{"items":`.repeat(800)}{}${'}'.repeat(800)}` })).toContain('bad-release');
  });
});

describe('parameters [instances-3]', () => {
  const typed = manifest({
    parameters: { port: '8080', loud: 'false', name: '12' },
    ...schemaFor(
      {
        port: { type: 'integer', minimum: 1, maximum: 65_535 },
        loud: { type: 'boolean' },
        name: { type: 'string', maxLength: 5 },
        topics: { type: 'array', items: { type: 'string', format: 'hostname' }, maxItems: 2 },
      },
      { required: ['topics'] },
    ),
  });

  test('are typed by their schema; a string is the text itself', () => {
    const { texts, typed: values } = givenTo(typed, { topics: '["a.b","c"]' });
    expect(values).toEqual({ port: 8080, loud: false, name: '12', topics: ['a.b', 'c'] });
    expect(texts).toEqual({ port: '8080', loud: 'false', name: '12', topics: '["a.b","c"]' });
  });

  test('without a schema are texts', () => {
    expect(givenTo(manifest({}), { greeting: '7' }).typed).toEqual({ greeting: '7', 'log-level': 'info' });
  });

  test.each<[string, Record<string, string>, string]>([
    ['one that is required is missing', {}, 'topics'],
    ['one is over its bound', { topics: '[]', port: '65536' }, 'port'],
    ['one is of another type', { topics: '[]', port: '"80"' }, 'port'],
    ['one is no JSON', { topics: '[]', loud: 'yes' }, 'parameter loud (yes) is no boolean, which is true or false'],
    ['one is too long', { topics: '[]', name: 'abcdef' }, 'name'],
    ['an item is not what it should be', { topics: '["a b"]' }, 'topics/0'],
    [
      'one was not declared',
      { topics: '[]', colour: 'red' },
      'parameter colour is not declared by the release; it has port, loud, name, topics',
    ],
  ])('are refused with the reason when %s', (_what, asked, words) => {
    const why = refusal(() => givenTo(typed, asked));
    expect(why).toMatch(/^bad-parameter: /);
    expect(why).toContain(words);
  });

  test('of no format take long, whatever their text [instances-4]', () => {
    for (const format of ['date-time', 'date', 'time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid']) {
      const of = manifest({ parameters: { x: '' }, args: ['/bin/main'], ...schemaFor({ x: { format } }) });
      for (const part of ['a', 'a.', 'a-', '1', '1:', ':', '"\\', '%41', 'a@', '/', 'P1', '0.']) {
        const began = performance.now();
        refusal(() => givenTo(of, { x: `${part.repeat(Math.floor(LIMITS.textBytes / part.length) - 1)}!` }));
        expect(performance.now() - began, `${format} ${part}`).toBeLessThan(500);
      }
    }
  });
});

describe('a connection', () => {
  const of = manifest({
    connectionSchema:
      '{"type":"object","properties":{"url":{"type":"string","format":"uri"}},"required":["url"],"additionalProperties":false}',
  });

  test('is told on as the schema takes it, without white space', () => {
    expect(checkConnection(of, '{ "url": "mqtt://[fd00::1]:1883" }\n')).toBe('{"url":"mqtt://[fd00::1]:1883"}');
  });

  test.each([
    ['no JSON', '{'],
    ['something else', '{"url":7}'],
    ['more than was declared', '{"url":"a:b","key":"x"}'],
    ['longer than is told', JSON.stringify({ url: `a:${'b'.repeat(LIMITS.connectionBytes)}` })],
  ])('that is %s is refused', (_what, text) => expect(refusal(() => checkConnection(of, text))).toMatch(/^bad-connection: /));

  test('that no schema declares is refused', () => expect(refusal(() => checkConnection(manifest({}), '{}'))).toMatch(/^bad-connection: /));
});

describe('a program', () => {
  const file = (path: string, executable = true): Entry => ({
    kind: 'file',
    path,
    executable,
    bytes: 0,
    hash: new Uint8Array(32),
    chunks: [],
  });
  const dir = (path: string): Entry => ({ kind: 'dir', path });
  const link = (path: string, target: string): Entry => ({ kind: 'link', path, target });
  const run = (args: string[], entries: Entry[], engine: Manifest['engine'] = 'none') => programsOf({ args, engine }, entries);

  test('is found through links, and not where they go round', () => {
    const entries = [
      dir('usr'),
      dir('usr/bin'),
      file('usr/bin/main'),
      link('bin', 'usr/bin'),
      link('sh', '/bin/main'),
      link('a', 'b'),
      link('b', 'a'),
    ];
    expect(run(['/sh'], entries).map(({ path }) => path)).toEqual(['usr/bin/main']);
    expect(follow(entries, 'a')).toBeNull();
  });

  test('that the board brings need not be in the release', () => {
    expect(run(['/usr/bin/node'], [], 'node')).toEqual([]);
    expect(refusal(() => run(['/usr/bin/node'], []))).toContain('the release has no /usr/bin/node');
  });

  test('of a hook is looked for as well', () => {
    const of = {
      args: ['/main'],
      engine: 'none' as const,
      data: { onUpdate: 'snapshot' as const, before: hook('/main'), after: hook('/other') },
    };
    expect(refusal(() => programsOf(of, [file('main')]))).toContain('the release has no /other');
    expect(programsOf(of, [file('main'), file('other')]).map(({ path }) => path)).toEqual(['main', 'other']);
  });

  test('that is not there, a directory or not executable is refused', () => {
    expect(refusal(() => run(['/main'], []))).toContain('the release has no /main');
    expect(refusal(() => run(['/main'], [dir('main')]))).toContain('is a directory');
    expect(refusal(() => run(['/main'], [file('main', false)]))).toContain('is not executable');
  });

  const elf = (machine: number, bits = 2): Uint8Array =>
    new Uint8Array([0x7f, 0x45, 0x4c, 0x46, bits, ...new Array<number>(13).fill(0), machine, 0]);

  test('is for the processor that is said, or a script', () => {
    expect(refusal(() => checkProgramHead('/main', elf(62), 'x64'))).toBe('');
    expect(refusal(() => checkProgramHead('/main', elf(183), 'arm64'))).toBe('');
    expect(refusal(() => checkProgramHead('/main', utf8('#!/bin/sh\n'), 'any'))).toBe('');
  });

  test.each([
    ['for another processor', elf(183), 'built for arm64'],
    ['for a processor that no board has', elf(40), 'no board has'],
    ['of 32 bits', elf(62, 1), 'no board has'],
    ['cut short', elf(62).slice(0, 10), 'no board has'],
    ['no program at all', utf8('hello'), 'neither a script'],
    ['empty', new Uint8Array(0), 'neither a script'],
  ])('that is %s is refused', (_what, head, words) => expect(refusal(() => checkProgramHead('/main', head, 'x64'))).toContain(words));
});
