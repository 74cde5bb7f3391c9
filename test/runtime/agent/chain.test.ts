/** Which numbers a board gives to its records, and what it remembers of those that it closed. */

import { expect, test } from 'vitest';
import { nodeSealer, openerFromSeed } from '../../../runtime/adapters/hpke.ts';
import { unpackZstd } from '../../../runtime/adapters/zstd.ts';
import { beginBoot, chainOf, closedBy, isOwn, noteClosed, ownUp } from '../../../runtime/agent/chain.ts';
import type { Board, Effect, Work } from '../../../runtime/agent/events.ts';
import { chains, ONE } from '../../../runtime/core/tables.ts';
import { derive, type LeaseId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { testCrypto } from '../../support/crypto.ts';
import { idOf } from '../../support/federation.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';
import { seededEntropy } from '../../support/world.ts';

const OPENER = openerFromSeed(new Uint8Array(32).fill(1));

const empty = (): Work => new Draft<Effect>(openMemoryStore({ disk: new MemoryDisk() }).snapshot(), new Map());
const boot = (work: Work, bootId: string, seed = bootId): void => {
  const offered = { tier: 'full', arch: 'x64', memoryMib: 1, cpuMillis: 1, partitions: 1, engine: '', model: '' } as const;
  const board: Board = {
    ...{
      crypto: testCrypto,
      sealer: nodeSealer,
      unpack: unpackZstd,
      opener: OPENER,
      entropy: seededEntropy(seed),
      id: idOf('board 1'),
      bootId,
      software: 'test',
    },
    signer: { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) },
    offer: { ...offered, enforces: { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true } },
    pace: { tickMs: 1, meterMs: 1, recordMs: 1, reportMs: 1, patienceMs: 1 },
    neighbours: false,
  };
  beginBoot(work, board);
};
const signed = (work: Work, seq: number): void =>
  chains.put(work, { ...chainOf(work), end: { seq, hash: new Uint8Array(32).fill(1) }, next: seq + 1 }, ONE);

test('the first record of all is number 1, and a runtime that starts again goes on counting', () => {
  const work = empty();
  boot(work, 'one');
  expect(chainOf(work).next).toBe(1);
  signed(work, 1);
  boot(work, 'one');
  expect(chainOf(work).next).toBe(2);
});

test('each boot leaves out more numbers than a card can have forgotten, and never the same ones as one that is forgotten itself', () => {
  const nexts = new Set<number>();
  for (let i = 0; i < 20; i++) {
    const work = empty();
    boot(work, 'one');
    signed(work, 7);
    boot(work, 'two', `boot ${i}`);
    expect(chainOf(work).next).toBeGreaterThan(7 + 1000);
    nexts.add(chainOf(work).next);
  }
  expect(nexts.size).toBeGreaterThan(15);
});

test('boots in which nothing was signed leave out no more than one does', () => {
  const work = empty();
  boot(work, 'one');
  signed(work, 7);
  for (let i = 0; i < 50; i++) boot(work, `boot ${i}`);
  expect(chainOf(work).next).toBeLessThan(7 + 10_000);
});

test('what it is shown and does not remember moves the next number above it, and is owned up to once', () => {
  const work = empty();
  boot(work, 'one');
  signed(work, 3);
  const shown = { seq: 50_000, hash: new Uint8Array(32) };
  expect([isOwn(work, { ...shown, seq: 3 }), isOwn(work, shown)]).toEqual([true, false]);
  ownUp(work, shown);
  expect(chainOf(work)).toMatchObject({ next: 50_001, amnesia: true });
  chains.put(work, { ...chainOf(work), amnesia: false }, ONE);
  ownUp(work, shown);
  ownUp(work, { ...shown, seq: 9 });
  expect(chainOf(work)).toMatchObject({ next: 50_001, amnesia: false });
});

test('the newest leases that were closed are remembered, and not more than so many', () => {
  const work = empty();
  const lease = (n: number): LeaseId => derive<LeaseId>(testCrypto, 'lease', `${n}`);
  for (let n = 1; n <= LIMITS.closedLeases + 2; n++) noteClosed(work, lease(n), n);
  expect([1, 2, 3, LIMITS.closedLeases + 2].map((n) => closedBy(work, lease(n)))).toEqual([null, null, 3, LIMITS.closedLeases + 2]);
  expect(closedBy(work, lease(9999))).toBeNull();
});
