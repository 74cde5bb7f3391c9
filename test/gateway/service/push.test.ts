/** What tenants, owners and publishers may not push, and that nothing of it is kept. */

import { describe, expect, test } from 'vitest';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { TenantId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { Entry } from '../../../runtime/protocol/nouns/release.ts';
import { bindingNoun, type Request, requestNoun, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { mayBePacked } from '../../../runtime/protocol/packing.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import {
  binding,
  hashOf,
  idOf,
  lease,
  request,
  secondOperator,
  signedBinding,
  signedLease,
  signedManifest,
  signedPublisher,
  signedRequest,
  signedVoucher,
  voucher,
} from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import {
  nextPublisher,
  publisherDoc,
  signedPublisher as publisherOf,
  type SmallRelease,
  smallRelease,
} from '../../support/small-release.ts';

/** A gateway that knows a tenant, a publisher and a paired board. */
const fresh = (): Node => {
  const node = new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant');
  new PaperBoard('board 1').pair(node);
  return node.accept(signedPublisher().body);
};

const refused = (node: Node, document: Uint8Array, code: string): void => {
  const before = node.disk.dump();
  expect(node.push(document)).toMatchObject({ ok: false, code, missing: [] });
  expect(node.disk.dump()).toEqual(before);
};

describe('what one tenant adds', () => {
  const version = (n: number): Uint8Array => signedVoucher({ serial: n + 1 }).body;

  test('is limited by the hour, another one is not, and what was taken is answered as before', () => {
    const world = new GatewayWorld(['gateway a']);
    const node = world.node(0).admit('tenant', 'tenant').admit('tenant', 'neighbour');
    for (let n = 0; n < LIMITS.entriesPerTenantHour; n++) expect(node.push(version(n)).ok).toBe(true);
    const { length } = node.log();
    const one = version(LIMITS.entriesPerTenantHour);
    expect(node.push(one)).toMatchObject({ ok: false, code: 'too-many', next: expect.stringMatching(/^Push on in \d+ min/) });
    expect(node.log()).toHaveLength(length);
    expect(node.push(version(0))).toMatchObject({ ok: true });
    expect(node.push(one, 'neighbour')).toMatchObject({ ok: true });
    world.pass(3_600_000);
    expect(node.push(version(LIMITS.entriesPerTenantHour + 1))).toMatchObject({ ok: true });
  });
});

describe('content', () => {
  test('that no release names is not stored', () => {
    refused(fresh(), utf8('free storage'), 'not-found');
  });

  test('of a release is taken piece by piece, pages first, and only once', () => {
    const node = fresh();
    const release = smallRelease();
    const piece = (key: string): Uint8Array => release.content.get(key)!;
    const pages = release.manifest.pages.map(hex);
    refused(node, piece(pages[0]!), 'not-found');
    expect(node.push(release.document).missing.map(hex).sort()).toEqual([...pages].sort());
    refused(node, piece(release.chunks[0]!), 'not-found');
    const named = pages.flatMap((page) => node.push(piece(page)).missing.map(hex));
    expect(named.sort()).toEqual([...release.chunks].sort());
    for (const key of release.chunks) expect(node.push(piece(key))).toMatchObject({ ok: true, missing: [] });
    expect(node.json('releases')).toMatchObject([{ release: hex(release.release), missing: 0 }]);
    const before = node.disk.dump();
    expect(node.push(piece(release.chunks[0]!))).toMatchObject({ ok: true });
    expect(node.disk.dump()).toEqual(before);
  });

  test('may come packed, is handed on as it came, and is no less checked', () => {
    const node = fresh();
    const release = smallRelease();
    const sent = [...release.content.values()].map(packZstd);
    expect(sent.filter((bytes) => mayBePacked(bytes)).length).toBeGreaterThan(2);
    node.accept(release.document, ...sent);
    expect(node.json('releases')).toMatchObject([{ missing: 0, refused: '' }]);
    expect(node.push(release.content.get(release.chunks[0]!)!)).toMatchObject({ ok: true, missing: [] });
    const held = Object.values(node.disk.dump());
    for (const bytes of sent) expect(held).toContain(hex(bytes));
    for (const key of release.chunks.slice(0, 2)) expect(held).not.toContain(hex(release.content.get(key)!));
    refused(node, packZstd(new Uint8Array(5000)), 'not-found');
    refused(node, packZstd(new Uint8Array(100_000)), 'not-found');
  });

  test('that is packed and of another length than its page says refuses its release', () => {
    const [long, short] = [new Uint8Array(6000).fill(35), new Uint8Array(77).fill(1)];
    const entry = (path: string, bytes: Uint8Array, says: number): Entry => ({
      ...{ kind: 'file', path, executable: true, hash: testCrypto.sha256(bytes), bytes: says },
      chunks: [[testCrypto.sha256(bytes), says]],
    });
    const node = fresh();
    const release = smallRelease({ args: ['/a'] }, { tree: [[entry('a', long, 5000), entry('b', short, 77)]] });
    node.accept(release.document, release.content.get(hex(release.manifest.pages[0]!))!);
    refused(node, packZstd(long), 'bad-schema');
  });

  test('that is left out is named again when the manifest is pushed again', () => {
    const node = fresh();
    const release = smallRelease();
    node.accept(release.document, ...release.manifest.pages.map((page) => release.content.get(hex(page))!));
    expect(node.push(release.document).missing.map(hex).sort()).toEqual([...release.chunks].sort());
  });
});

describe('a request that names a release to fall back to', () => {
  const world = (): { node: Node; one: SmallRelease; two: SmallRelease } => {
    const node = fresh().accept(signedVoucher().body);
    const [one, two] = [smallRelease(), smallRelease({ sequence: 2, parameters: { ...smallRelease().manifest.parameters, more: '' } })];
    for (const { document, content } of [one, two]) node.accept(document, ...content.values());
    return { node, one, two };
  };
  const asking = (changes: Partial<Request>): Uint8Array => seal(requestNoun, request({ parameters: {}, ...changes }), keyOf('tenant'));

  test('is refused when nobody knows that, or it is the same or of another publisher [instances-14]', () => {
    const { node, two } = world();
    const to = (release: Uint8Array) => ({ release: two.release, fallback: { release, bakeMs: 1 } });
    refused(node, asking(to(new Uint8Array(32))), 'not-found');
    refused(node, asking(to(two.release)), 'bad-schema');
  });

  test('is taken with parameters that only the newer one knows, and not with what the older one refuses', () => {
    const typed = '{"type":"object","properties":{"greeting":{"type":"string","maxLength":4}}}';
    const { node, one, two } = world();
    const strict = smallRelease({ sequence: 3, parameterSchema: typed, parameters: { greeting: 'moin' } });
    node.accept(strict.document, ...strict.content.values());
    const fallback = (release: Uint8Array) => ({ release, bakeMs: 1000 });
    refused(
      node,
      asking({ release: two.release, parameters: { greeting: 'good day' }, fallback: fallback(strict.release) }),
      'bad-parameter',
    );
    const good = asking({ release: two.release, parameters: { more: 'x' }, fallback: fallback(one.release) });
    expect(node.push(good)).toMatchObject({ ok: true });
    expect(node.json('requests')).toMatchObject([{ fallback: { release: hex(one.release), bakeMs: 1000 } }]);
  });
});

describe('a release', () => {
  test('of a publisher that is not known is refused', () => {
    refused(new GatewayWorld(['gateway a']).node(0), signedManifest().body, 'unknown-key');
  });

  test('signed by a key that its publisher does not list is refused', () => {
    refused(fresh(), signedManifest('stranger').body, 'wrong-publisher');
  });

  test('signed by a key that its publisher has revoked is refused', () => {
    const node = fresh();
    node.accept(publisherOf(nextPublisher(publisherDoc(), { revoked: [keyOf('release key').publicKey] })));
    refused(node, signedManifest().body, 'revoked-key');
  });

  test('older than one that is known is refused', () => {
    const node = fresh().accept(smallRelease({ sequence: 5 }).document);
    for (const sequence of [4, 5]) refused(node, smallRelease({ sequence, label: 'another' }).document, 'stale');
    expect(node.push(smallRelease({ sequence: 6 }).document).ok).toBe(true);
    expect(node.push(smallRelease({ sequence: 5 }).document).ok).toBe(true);
  });
});

describe('a request', () => {
  const ready = (): Node => fresh().accept(signedManifest().body, signedVoucher().body);

  test('of a tenant that was not admitted is refused', () => {
    const stranger = request({ tenant: idOf<TenantId>('stranger') });
    refused(ready(), seal(requestNoun, stranger, keyOf('stranger')), 'unknown-key');
  });

  test('that another than its tenant signed is refused', () => {
    refused(ready(), signedRequest({}, 'stranger').body, 'wrong-signer');
  });

  test('older than the one that is known, or another of the same number, is refused; the same one again is not', () => {
    const node = ready().accept(signedRequest({ sequence: 3 }).body);
    refused(node, signedRequest({ sequence: 2 }).body, 'stale');
    refused(node, signedRequest({ sequence: 3, replicas: 2 }).body, 'stale');
    const before = node.disk.dump();
    expect(node.push(signedRequest({ sequence: 3 }).body).ok).toBe(true);
    expect(node.disk.dump()).toEqual(before);
  });

  test.each<[string, Partial<Request>, string]>([
    ['for a release that is not known', { release: new Uint8Array(32) }, 'not-found'],
    ['with a parameter that the release does not declare', { parameters: { speed: 'fast' } }, 'bad-parameter'],
    ['with a voucher that is not known', { voucher: new Uint8Array(32) }, 'not-found'],
    ['in another currency than its voucher', { currency: 'USD' }, 'wrong-signer'],
  ])('%s is refused', (_what, changes, code) => refused(ready(), signedRequest(changes).body, code));

  test('that must never overlap is taken, and stays one of its kind', () => {
    const node = ready().accept(signedRequest({ onIsolation: 'stop' }).body);
    refused(node, signedRequest({ sequence: 2 }).body, 'not-offered');
    node.accept(signedRequest({ sequence: 2, onIsolation: 'stop', replicas: 2 }).body);
  });

  test('with the voucher of another tenant is refused', () => {
    const node = ready().admit('tenant', 'tenant 2');
    const foreign = voucher({ tenant: idOf<TenantId>('tenant 2') });
    node.accept(seal(voucherNoun, foreign, keyOf('tenant 2')));
    refused(node, signedRequest({ voucher: hashOf(voucherNoun, foreign) }).body, 'wrong-signer');
  });
});

describe('a binding', () => {
  test('for a board that is not paired is refused', () => refused(fresh(), signedBinding('board 2').body, 'not-paired'));

  test('by another than the owner for whom the board was paired is refused', () => {
    refused(fresh(), seal(bindingNoun, binding('board 1'), keyOf('stranger')), 'wrong-signer');
    refused(fresh(), seal(bindingNoun, binding('board 1', { owner: idOf('stranger') }), keyOf('stranger')), 'wrong-signer');
  });

  test('older than the one that is known is refused', () => {
    const node = fresh().accept(signedBinding('board 1', { version: 2 }).body);
    refused(node, signedBinding('board 1', { version: 1 }).body, 'stale');
  });
});

describe('what is for others to say', () => {
  test('cannot be pushed', () => {
    const node = fresh();
    refused(node, signedLease(lease({ on: 'board 1' })).body, 'wrong-signer');
    refused(node, new PaperBoard('board 1').homeDocument(1, node.id), 'wrong-signer');
  });

  test('is refused when it is cut short, or is a document of nothing', () => {
    const document = signedVoucher().body;
    refused(fresh(), document.subarray(0, 40), 'bad-cbor');
    refused(fresh(), utf8('\u00d2'), 'not-found');
  });
});

describe("an operator's document", () => {
  test('that its roots did not sign, or that does not follow, is refused', () => {
    const node = fresh();
    const good = secondOperator({ name: 'later' });
    refused(node, secondOperator({ version: 3 }).body, 'conflict');
    refused(node, good.body.with(300, good.body[300]! ^ 1), 'bad-signature');
    expect(node.push(good.body).ok).toBe(true);
    refused(node, secondOperator({ name: 'another second' }).body, 'stale');
  });
});
