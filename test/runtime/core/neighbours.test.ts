/** Who of a network asks the gateway for which piece. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Member, shareOut } from '../../../runtime/core/neighbours.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { testCrypto } from '../../support/crypto.ts';

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const boards = fc.uniqueArray(digits(16), { minLength: 1, maxLength: 12 });
const pieces = fc.uniqueArray(digits(64), { maxLength: 200 });

const partsOf = (chunks: string[], me: string, all: string[], whole: string[] = []) =>
  shareOut(
    chunks,
    me,
    all.filter((id) => id !== me).map((id): Member => ({ id, whole: whole.includes(id) })),
  );

/** What a board is to ask its gateway for, sooner or later. */
const ownOf = (parts: ReturnType<typeof shareOut>): string[] => [...parts.own, ...[...parts.tried.values()].flat()];

describe('the pieces of a release', () => {
  test('are each asked for by one of those that fetch it, whoever works it out', () => {
    fc.assert(
      fc.property(boards, pieces, (all, chunks) => {
        const asked = all.flatMap((me) => ownOf(partsOf(chunks, me, [...all].reverse())));
        expect(asked.sort()).toEqual([...chunks].sort());
      }),
    );
  });

  test('are all somewhere, in their order', () => {
    fc.assert(
      fc.property(boards, pieces, fc.nat(3), (all, chunks, wholes) => {
        const [me = ''] = all;
        const { own, owed, tried } = partsOf(chunks, me, all, all.slice(1, 1 + wholes));
        const lists = [own, ...owed.values(), ...tried.values()];
        expect(lists.flat().sort()).toEqual([...chunks].sort());
        for (const list of lists) expect(list).toEqual(chunks.filter((piece) => list.includes(piece)));
      }),
    );
  });

  test('that somebody has whole are left to nobody else', () => {
    const parts = partsOf(
      ['00'.repeat(32), 'ab'.repeat(32)],
      'a'.repeat(16),
      ['a'.repeat(16), 'b'.repeat(16), 'c'.repeat(16)],
      ['c'.repeat(16)],
    );
    expect([...parts.owed.keys()]).toEqual(['c'.repeat(16)]);
    expect(ownOf(parts)).toEqual([]);
  });

  test('of who comes later were, before that, the part of the one whom it tries first', () => {
    fc.assert(
      fc.property(boards, digits(16), pieces, (all, late, chunks) => {
        fc.pre(!all.includes(late));
        for (const [id, list] of partsOf(chunks, late, [...all, late]).tried)
          for (const piece of list) expect(ownOf(partsOf(chunks, id, all))).toContain(piece);
      }),
    );
  });

  test('are spread evenly', () => {
    const hashed = (what: string, digits: number): string => hex(testCrypto.sha256(utf8(what))).slice(0, digits);
    const all = Array.from({ length: 10 }, (_, i) => hashed(`board ${i}`, 16));
    const chunks = Array.from({ length: 5000 }, (_, i) => hashed(`piece ${i}`, 64));
    for (const me of all) {
      const count = ownOf(partsOf(chunks, me, all)).length;
      expect(count).toBeGreaterThan(350);
      expect(count).toBeLessThan(650);
    }
  });
});
