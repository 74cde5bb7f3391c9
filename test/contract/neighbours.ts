/** What every door to others on a network does, whatever it is made of. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Neighbours, NeighboursEvent, Shared } from '../../runtime/ports/neighbours.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import { testCrypto } from '../support/crypto.ts';

export interface Street {
  /** A board on the network that holds these pieces. */
  board(pieces: readonly Bytes[]): Neighbours;
  /** Until it is so. Throws when it takes too long. */
  until(isSo: () => boolean): Promise<void>;
  /** As long as anything takes that is still under way. */
  settle(): Promise<void>;
  close(): void;
}

const text = (word: string): Bytes => new TextEncoder().encode(word);
const PIECES = Array.from({ length: LIMITS.neighbourPieces }, (_, i) => text(`piece ${i} `.repeat(1000)));
const FILE = { hash: testCrypto.sha256(text('file')), executable: false };
const pieceOf = (bytes: Bytes): NeighbourPiece => ({ file: FILE, offset: 0, chunk: [testCrypto.sha256(bytes), bytes.length] });
const [ONE, OTHER] = [testCrypto.sha256(text('one release')), testCrypto.sha256(text('another'))];
const [ANNA, BERT, CARL] = ['a1'.repeat(8), 'be'.repeat(8), 'ca'.repeat(8)];
const keyOf = (word: string): Bytes => testCrypto.sha256(text(`key of ${word}`));
const shared = (release: Bytes, whole: boolean, key = keyOf(hex(release))): Shared => ({ release, key, whole });

export const neighboursContract = (what: string, open: () => Street): void => {
  describe(what, () => {
    let street: Street;
    beforeEach(() => {
      street = open();
    });
    afterEach(() => street.close());

    const boardWith = (who: string, pieces: readonly Bytes[], releases: Shared[]) => {
      const door = street.board(pieces);
      const heard: NeighboursEvent[] = [];
      door.watch((event) => heard.push(event));
      door.perform({ kind: 'share', who, releases });
      const gave = (): (Bytes | null)[] => heard.flatMap((event) => (event.kind === 'neighbour-gave' ? [event.bytes] : []));
      const seen = (): string[] => heard.flatMap((event) => (event.kind === 'neighbour-seen' ? [`${event.neighbour} ${event.whole}`] : []));
      const lost = (): string[] => heard.flatMap((event) => (event.kind === 'neighbour-lost' ? [event.neighbour] : []));
      return { door, heard, gave, seen, lost };
    };
    /** Anna holds all, Bert looks. */
    const pair = async (annas: Shared[] = [shared(ONE, true)], berts: Shared[] = [shared(ONE, false)]) => {
      const anna = boardWith(ANNA, PIECES, annas);
      const bert = boardWith(BERT, [], berts);
      await street.settle();
      bert.door.perform({ kind: 'look', release: ONE });
      return { anna, bert };
    };

    test('[delivery-10] who looks finds who has the release, and is found by it', async () => {
      const { anna, bert } = await pair();
      await street.until(() => bert.seen().length > 0 && anna.seen().length > 0);
      expect([anna.seen(), bert.seen()]).toEqual([[`${BERT} false`], [`${ANNA} true`]]);
    });

    test('[delivery-10] pieces come as they are, and what is not held is said to be not', async () => {
      const { bert } = await pair();
      await street.until(() => bert.seen().length > 0);
      const absent = text('never seen');
      const pieces = [...PIECES.slice(1), absent].map(pieceOf);
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces });
      await street.until(() => bert.gave().length === pieces.length);
      const known = bert.heard.flatMap((event) => (event.kind === 'neighbour-gave' && event.bytes !== null ? [event] : []));
      expect(known).toHaveLength(PIECES.length - 1);
      for (const { hash, bytes, release, neighbour } of known)
        expect([hex(testCrypto.sha256(bytes!)), hex(release), neighbour]).toEqual([hex(hash), hex(ONE), ANNA]);
      expect(bert.heard.find((event) => event.kind === 'neighbour-gave' && event.bytes === null)).toMatchObject({
        hash: testCrypto.sha256(absent),
      });
    });

    test('[delivery-10] more is asked for in the same session', async () => {
      const { bert } = await pair();
      await street.until(() => bert.seen().length > 0);
      for (const piece of PIECES) {
        const before = bert.gave().length;
        bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: [pieceOf(piece)] });
        await street.until(() => bert.gave().length > before);
      }
      expect(bert.gave().map((bytes) => bytes?.length)).toEqual(PIECES.map(({ length }) => length));
    });

    test.each([
      ['another release', [shared(OTHER, true)]],
      ['the release under another key', [shared(ONE, true, keyOf('something else'))]],
      ['nothing', []],
    ] as const)('[delivery-14] who shares %s is not found, and finds nobody', async (_of, annas) => {
      const { anna, bert } = await pair([...annas]);
      await street.settle();
      expect([anna.heard, bert.heard]).toEqual([[], []]);
    });

    test('[delivery-13] what is shared no more is given no more', async () => {
      const { anna, bert } = await pair([shared(ONE, true), shared(OTHER, true)]);
      await street.until(() => bert.seen().length > 0);
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: [pieceOf(PIECES[0]!)] });
      await street.until(() => bert.gave().length === 1);
      anna.door.perform({ kind: 'share', who: ANNA, releases: [shared(OTHER, true)] });
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: [pieceOf(PIECES[1]!)] });
      await street.until(() => bert.gave().length + bert.lost().length === 2);
      expect(bert.gave().filter((bytes) => bytes !== null)).toHaveLength(1);
    });

    test('[delivery-13] with nothing shared it is not there', async () => {
      const { anna, bert } = await pair();
      await street.until(() => bert.seen().length > 0);
      anna.door.perform({ kind: 'share', who: ANNA, releases: [] });
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: [pieceOf(PIECES[1]!)] });
      await street.until(() => bert.lost().length > 0);
      expect(bert.gave()).toEqual([]);
    });

    test('[delivery-12] one that is gone is told, and so is one that was never there', async () => {
      const { anna, bert } = await pair();
      await street.until(() => bert.seen().length > 0);
      anna.door.close();
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: [pieceOf(PIECES[0]!)] });
      bert.door.perform({ kind: 'take', release: ONE, neighbour: CARL, pieces: [pieceOf(PIECES[0]!)] });
      await street.until(() => bert.lost().length === 2);
      expect(bert.lost().sort()).toEqual([ANNA, CARL].sort());
    });

    test('[delivery-11] several give to each other at once', async () => {
      const half = Math.ceil(PIECES.length / 2);
      const anna = boardWith(ANNA, PIECES.slice(0, half), [shared(ONE, false)]);
      const bert = boardWith(BERT, PIECES.slice(half), [shared(ONE, false)]);
      const carl = boardWith(CARL, PIECES, [shared(ONE, true)]);
      await street.settle();
      for (const { door } of [anna, bert]) door.perform({ kind: 'look', release: ONE });
      await street.until(() => anna.seen().length >= 2 && bert.seen().length >= 2);
      anna.door.perform({ kind: 'take', release: ONE, neighbour: BERT, pieces: PIECES.slice(half).map(pieceOf) });
      bert.door.perform({ kind: 'take', release: ONE, neighbour: ANNA, pieces: PIECES.slice(0, half).map(pieceOf) });
      await street.until(() => anna.gave().length === PIECES.length - half && bert.gave().length === half);
      expect([...anna.gave(), ...bert.gave()].every((bytes) => bytes !== null)).toBe(true);
      expect(new Set(carl.seen())).toEqual(new Set([`${ANNA} false`, `${BERT} false`]));
    });
  });
};
