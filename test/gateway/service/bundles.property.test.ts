/** Releases that are cut, turned over, padded, mixed and sent in any order: a clear word, nothing stored of them, and the right one gets through. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildRelease } from '../../../recipes/builder/build.ts';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, concat, hex } from '../../../runtime/protocol/bytes.ts';
import { keyOf } from '../../support/crypto.ts';
import { PUBLISHER, signedPublisher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { runs } from '../../support/properties.ts';
import { smallRelease } from '../../support/small-release.ts';

const fresh = (): Node => new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant').accept(signedPublisher().body);

interface Base {
  hash: Bytes;
  document: Bytes;
  content: Map<string, Bytes>;
}

/** A recipe of this project, as it is built for whoever uses it. */
const built = async (): Promise<Base> => {
  const cachePath = mkdtempSync(join(tmpdir(), 'lichen-bundles-'));
  const recipePath = join(import.meta.dirname, '../../../recipes/hello-sensor');
  const terms = { recipePath, publisherId: PUBLISHER, signer: keyOf('release key'), sequence: 1, cachePath };
  const { release, manifest, pages, chunks } = await buildRelease(terms);
  rmSync(cachePath, { recursive: true });
  return { hash: release, document: manifest, content: new Map([...pages, ...chunks]) };
};

const { release, document, content } = smallRelease();
const BASES: [string, Base][] = [
  ['a small release', { hash: release, document, content }],
  ['recipes/hello-sensor', await built()],
];
const rightOf = ({ document: signed, content: pieces }: Base): Bytes[] => [signed, ...pieces.values()];
const packedOf = (base: Base): Bytes[] => rightOf(base).map((bytes, i) => (i === 0 ? bytes : packZstd(bytes)));

/** What a hostile or broken link makes of one piece. */
type Harm = (bytes: Bytes, at: number, byte: number, right: Bytes[]) => Bytes;
const HARMS: Harm[] = [
  (bytes, at) => bytes.subarray(0, at % bytes.length),
  (bytes, at) => bytes.subarray(at % bytes.length),
  (bytes, at, byte) => bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ (1 << (byte & 7))),
  (bytes, at, byte) => concat(bytes, new Uint8Array(1 + (at % 300)).fill(byte)),
  (bytes, at, byte) => concat(new Uint8Array(1 + (at % 40)).fill(byte), bytes),
  (bytes, at, _byte, right) => concat(bytes.subarray(0, at % bytes.length), right[at % right.length] ?? bytes),
  (_bytes, at, byte) => new Uint8Array(at % 66_000).fill(byte),
];

const move = fc.record({
  of: fc.nat(),
  packs: fc.boolean(),
  harm: fc.option(fc.nat(HARMS.length - 1), { freq: 8 }),
  at: fc.nat(70_000),
  byte: fc.nat(255),
});
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

/** What is sent for a move. */
const sender = (base: Base): ((move: Move) => Bytes) => {
  const [right, packed] = [rightOf(base), packedOf(base)];
  return ({ of, packs, harm, at, byte }) => {
    const bytes = (packs ? packed : right)[of % right.length] ?? new Uint8Array();
    const harms = harm === null ? undefined : HARMS[harm];
    return harms === undefined ? bytes : harms(bytes, at, byte, right);
  };
};

describe.each(BASES)('whatever comes in the place of %s', (_name, base) => {
  const right = rightOf(base);
  const sent = sender(base);
  const isRight = (bytes: Bytes): boolean => [...right, ...packedOf(base)].some((one) => hex(one) === hex(bytes));

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
        expect(node.json('releases')).toMatchObject([{ release: hex(base.hash), missing: 0, refused: '' }]);
        const held = Object.entries(node.disk.dump()).filter(([key]) => key.startsWith('blob/'));
        expect(held).toHaveLength(base.content.size);
      }),
      runs(50),
    );
    expect(tried).toBeGreaterThanOrEqual(2000);
  });

  test('is what it was when it is taken: nothing but the pieces themselves ever is', () => {
    const node = fresh().accept(base.document);
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
      runs(500),
    );
  });
});
