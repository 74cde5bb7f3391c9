/** What a board says of its card, and when. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { CardHealth } from '../../../runtime/protocol/nouns/card.ts';
import { BoardWorld, PACE, placed } from '../../support/board-world.ts';

const CARD: CardHealth = {
  ...{ disk: 'mmcblk0', says: 'R1J56L', wornPercent: 30, spare: 'normal', errors: 0, readOnly: false },
  ...{ damaged: false, sizeMib: 7000, freeMib: 5000, writtenBytes: 1000 },
};

let world: BoardWorld;
beforeEach(() => {
  world = new BoardWorld({ reportMs: 3_600_000 }).pair().pass(2000);
});

const see = (card: CardHealth | null): void => {
  world.driven.submit({ kind: 'card-seen', card });
  world.pass(PACE.tickMs);
};
const reports = () => world.home.reports;

describe('a report [health-3]', () => {
  test('says nothing of a card that nothing is told of', () => {
    expect(reports()).toHaveLength(1);
    see(null);
    expect(reports()).toHaveLength(1);
    expect(reports()[0]).not.toHaveProperty('card');
  });

  test('is made at once for one that was not there, or is gone', () => {
    see(CARD);
    expect(reports().map(({ card }) => card)).toEqual([undefined, CARD]);
    see(null);
    expect(reports().map(({ card }) => card)).toEqual([undefined, CARD, undefined]);
  });

  test.each<[string, Partial<CardHealth>]>([
    ['another disk', { disk: 'sda' }],
    ['a tenth more of its life', { wornPercent: 40 }],
    ['less to spare', { spare: 'low' }],
    ['an error', { errors: 1 }],
    ['no writes any more', { readOnly: true }],
    ['a lost system', { damaged: true }],
    ['no room', { freeMib: 63 }],
  ])('is made at once for %s', (_name, change) => {
    see(CARD);
    see({ ...CARD, ...change });
    expect(reports()).toHaveLength(3);
    expect(reports().at(-1)?.card).toEqual({ ...CARD, ...change });
    see(CARD);
    expect(reports().at(-1)?.card).toEqual(CARD);
  });

  test('is not made for what changes all the time, and carries it when it is', () => {
    see(CARD);
    const later = { ...CARD, freeMib: 4000, writtenBytes: 2_000_000 };
    see(later);
    expect(reports()).toHaveLength(2);
    world.pass(3_600_000);
    expect(reports()).toHaveLength(3);
    expect(reports().at(-1)?.card).toEqual(later);
  });

  test('is made of a card that takes no writes, while the store can keep nothing', () => {
    world.assign(placed(world)).pass(5000);
    see(CARD);
    world.full = true;
    // What is to be kept of what is used is due meanwhile, and cannot be.
    world.pass(3 * PACE.recordMs);
    const before = reports().length;
    see({ ...CARD, readOnly: true });
    world.pass(60_000);
    expect(reports().length).toBeGreaterThan(before);
    expect(reports().at(-1)?.card?.readOnly).toBe(true);
  });

  test('carries it to the next home as well', () => {
    see(CARD);
    const first = world.home;
    first.up = false;
    world.cut();
    world.pass(60_000);
    expect(world.home).not.toBe(first);
    expect(reports().at(-1)?.card).toEqual(CARD);
  });
});
