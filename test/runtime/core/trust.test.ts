/** Every way in which the four signatures behind an instance can fail to agree. */
import { describe, expect, test } from 'vitest';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { checkVoucher, type Newest, newestOf, openLease, openManifest, openPublisher, openRequest } from '../../../runtime/core/trust.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, RequestId, TenantId } from '../../../runtime/protocol/ids.ts';
import { seal, sealMany, unseal } from '../../../runtime/protocol/noun.ts';
import { type Lease, leaseNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { type Manifest, manifestNoun } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestNoun, type Voucher, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { type PublisherDoc, publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, idOf, lease, operatorDoc, PUBLISHER, ROOTS, request, signedManifest, voucher } from '../../support/federation.ts';

const refusal = (code: string) => expect.objectContaining({ code });
const BOARD = idOf<BoardId>('board 1');
const listed = operatorDoc().gateways;

describe('a lease', () => {
  const open = (document: Bytes, board = BOARD, gateways = listed): Lease => openLease(nodeCrypto, board, gateways, document);
  const good = lease({ on: 'board 1' });

  test('signed by the listed gateway that it names, for this board, is believed', () => {
    expect(open(seal(leaseNoun, good, keyOf('gateway a')))).toEqual(good);
  });

  test('is refused when another gateway signed it, listed or not', () => {
    for (const name of ['gateway b', 'stranger', 'board 1'])
      expect(() => open(seal(leaseNoun, good, keyOf(name)))).toThrow(refusal('unassigned'));
  });

  test('is refused when no operator lists its guardian', () => {
    const foreign = lease({ on: 'board 1', guardianName: 'stranger' });
    expect(() => open(seal(leaseNoun, foreign, keyOf('stranger')))).toThrow(refusal('unassigned'));
    expect(() => open(seal(leaseNoun, good, keyOf('gateway a')), BOARD, listed.slice(1))).toThrow(refusal('unassigned'));
  });

  test('is refused when it is for another board', () => {
    expect(() => open(seal(leaseNoun, lease({ on: 'board 2' }), keyOf('gateway a')))).toThrow(refusal('unassigned'));
  });

  test('is refused when a bit of it is not what was signed', () => {
    const document = seal(leaseNoun, good, keyOf('gateway a'));
    for (const at of [100, document.length - 1]) expect(() => open(document.with(at, document[at]! ^ 1))).toThrow();
  });

  test('cannot be a request or anything else that the gateway signed', () => {
    expect(() => open(seal(requestNoun, request(), keyOf('gateway a')))).toThrow(refusal('bad-schema'));
  });
});

describe('a voucher', () => {
  const held = lease({ on: 'board 1' });
  const check = (of: Voucher, { by = 'tenant', leased = held } = {}): void =>
    checkVoucher(nodeCrypto, leased, seal(voucherNoun, of, keyOf(by)));
  /** A lease that names just this one. */
  const under = (of: Voucher, changes: Partial<Lease> = {}): Lease =>
    lease({ on: 'board 1', voucher: hashOf(voucherNoun, of), ...changes });

  test('of its tenant, over what the lease may cost, is taken, also for what is not payable', () => {
    expect(() => check(voucher())).not.toThrow();
    expect(() => check(voucher(), { leased: lease({ on: 'board 1', currency: 'XTS' }) })).not.toThrow();
  });

  test('is refused when it is not the one that the lease names', () => {
    expect(() => check(voucher({ serial: 2 }))).toThrow(refusal('unrequested'));
  });

  test("is refused when its tenant did not sign it, or when it is another tenant's", () => {
    expect(() => check(voucher(), { by: 'gateway a' })).toThrow(refusal('unrequested'));
    const theirs = voucher({ tenant: idOf<TenantId>('stranger') });
    expect(() => check(theirs, { by: 'stranger', leased: under(theirs) })).toThrow(refusal('unrequested'));
  });

  test.each<[string, Partial<Voucher>]>([
    ['another request', { name: 'other' }],
    ['another currency', { currency: 'USD' }],
    ['less than the lease may cost', { capMicro: held.capMicro - 1n }],
    ['a time that was over', { notAfterMs: held.openedMs - 1 }],
  ])('is refused when it is for %s', (_what, changes) => {
    const of = voucher(changes);
    expect(() => check(of, { leased: under(of) })).toThrow(refusal('unrequested'));
  });
});

describe('a request', () => {
  const held = lease({ on: 'board 1' });
  const open = (of: Request, { by = 'tenant', leased = held, hash = hashOf(requestNoun, of) } = {}): Request =>
    openRequest(nodeCrypto, leased, hash, seal(requestNoun, of, keyOf(by)));

  test('signed by its tenant for the leased release is obeyed', () => {
    expect(open(request())).toEqual(request());
    expect(open(request({ state: 'stopped' })).state).toBe('stopped');
  });

  test('is refused when it is not the one that was assigned', () => {
    expect(() => open(request(), { hash: hashOf(requestNoun, request({ sequence: 2 })) })).toThrow(refusal('unrequested'));
  });

  test('is refused when another than its tenant signed it', () => {
    for (const by of ['gateway a', 'owner', 'stranger']) expect(() => open(request(), { by })).toThrow(refusal('unrequested'));
  });

  test("is refused when it is another tenant's, rightly signed", () => {
    expect(() => open(request({ tenant: idOf<TenantId>('stranger') }), { by: 'stranger' })).toThrow(refusal('unrequested'));
  });

  test('is refused when the lease is for another request of the same tenant', () => {
    expect(() => open(request({ name: 'other' }))).toThrow(refusal('unrequested'));
    expect(() => open(request(), { leased: { ...held, request: 'a'.repeat(32) as RequestId } })).toThrow(refusal('unrequested'));
  });

  test('is refused when the tenant asked for another release, but for the last time', () => {
    const other = { release: new Uint8Array(32) };
    expect(() => open(request(other))).toThrow(refusal('unrequested'));
    expect(() => open(request({ ...other, state: 'stopped' }))).toThrow(refusal('unrequested'));
    expect(open(request({ ...other, state: 'destroyed' })).state).toBe('destroyed');
  });
});

describe('a manifest', () => {
  const first: PublisherDoc = {
    ...{
      v: 1,
      version: 1,
      previous: null,
      name: 'Crustose Press',
      roots: ROOTS.map((name) => keyOf(name).publicKey),
      threshold: 2,
      revoked: [],
    },
    ...{ publisher: PUBLISHER, keys: [keyOf('release key').publicKey] },
  };
  const after = (doc: PublisherDoc, changes: Partial<PublisherDoc>): PublisherDoc => ({
    ...doc,
    ...{ version: doc.version + 1, previous: hashOf(publisherNoun, doc) },
    ...changes,
  });
  const second = after(first, { keys: [keyOf('release key').publicKey, keyOf('new key').publicKey] });
  const third = after(second, { keys: [keyOf('new key').publicKey], revoked: [keyOf('release key').publicKey] });
  const signed = (doc: PublisherDoc, roots = ROOTS): Bytes => sealMany(publisherNoun, doc, roots.map(keyOf));
  const { value: manifest } = unseal(nodeCrypto, manifestNoun, signedManifest().body);

  interface Given {
    chain?: PublisherDoc[];
    by?: string;
    of?: Manifest;
    leased?: Partial<Lease>;
    documents?: Bytes[];
    known?: Newest | null;
  }

  const open = ({
    chain = [first],
    by = 'release key',
    of = manifest,
    leased = {},
    documents = chain.map((doc) => signed(doc)),
    known = null,
  }: Given = {}): Manifest =>
    openManifest(
      nodeCrypto,
      lease({ on: 'board 1', release: hashOf(manifestNoun, of), publisher: hashOf(publisherNoun, chain.at(-1) ?? first), ...leased }),
      openPublisher(nodeCrypto, documents),
      known,
      seal(manifestNoun, of, keyOf(by)),
    );
  const knownOf = (...chain: PublisherDoc[]): Newest =>
    newestOf(
      null,
      openPublisher(
        nodeCrypto,
        chain.map((doc) => signed(doc)),
      ),
    );

  test('signed by a key of its publisher is believed', () => {
    expect(open()).toEqual(manifest);
  });

  test('is believed by a later version, when every version before it is shown', () => {
    expect(open({ chain: [first, second], by: 'new key' })).toEqual(manifest);
    expect(open({ chain: [first, second, third], by: 'new key' })).toEqual(manifest);
    expect(() => open({ chain: [second], by: 'new key' })).toThrow(refusal('unknown-key'));
    expect(() => open({ chain: [first, third], by: 'new key' })).toThrow(refusal('conflict'));
    expect(() => open({ documents: [] })).toThrow(refusal('unknown-key'));
  });

  test('is refused when it is not the release that was leased', () => {
    expect(() => open({ leased: { release: new Uint8Array(32) } })).toThrow(refusal('unassigned'));
  });

  test('is refused when a key signed it that its publisher does not list, or not yet, or no longer', () => {
    expect(() => open({ by: 'stranger' })).toThrow(refusal('wrong-publisher'));
    expect(() => open({ by: 'new key' })).toThrow(refusal('wrong-publisher'));
    expect(() => open({ by: 'release key', chain: [first, second, third] })).toThrow(refusal('wrong-publisher'));
  });

  test('is refused when its key is listed and revoked', () => {
    const both = after(first, { revoked: [keyOf('release key').publicKey] });
    expect(() => open({ chain: [first, both] })).toThrow(refusal('revoked-key'));
  });

  test('is refused when its key is good by the version named, and not by the newest that is known [trust-15]', () => {
    const both = after(first, { revoked: [keyOf('release key').publicKey] });
    expect(() => open({ known: knownOf(first, both) })).toThrow(refusal('revoked-key'));
    expect(() => open({ known: knownOf(first, second, third) })).toThrow(refusal('revoked-key'));
    expect(() => open({ chain: [first, second], known: knownOf(first, second, third) })).toThrow(refusal('revoked-key'));
    expect(open({ known: knownOf(first, second) }), 'listed in both').toEqual(manifest);
  });

  test('is refused when the lease names another trust document than the one shown', () => {
    expect(() => open({ leased: { publisher: hashOf(publisherNoun, second) } })).toThrow(refusal('wrong-publisher'));
  });

  test('is refused when it names another publisher than the document is of', () => {
    expect(() => open({ of: { ...manifest, publisher: 'b'.repeat(32) as Manifest['publisher'] } })).toThrow(refusal('wrong-publisher'));
  });

  test('is refused when too few roots signed the trust document, or others than those the id was made of', () => {
    expect(() => open({ documents: [signed(first, ['root 1'])] })).toThrow(refusal('bad-signature'));
    const usurped = { ...first, roots: ['x', 'y'].map((name) => keyOf(name).publicKey) };
    expect(() => open({ chain: [usurped], documents: [signed(usurped, ['x', 'y'])] })).toThrow(refusal('wrong-signer'));
  });

  describe('whose publisher is known', () => {
    const versions = (...chain: PublisherDoc[]) =>
      openPublisher(
        nodeCrypto,
        chain.map((doc) => signed(doc)),
      );

    test('by its newest version, is not known by an older one again', () => {
      const known = knownOf(first, second, third);
      expect(newestOf(known, versions(first))).toBe(known);
      expect(newestOf(known, versions(first, second, third))).toBe(known);
      expect(newestOf(knownOf(first, second), versions(first, second, third))).toEqual(known);
      expect(known).toEqual({ version: 3, hash: hashOf(publisherNoun, third), keys: [keyOf('new key').publicKey] });
    });

    test('is not known by what follows on another version than the one that is, whoever signed it', () => {
      const other = after(first, { name: 'another second' });
      expect(() => newestOf(knownOf(first, second), versions(first, other, after(other, {})))).toThrow(refusal('fork'));
      const known = knownOf(first, second, third);
      expect(newestOf(known, versions(first, other)), 'what is not newer says nothing').toBe(known);
    });

    test('lets no version be left out, and none be signed by too few of the roots before', () => {
      const far = { ...third, version: 9_007_199_254_740_991 };
      expect(() => versions(first, far)).toThrow(refusal('conflict'));
      expect(() => openPublisher(nodeCrypto, [signed(first), signed(second, ['root 1'])])).toThrow(refusal('bad-signature'));
    });
  });
});
