/** Ids, the texts of bytes, claims, and rendezvous. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base32, compare, concat, equal, fromBase32, fromHex, fromUtf8, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { formatClaim, parseClaim } from '../../../runtime/protocol/claim.ts';
import { derive, fingerprint, type GatewayId, type RequestId } from '../../../runtime/protocol/ids.ts';
import { leaseIdOf } from '../../../runtime/protocol/nouns/lease.ts';
import { requestIdOf } from '../../../runtime/protocol/nouns/request.ts';
import { rendezvous } from '../../../runtime/protocol/rendezvous.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf, lease, TENANT } from '../../support/federation.ts';

describe('base32', () => {
  // RFC 4648 §10, lower case and unpadded.
  test.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('of %j is %j', (text, encoded) => {
    expect(base32(utf8(text))).toBe(encoded);
    expect(fromUtf8(fromBase32(encoded))).toBe(text);
  });

  test('and hex give back what they were given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(fromBase32(base32(bytes))).toEqual(bytes);
        expect(fromHex(hex(bytes))).toEqual(bytes);
      }),
    );
    for (const bad of ['MY', 'm1', 'm=', 'm y']) expect(() => fromBase32(bad)).toThrow('bad-schema');
    for (const bad of ['0', '0G', 'AA', '0x', ' 00']) expect(() => fromHex(bad)).toThrow('bad-schema');
  });
});

test('bytes compare and join as such', () => {
  expect(compare(utf8('a'), utf8('ab'))).toBeLessThan(0);
  expect(compare(utf8('b'), utf8('ab'))).toBeGreaterThan(0);
  expect(compare(utf8('ab'), utf8('ab'))).toBe(0);
  expect(equal(utf8('ab'), utf8('ab'))).toBe(true);
  expect(equal(utf8('ab'), utf8('abc'))).toBe(false);
  expect(concat(utf8('a'), utf8(''), utf8('bc'))).toEqual(utf8('abc'));
  expect(() => fromUtf8(new Uint8Array([0xff]))).toThrow('bad-cbor');
});

describe('an id', () => {
  test('is 160 bits of SHA-256 as 32 letters [encoding-12, encoding-13]', () => {
    const { publicKey } = keyOf('board 1');
    expect(fingerprint(testCrypto, publicKey)).toBe(base32(testCrypto.sha256(publicKey)).slice(0, 32));
    expect(fingerprint(testCrypto, publicKey)).toMatch(/^[a-z2-7]{32}$/);
  });

  test('is derived from its kind and all its parts [encoding-15]', () => {
    const request = requestIdOf(testCrypto, TENANT, 'echo');
    expect(request).toBe(derive<RequestId>(testCrypto, 'request', TENANT, 'echo'));
    expect(request).toBe(base32(testCrypto.sha256(utf8(`request\n${TENANT}\necho`))).slice(0, 32));
  });

  test('of a lease is the hash of all its terms: no term can change under it [encoding-15]', () => {
    const terms = lease({ on: 'board 1' });
    expect(leaseIdOf(testCrypto, terms)).toBe(terms.lease);
    const others = [
      { term: 2 },
      { index: 1 },
      { capMicro: 1n },
      { feePermille: 1 },
      { openedMs: 1 },
      { rates: { ...terms.rates, cpuSecond: 1n } },
    ];
    const ids = others.map((other) => leaseIdOf(testCrypto, { ...terms, ...other }));
    expect(new Set([...ids, terms.lease]).size).toBe(others.length + 1);
  });
});

describe('a claim', () => {
  const claim = {
    v: 1 as const,
    ...{ token: new Uint8Array(32).fill(3), gateway: idOf<GatewayId>('gateway a'), key: keyOf('gateway a').publicKey },
    ...{ address: 'gateway.example:8883', operator: 'a'.repeat(32) },
  };
  const line = formatClaim(claim);

  test('is one line that reads back in either case, with spaces around it', () => {
    expect(line).toMatch(/^LICHEN1:[A-Z2-7]+$/);
    for (const form of [line, line.toLowerCase(), `  ${line}\r\n`]) expect(parseClaim(form)).toEqual(claim);
  });

  test.each(['', 'LICHEN1:', 'LICHEN2:AAAA', line.slice(0, -5), `${line}AAAA`, line.replace('LICHEN1:', ''), line.replace(/.$/, '1')])(
    'is refused as %j',
    (text) => {
      expect(() => parseClaim(text)).toThrow(/bad-(schema|cbor)/);
    },
  );
});

describe('rendezvous', () => {
  const candidates = Array.from({ length: 10 }, (_, i) => `gateway ${i}`);

  test('gives one order whatever the order it is given', () => {
    const order = rendezvous(testCrypto, 'board', candidates);
    expect(rendezvous(testCrypto, 'board', [...candidates].reverse())).toEqual(order);
    expect([...order].sort()).toEqual([...candidates].sort());
    expect(rendezvous(testCrypto, 'another', candidates)).not.toEqual(order);
  });

  test('moves only what the lost one had, and spreads it', () => {
    const subjects = Array.from({ length: 500 }, (_, i) => `board ${i}`);
    const firstOf = (subject: string, among: string[]): string => rendezvous(testCrypto, subject, among)[0]!;
    const rest = candidates.filter((name) => name !== 'gateway 3');
    const heirs = new Set<string>();
    const load = new Map<string, number>();
    for (const subject of subjects) {
      const [before, now] = [firstOf(subject, candidates), firstOf(subject, rest)];
      load.set(before, (load.get(before) ?? 0) + 1);
      if (before === 'gateway 3') heirs.add(now);
      else expect(now).toBe(before);
    }
    expect(heirs.size).toBeGreaterThan(6);
    expect(Math.min(...load.values())).toBeGreaterThan(20);
  });
});
