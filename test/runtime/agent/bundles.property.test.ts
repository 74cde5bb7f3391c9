/** What a gateway may send in the place of pieces: nothing of it is planted or run, and what is right in the end is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, concat, hex } from '../../../runtime/protocol/bytes.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { chunk } from '../../../runtime/protocol/nouns/messages.ts';
import { BoardWorld, PACE, placed } from '../../support/board-world.ts';
import { testCrypto } from '../../support/crypto.ts';
import { runs } from '../../support/properties.ts';

type Harm = (bytes: Bytes, at: number, byte: number) => Bytes;
const HARMS: Harm[] = [
  (bytes, at) => bytes.subarray(0, at % bytes.length),
  (bytes, at, byte) => bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ (1 << (byte & 7))),
  (bytes, at, byte) => concat(bytes, new Uint8Array(1 + (at % 300)).fill(byte)),
  (bytes, at) => concat(bytes.subarray(at % bytes.length), bytes.subarray(0, at % bytes.length)),
  (_bytes, at, byte) => new Uint8Array(at % 60_000).fill(byte),
  (_bytes, at, byte) => packZstd(new Uint8Array(60_000).fill(byte)).subarray(0, 20 + at),
];

const lie = fc.record({ of: fc.nat(9), harm: fc.nat(HARMS.length - 1), packs: fc.boolean(), at: fc.nat(70_000), byte: fc.nat(255) });

describe('a board whose gateway lies about pieces', () => {
  test('plants and runs nothing but what its publisher signed, and that as soon as it comes (property)', () => {
    fc.assert(
      fc.property(fc.array(lie, { minLength: 1, maxLength: 12 }), (lies) => {
        const world = new BoardWorld().pair();
        const one = placed(world);
        const { held } = world.home.shelf;
        const keys = [...one.release.content.keys()];
        const truth = new Map(keys.map((key) => [key, held.get(key) ?? new Uint8Array()]));
        for (const { of, harm, packs, at, byte } of lies) {
          const key = keys[of % keys.length] ?? '';
          const bytes = truth.get(key) ?? new Uint8Array();
          held.set(key, HARMS[harm]?.(packs ? packZstd(bytes) : bytes, at, byte) ?? bytes);
        }
        world.assign(one).pass(3000);
        for (const { of, harm, at, byte } of lies) {
          const key = keys[of % keys.length] ?? '';
          const bytes = HARMS[harm]?.(truth.get(key) ?? new Uint8Array(), at, byte).subarray(0, 66_000) ?? null;
          world.message('chunk', encodeAs(chunk, { v: 1, hash: testCrypto.sha256(truth.get(key) ?? new Uint8Array()), bytes }, 'chunk'));
        }
        world.pass(1000);
        for (const { file, bytes } of world.files.steps.flatMap((step) => (step.kind === 'write' ? [step] : []))) {
          expect(truth.has(hex(testCrypto.sha256(bytes))), hex(file.hash)).toBe(true);
        }
        for (const [key, bytes] of truth) held.set(key, bytes);
        world.pass(25 * PACE.patienceMs);
        expect(world.state(one.lease)).toMatchObject({ state: 'running', detail: '' });
        expect(world.journal.filter((line) => line.includes('internal'))).toEqual([]);
        expect(world.files.roots).toEqual(new Set([hex(one.release.release)]));
      }),
      runs(60),
    );
  });
});
