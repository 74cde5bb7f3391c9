import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Card, FORGETS_MOST, LIES_FOR_MS, rotten } from '../../../sim/hardware/card.ts';
import type { CardSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const MIB = 1024 * 1024;
const spec: CardSpec = { mib: 16, usedPermille: 250, eraseBlockBytes: 4 * MIB, endurance: 100, lies: false };

describe('card', () => {
  test('a small commit costs a whole erase block and one for its meta page', () => {
    const card = new Card(spec);
    // 4 blocks × 100 erases: each commit is 2 of 400.
    card.commit(0, 100, 100);
    expect(card.wornPermille).toBe(5);
    card.commit(0, 4 * MIB, 0);
    expect(card.wornPermille).toBe(10);
    card.commit(0, 4 * MIB + 1, 0);
    expect(card.wornPermille).toBe(17);
  });

  test('worn out it refuses every write and keeps what it has', () => {
    const card = new Card(spec);
    for (let i = 0; i < 200; i++) expect(card.commit(i, 1, 0).refused).toBeNull();
    const usedPermille = card.usedPermille;
    expect(card.wornOut).toBe(true);
    expect(card.wornPermille).toBe(1000);
    expect(card.commit(0, 1, -1).refused).toBe('worn');
    expect(card.file(1).refused).toBe('worn');
    expect(card.refusals).toBe(2);
    expect(card.stream(1, 1000)).toBe(false);
    expect(card.usedPermille).toBe(usedPermille);
  });

  test('says once that it is worn out, whatever it was worn by', () => {
    const wears = [(card: Card) => card.commit(0, 1, 0), (card: Card) => card.file(1), (card: Card) => card.stream(4 * MIB, 1000)];
    for (const wear of wears) {
      const told: number[] = [];
      const card: Card = new Card(spec, () => told.push(card.wornPermille));
      for (let i = 0; i < 500; i++) wear(card);
      expect(told).toEqual([1000]);
    }
  });

  test('full, it refuses what grows and takes what overwrites or deletes', () => {
    const card = new Card({ ...spec, usedPermille: 1000 });
    expect(card.commit(0, 100, 1).refused).toBe('full');
    expect(card.file(1).refused).toBe('full');
    expect(card.commit(0, 100, 0).refused).toBeNull();
    expect(card.commit(0, 100, -50).refused).toBeNull();
    expect(card.commit(0, 100, 50).refused).toBeNull();
    expect(card.commit(0, 100, 1).refused).toBe('full');
    expect(card.refusals).toBe(3);
  });

  test('stuffed for a while, it is full and then as it was', () => {
    const card = new Card(spec);
    const [end, endOther] = [card.stuff(), card.stuff()];
    expect(card.usedPermille).toBe(1000);
    expect(card.commit(0, 10, 10).refused).toBe('full');
    end();
    expect([card.isStuffed, card.usedPermille]).toEqual([true, 1000]);
    endOther();
    expect([card.isStuffed, card.usedPermille]).toEqual([false, 250]);
    expect(card.commit(0, 10, 10).refused).toBeNull();
  });

  test('a 16 GiB card with a commit a minute lives for decades, with one a second for months', () => {
    const card = new Card({ mib: 16 * 1024, usedPermille: 0, eraseBlockBytes: 4 * MIB, endurance: 3000, lies: false });
    for (let i = 0; i < 10_000; i++) card.commit(i, 2000, 0);
    // 20,000 of 4096 × 3000 erases.
    expect(card.wornPermille).toBe(Math.floor((20_000 * 1000) / (4096 * 3000)));
    const commitsInAll = (4096 * 3000) / 2;
    expect(commitsInAll / (60 * 24 * 365)).toBeGreaterThan(10);
    expect(commitsInAll / (3600 * 24)).toBeLessThan(100);
  });

  test('what instances write is flushed each half minute, a block at least', () => {
    const card = new Card({ ...spec, endurance: 1000 });
    for (let i = 0; i < 100; i++) card.stream(1, 60_000);
    // 200 flushes of 4000 erases.
    expect(card.wornPermille).toBe(50);
    card.stream(100 * 4 * MIB, 60_000);
    expect(card.wornPermille).toBe(75);
    card.stream(0, 600_000);
    expect(card.wornPermille).toBe(75);
  });

  test('an honest card loses nothing to a cut', () => {
    const card = new Card(spec);
    for (let i = 0; i < 5; i++) card.commit(i, 1, 0);
    expect(card.cut(5, chanceFrom('cut'))).toBe(0);
  });

  test('a card that lies loses some of the newest, only of the last seconds, and each at most once', () => {
    const lost = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const card = new Card({ ...spec, lies: true });
      card.commit(0, 1, 0);
      for (let i = 0; i < 3; i++) card.commit(LIES_FOR_MS + 10 + i, 1, 0);
      const chance = chanceFrom(`${seed}`);
      lost.add(card.cut(LIES_FOR_MS + 20, chance));
      expect(card.cut(LIES_FOR_MS + 21, chance)).toBe(0);
    }
    expect([...lost].sort()).toEqual([0, 1, 2, 3]);
    const busy = new Card({ ...spec, lies: true, endurance: 10_000 });
    for (let i = 0; i < 100; i++) busy.commit(i, 1, 0);
    expect(busy.cut(100, { below: (limit) => limit - 1 })).toBe(FORGETS_MOST);
  });

  test('a slow card answers later', () => {
    const card = new Card(spec);
    const { ms } = card.commit(0, 1000, 0);
    const [end, endOther] = [card.slow(2000), card.slow(500)];
    expect(card.commit(0, 1000, 0).ms).toBe(ms + 2000);
    end();
    expect(card.commit(0, 1000, 0).ms).toBe(ms + 500);
    endOther();
    end();
    expect(card.commit(0, 1000, 0).ms).toBe(ms);
    expect(card.commit(0, 1_000_000, 0).ms).toBe(4 + 100);
  });

  test('a copy is as full and not as worn', () => {
    const card = new Card(spec);
    card.commit(0, MIB, MIB);
    const copy = card.clone();
    expect(copy.usedPermille).toBe(card.usedPermille);
    expect(copy.wornPermille).toBe(0);
  });

  test('wear never falls, use stays within the card, refusals change nothing', () => {
    const write = fc.record({
      bytes: fc.integer({ min: 0, max: 8 * MIB }),
      grows: fc.integer({ min: -4 * MIB, max: 4 * MIB }),
      how: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 300 }), (writes) => {
        const card = new Card(spec);
        for (const { bytes, grows, how } of writes) {
          const before = [card.usedPermille, card.wornPermille, card.freeBytes];
          const refused =
            how === 0
              ? card.commit(0, bytes, grows).refused
              : how === 1
                ? card.file(grows).refused
                : card.stream(bytes, 1000)
                  ? null
                  : 'worn';
          if (refused !== null) expect([card.usedPermille, card.wornPermille, card.freeBytes]).toEqual(before);
          expect(card.wornPermille).toBeGreaterThanOrEqual(before[1] ?? 0);
          expect(card.usedPermille).toBeLessThanOrEqual(1000);
          expect(card.freeBytes).toBeGreaterThanOrEqual(0);
          expect(card.freeBytes).toBeLessThanOrEqual(16 * MIB);
        }
      }),
    );
  });

  test('rot takes different files, at most all', () => {
    const files = ['a', 'b', 'c', 'd'];
    const taken = rotten(files, 3, chanceFrom('rot'));
    expect(new Set(taken).size).toBe(3);
    expect(rotten(files, 3, chanceFrom('rot'))).toEqual(taken);
    expect(rotten(files, 9, chanceFrom('rot')).sort()).toEqual(files);
    expect(rotten([], 1, chanceFrom('rot'))).toEqual([]);
  });
});
