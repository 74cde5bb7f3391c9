/** Releases that are cut, turned over, padded, mixed and sent in any order: a clear word, nothing stored of them, and the right one gets through. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, concat, hex } from '../../../runtime/protocol/bytes.ts';
import { signedPublisher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { runs } from '../../support/properties.ts';
import { smallRelease } from '../../support/small-release.ts';

const fresh = (): Node => new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant').accept(signedPublisher().body);

const release = smallRelease();
const right = [release.document, ...release.content.values()];
const packed = right.map((bytes, i) => (i === 0 ? bytes : packZstd(bytes)));

/** What a hostile or broken link makes of one piece. */
type Harm = (bytes: Bytes, at: number, byte: number) => Bytes;
const HARMS: Harm[] = [
  (bytes, at) => bytes.subarray(0, at % bytes.length),
  (bytes, at) => bytes.subarray(at % bytes.length),
  (bytes, at, byte) => bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ (1 << (byte & 7))),
  (bytes, at, byte) => concat(bytes, new Uint8Array(1 + (at % 300)).fill(byte)),
  (bytes, at, byte) => concat(new Uint8Array(1 + (at % 40)).fill(byte), bytes),
  (bytes, at) => concat(bytes.subarray(0, at % bytes.length), right[at % right.length] ?? bytes),
  (_bytes, at, byte) => new Uint8Array(at % 66_000).fill(byte),
];

const move = fc.record({
  of: fc.nat(right.length - 1),
  packs: fc.boolean(),
  harm: fc.option(fc.nat(HARMS.length - 1), { freq: 8 }),
  at: fc.nat(70_000),
  byte: fc.nat(255),
});

const sent = ({ of, packs, harm, at, byte }: typeof move extends fc.Arbitrary<infer T> ? T : never): Bytes => {
  const bytes = (packs ? packed : right)[of] ?? new Uint8Array();
  const harms = harm === null ? undefined : HARMS[harm];
  return harms === undefined ? bytes : harms(bytes, at, byte);
};

const isRight = (bytes: Bytes): boolean => [...right, ...packed].some((one) => hex(one) === hex(bytes));

describe('whatever comes in the place of a release', () => {
  test('is refused with a code and a next step, changes nothing, and keeps the right one from nothing (property)', () => {
    let tried = 0;
    fc.assert(
      fc.property(fc.array(move, { minLength: 60, maxLength: 120, size: 'max' }), (moves) => {
        const node = fresh();
        for (const one of moves) {
          const bytes = sent(one);
          if (bytes.length === 0) continue;
          const before = node.disk.dump();
          const answer = node.push(bytes);
          tried++;
          if (answer.ok) continue;
          expect(answer.code).not.toBe('internal');
          expect([answer.code.length, answer.why.length, answer.next.length].every((length) => length > 0)).toBe(true);
          expect(node.disk.dump()).toEqual(before);
        }
        node.accept(...right);
        expect(node.json('releases')).toMatchObject([{ release: hex(release.release), missing: 0, refused: '' }]);
        const held = Object.entries(node.disk.dump()).filter(([key]) => key.startsWith('blob/'));
        expect(held).toHaveLength(release.content.size);
      }),
      runs(30),
    );
    expect(tried).toBeGreaterThan(500);
  });

  test('is what it was when it is taken: nothing but the pieces themselves ever is', () => {
    const node = fresh().accept(release.document);
    fc.assert(
      fc.property(move, (one) => {
        const bytes = sent(one);
        if (bytes.length === 0 || isRight(bytes)) return;
        const before = node.disk.dump();
        const answer = node.push(bytes);
        // A signature may be written in two ways; what was signed may not.
        if (!answer.ok) expect(node.disk.dump()).toEqual(before);
        else
          expect(Object.keys(node.disk.dump()).filter((key) => key.startsWith('blob/'))).toEqual(
            Object.keys(before).filter((key) => key.startsWith('blob/')),
          );
      }),
      runs(1000),
    );
  });
});
