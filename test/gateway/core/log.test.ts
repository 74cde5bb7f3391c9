/** A gateway's own log and its copies of others', row by row. */
import { describe, expect, test } from 'vitest';
import { applyOperator } from '../../../gateway/core/apply-trust.ts';
import type { Context } from '../../../gateway/core/context.ts';
import {
  appendForeign,
  appendOwn,
  batchAfter,
  entriesOf,
  headOf,
  isHeadOf,
  signHead,
  sizeOf,
  takeUp,
  vectorOf,
} from '../../../gateway/core/log.ts';
import { openEntry } from '../../../gateway/core/opened.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import { openCheckpoint } from '../../../runtime/protocol/checkpoint.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { append, EMPTY, rootOf } from '../../../runtime/protocol/merkle.ts';
import { entryBytes, type LogEntry } from '../../../runtime/protocol/nouns/log.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf, OPERATOR, sealedLog, signedOperator } from '../../support/federation.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';

const contextOf = (name: string): Context => ({
  crypto: testCrypto,
  signer: keyOf(name),
  me: idOf<GatewayId>(name),
  operator: OPERATOR,
  silenceMs: 1,
});
const MINE = contextOf('gateway a');
const THEIRS = idOf<GatewayId>('gateway b');
const THEIR_KEY = keyOf('gateway b').publicKey;
const NOW = { wallMs: 1, monoMs: 1 };

const fresh = (): Draft<never> => {
  const draft = new Draft<never>(openMemoryStore().snapshot(), new Map());
  applyOperator(draft, MINE, signedOperator().body);
  return draft;
};
const grown = (count: number, bytes = 10): Draft<never> => {
  const draft = fresh();
  for (let i = 0; i < count; i++) appendOwn(draft, MINE, 'verdict', new Uint8Array(bytes).fill(i), NOW);
  signHead(draft, MINE);
  return draft;
};
const entry = (seq: number, changes: Partial<LogEntry> = {}): LogEntry => ({
  v: 1,
  author: THEIRS,
  seq,
  wallMs: seq,
  kind: 'verdict',
  body: new Uint8Array([seq]),
  ...changes,
});
const theirLog = (count: number): LogEntry[] => Array.from({ length: count }, (_, i) => entry(i));
const refusal = (code: string) => expect.objectContaining({ code });
const take = (draft: Draft<never>, log: LogEntry[], from = 0, by = 'gateway b'): LogEntry[] => {
  const { entries, head } = sealedLog(testCrypto, log, keyOf(by));
  return appendForeign(draft, MINE, THEIRS, [THEIR_KEY], from, entries.slice(from), head);
};

describe('the own log', () => {
  test('numbers its entries from 0 and signs one head over what a turn appended', () => {
    const draft = grown(3);
    expect(entriesOf(draft, MINE.me, 0, 99)).toHaveLength(3);
    expect(vectorOf(draft)).toEqual({ [MINE.me]: 3 });
    const head = openCheckpoint(testCrypto, headOf(draft, MINE.me)!, MINE.me, MINE.signer.publicKey);
    const tree = entriesOf(draft, MINE.me, 0, 99).reduce((frontier, data) => append(testCrypto, frontier, data), EMPTY);
    expect(head).toEqual({ author: MINE.me, size: 3, root: rootOf(testCrypto, tree) });
    expect(draft.scan('head/')).toHaveLength(1);
  });

  test('that did not grow signs nothing', () => {
    const draft = fresh();
    signHead(draft, MINE);
    expect([sizeOf(draft, MINE.me), headOf(draft, MINE.me)]).toEqual([0, null]);
    appendOwn(draft, MINE, 'verdict', new Uint8Array(1), NOW);
    signHead(draft, MINE);
    signHead(draft, MINE);
    expect(draft.scan('head/')).toHaveLength(1);
  });

  test.each([
    ['at the start', (draft: Draft<never>) => takeUp(draft, MINE)],
    ['before it grows, where the start came to nothing', () => {}],
  ])('whose end was not signed before a crash is taken up again %s, and loses nothing', (_when, start) => {
    const disk = new MemoryDisk();
    const before = new Draft<never>(openMemoryStore({ disk }).snapshot(), new Map());
    applyOperator(before, MINE, signedOperator().body);
    for (let i = 0; i < 3; i++) {
      appendOwn(before, MINE, 'verdict', new Uint8Array([i]), NOW);
      if (i === 0) signHead(before, MINE);
    }
    before.keep();
    disk.write(before.toCommit('me'));
    const after = new Draft<never>(openMemoryStore({ disk }).snapshot(), new Map());
    expect(sizeOf(after, MINE.me)).toBe(1);
    start(after);
    appendOwn(after, MINE, 'verdict', new Uint8Array([3]), NOW);
    signHead(after, MINE);
    const entries = entriesOf(after, MINE.me, 0, 99);
    expect(entries.map((data) => openEntry(data).body)).toEqual([0, 1, 2, 3].map((i) => new Uint8Array([i])));
    const tree = entries.reduce((frontier, data) => append(testCrypto, frontier, data), EMPTY);
    expect(openCheckpoint(testCrypto, headOf(after, MINE.me)!, MINE.me, MINE.signer.publicKey)).toMatchObject({
      size: 4,
      root: rootOf(testCrypto, tree),
    });
  });

  test('is read from any place', () => {
    const draft = grown(5);
    const seqs = (from: number, limit: number): number => entriesOf(draft, MINE.me, from, limit).length;
    expect([seqs(0, 2), seqs(3, 99), seqs(5, 99), seqs(9, 99)]).toEqual([2, 2, 0, 0]);
  });

  test.each([
    [2000, 10],
    [40, 100_000],
    [3, 130_000],
  ])('of %i entries of %i bytes goes out in batches that fit, one after the other', (count, bytes) => {
    const draft = grown(count, bytes);
    const other = fresh();
    let from = 0;
    for (let batches = 0; from < count; batches++) {
      const batch = batchAfter(draft, MINE.me, from)!;
      expect(batches).toBeLessThan(count);
      expect(batch.entries.length).toBeLessThanOrEqual(LIMITS.peerBatchEntries);
      expect(batch.entries.reduce((sum, data) => sum + data.length, 0)).toBeLessThan(LIMITS.peerFrameBytes - 4000);
      expect(appendForeign(other, contextOf('gateway b'), MINE.me, [MINE.signer.publicKey], from, batch.entries, batch.note)).toHaveLength(
        batch.entries.length,
      );
      from = batch.size;
    }
    expect(sizeOf(other, MINE.me)).toBe(count);
    expect(batchAfter(draft, MINE.me, count)).toBeNull();
  });

  test('knows which heads it had', () => {
    const draft = grown(2);
    const head = openCheckpoint(testCrypto, headOf(draft, MINE.me)!, MINE.me, MINE.signer.publicKey);
    expect(isHeadOf(draft, MINE.me, head)).toBe(true);
    expect(isHeadOf(draft, MINE.me, { ...head, size: 1 })).toBe(false);
    expect(isHeadOf(draft, MINE.me, { ...head, root: new Uint8Array(32) })).toBe(false);
  });
});

describe("the copy of another's log", () => {
  test('takes what is new, from wherever the batch begins', () => {
    const draft = fresh();
    expect(take(draft, theirLog(3))).toHaveLength(3);
    expect(take(draft, theirLog(5), 1).map(({ seq }) => seq)).toEqual([3, 4]);
    expect(take(draft, theirLog(5), 2)).toEqual([]);
    expect(take(draft, theirLog(4), 0)).toEqual([]);
    expect(entriesOf(draft, THEIRS, 0, 99)).toEqual(theirLog(5).map(entryBytes));
  });

  const held = (): Draft<never> => {
    const draft = fresh();
    take(draft, theirLog(3));
    draft.keep();
    return draft;
  };
  const refused = (code: string, attempt: (draft: Draft<never>) => unknown): void => {
    const draft = held();
    expect(() => attempt(draft)).toThrow(refusal(code));
    draft.discard();
    expect(sizeOf(draft, THEIRS)).toBe(3);
  };
  const other = (log: LogEntry[], at: number): LogEntry[] => log.with(at, entry(at, { wallMs: 99 }));

  test('has no gap', () => refused('conflict', (draft) => take(draft, theirLog(9), 4)));
  test('is not written by another', () => refused('bad-signature', (draft) => take(draft, theirLog(4), 0, 'gateway c')));
  test('has one history', () => refused('fork', (draft) => take(draft, other(theirLog(5), 1), 3)));
  test('has one head of each size', () => refused('fork', (draft) => take(draft, other(theirLog(3), 2))));
  test('holds entries of its author only', () =>
    refused('bad-schema', (draft) => take(draft, [...theirLog(3), entry(3, { author: MINE.me })])));
  test('holds each entry in its place', () => refused('bad-schema', (draft) => take(draft, [...theirLog(3), entry(4)])));
  test('holds nothing that its head does not cover', () =>
    refused('bad-signature', (draft) => {
      const { head } = sealedLog(testCrypto, theirLog(4), keyOf('gateway b'));
      const entries: Bytes[] = theirLog(5).map(entryBytes);
      return appendForeign(draft, MINE, THEIRS, [THEIR_KEY], 0, entries, head);
    }));

  test('is believed under any key that its author ever held, and under none that it did not', () => {
    const draft = fresh();
    const keys = ['gateway b new', 'gateway b'].map((name) => keyOf(name).publicKey);
    const { entries, head } = sealedLog(testCrypto, theirLog(2), keyOf('gateway b'));
    expect(appendForeign(draft, MINE, THEIRS, keys, 0, entries, head)).toHaveLength(2);
    expect(() => appendForeign(fresh(), MINE, THEIRS, [], 0, entries, head)).toThrow(refusal('unknown-key'));
  });
});
