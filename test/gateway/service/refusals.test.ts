/** What could not run anywhere is refused at the gateway, with the reason; what a peer let pass is not acted upon. */
import { describe, expect, test } from 'vitest';
import { objectionTo } from '../../../gateway/core/apply-demand.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { decode, encode } from '../../../runtime/protocol/cbor.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { sign1 } from '../../../runtime/protocol/cose.ts';
import { encodeAs, payloadOf } from '../../../runtime/protocol/noun.ts';
import { type Entry, type Manifest, manifestNoun, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { request, signedPublisher, signedRequest, signedVoucher } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const fresh = (): Node =>
  new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant').accept(signedPublisher().body, signedVoucher().body);

const refused = (node: Node, document: Uint8Array, code: string, words: string): void => {
  const before = node.disk.dump();
  const { ok, code: said, why } = node.push(document);
  expect({ ok, said }).toEqual({ ok: false, said: code });
  expect(why).toContain(words);
  expect(node.disk.dump()).toEqual(before);
};

const limits = { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8 };
const promise = { name: 'p', probe: { kind: 'tcp' as const, port: 1 }, intervalMs: 1000, timeoutMs: 500, graceMs: 0 };

describe('a release [instances-1]', () => {
  test.each<[string, Partial<Manifest>, string]>([
    ['with impossible limits', { limits: { ...limits, memoryMib: 10 ** 9 } }, 'limits.memoryMib'],
    ['with a promise that never returns', { promises: [{ ...promise, timeoutMs: 10 ** 9 }] }, 'timeoutMs'],
    [
      'with a schema that takes for ever',
      { parameterSchema: '{"type":"object","properties":{"greeting":{"pattern":"(a+)+$"}}}' },
      'pattern is not taken',
    ],
    ['whose program is nowhere in particular', { args: ['main'] }, 'not an absolute path'],
  ])('%s is refused', (_what, changes, words) => refused(fresh(), smallRelease(changes).document, 'bad-release', words));

  test('with a grant that nobody knows is refused', () => {
    const { manifest } = smallRelease();
    const payload = encode({ ...(decode(payloadOf(manifestNoun, manifest)) as Record<string, Value>), powers: ['reboot'] });
    refused(fresh(), sign1('lichen.manifest+cbor', payload, keyOf('release key')), 'bad-schema', 'powers');
  });
});

/** A release of one program that begins with these bytes. */
const of = (head: Uint8Array, { executable = true, changes = {} as Partial<Manifest> } = {}): SmallRelease => {
  const bytes = new Uint8Array(64);
  bytes.set(head);
  const hash = testCrypto.sha256(bytes);
  const file: Entry = { kind: 'file', path: 'main', executable, bytes: bytes.length, hash, chunks: [[hash, bytes.length]] };
  const release = smallRelease({ args: ['/main'], ...changes }, { tree: [[file]] });
  release.content.set(hex(hash), bytes);
  return { ...release, chunks: [hex(hash)] };
};
const ELF = [0x7f, 0x45, 0x4c, 0x46, 2, ...new Array<number>(13).fill(0)];
const elf = (machine: number): Uint8Array => new Uint8Array([...ELF, machine, 0]);

describe("a release's content", () => {
  const page = (release: SmallRelease): Uint8Array => release.content.get(hex(release.manifest.pages[0]!))!;
  const chunk = (release: SmallRelease): Uint8Array => release.content.get(release.chunks[0]!)!;

  test('whose program is not executable, or not there, is refused with the page that shows it', () => {
    for (const [release, words] of [
      [of(utf8('#!'), { executable: false }), 'is not executable'],
      [of(utf8('#!'), { changes: { args: ['/other'] } }), 'the release has no /other'],
    ] as const) {
      const node = fresh().accept(release.document);
      refused(node, page(release), 'bad-release', words);
    }
  });

  test.each([
    ['for another processor', elf(183), 'is built for arm64'],
    ['for no processor that a board has', elf(8), 'no board has'],
    ['that is none', utf8('hello'), 'neither a script'],
  ])('with a program %s is refused with the piece that shows it, and never placed', (_what, head, words) => {
    const release = of(head, { changes: { arch: 'x64' } });
    const node = fresh().accept(release.document, page(release));
    refused(node, chunk(release), 'bad-release', words);
    expect(node.json('releases')).toMatchObject([{ missing: 1 }]);
  });

  test('with a program for the processor that it says is taken', () => {
    const release = of(elf(183), { changes: { arch: 'arm64' } });
    fresh().accept(release.document, page(release), chunk(release));
  });

  test('that was here already is looked at all the same', () => {
    const good = of(elf(62), { changes: { arch: 'x64' } });
    const node = fresh().accept(good.document, page(good), chunk(good));
    const bad = of(elf(62), { changes: { arch: 'arm64', recipe: 'other' } });
    refused(node, bad.document, 'bad-release', 'is built for x64, and is to run on arm64');
  });
});

describe('a request', () => {
  const schema = { parameterSchema: '{"type":"object","properties":{"port":{"type":"integer","maximum":9000}},"required":["port"]}' };
  const release = smallRelease(schema);

  test('with a parameter outside of its schema is refused with the reason [instances-2]', () => {
    const node = fresh().accept(release.document);
    const asks = (parameters: Record<string, string>) => signedRequest({ release: release.release, parameters }).body;
    refused(node, asks({ port: '9001' }), 'bad-parameter', 'port: ');
    refused(node, asks({ port: 'x' }), 'bad-parameter', 'parameter port (x) is no integer, such as 5');
    refused(node, asks({}), 'bad-parameter', 'port');
    expect(node.push(asks({ port: '9000' })).ok).toBe(true);
    expect(node.json('requests')).toMatchObject([{ refused: '' }]);
  });

  test('that a peer let pass is not acted upon, and says why', () => {
    const bad = request({ release: release.release, parameters: { port: '0.5' } });
    expect(objectionTo(bad, release.manifest)?.message).toMatch(/^bad-parameter: port/);
    expect(objectionTo({ ...bad, parameters: { port: '5' } }, release.manifest)).toBeNull();
    expect(objectionTo(bad, { ...release.manifest, limits: { ...limits, tmpMib: 0 } })?.code).toBe('bad-release');
  });
});

test('what an instance publishes, and why it is refused, is told by its home', () => {
  const { world, boards } = cast({ request: { replicas: 1 } });
  const [board] = boards as [PaperBoard];
  const [lease] = board.leases;
  const home = world.node(0);
  board.report(lease!, 'running', '{"url":"a:b"}');
  world.pass(500);
  expect(home.json('instances')).toMatchObject([{ report: { connection: '{"url":"a:b"}' } }]);
  board.report(lease!);
  world.pass(500);
  expect(home.json('instances')).toMatchObject([{ report: { connection: null } }]);
});

test('a page that lists what no manifest promised is still told apart', () => {
  const release = smallRelease({ args: ['/usr/bin/node'], engine: 'node' }, { tree: [[{ kind: 'dir', path: 'a' }]] });
  const node = fresh().accept(release.document);
  refused(node, encodeAs(pageSchema, { v: 1, entries: [] }, 'page'), 'not-found', 'no release');
});
