import { describe, expect, it } from 'vitest';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import { idOf, signedManifest } from '../../support/federation.ts';
import { asked, Day, type DayBoard, HOUR, MINUTE } from './day.ts';

const morning = (choice: Partial<Lease> = {}) => {
  const day = new Day();
  const board = day.board('board 1');
  const one = day.lease({ on: 'board 1', ...choice });
  board.assign([one]).open(one);
  day.pass(MINUTE);
  return { day, board, one };
};

type Held = ReturnType<typeof morning>;

describe('a program is stopped', () => {
  it('stopped-without-reason', () => {
    const { day, board, one } = morning();
    board.finish(one, 'stopped');
    expect(day.codes).toEqual(['stopped-without-reason']);
  });

  it('stopped-without-reason: because the board is cut off', () => {
    const { day, board, one } = morning();
    board.reach(false);
    day.pass(5 * HOUR);
    board.finish(one, 'stopped');
    expect(day.codes).toContain('stopped-without-reason');
  });

  it('stopped-without-reason: for an assignment older than the one it has', () => {
    const { day, board, one } = morning();
    const { hear } = board;
    const stale: Uint8Array[] = [];
    // An empty assignment is on its way while the next one overtakes it.
    board.hear = (topic, payload, gateway) => {
      if (topic === 'desired') stale.push(payload);
      else hear.call(board, topic, payload, gateway);
      return board;
    };
    board.assign([]);
    board.hear = hear;
    board.assign([one]);
    board.hear('desired', stale[0]!).finish(one, 'stopped');
    expect(day.codes).toEqual(['stopped-without-reason']);
  });

  it.each<[string, (held: Held) => void]>([
    ['it is not assigned any more', ({ board }) => board.assign([])],
    ['its tenant wants it stopped', ({ day, board, one }) => board.assign([one], asked(day, { sequence: 2, state: 'stopped' }))],
    ['its tenant wants it no more', ({ day, board, one }) => board.assign([one], asked(day, { sequence: 2, state: 'destroyed' }))],
    [
      'its tenant wants another release',
      ({ day, board, one }) => board.assign([one], asked(day, { sequence: 2, release: new Uint8Array(32) })),
    ],
    [
      'it was not assigned a moment ago',
      ({ board, one }) => {
        board.assign([]).assign([one]);
      },
    ],
    ['its card was cloned', ({ board }) => board.card('cloned')],
  ])('because %s', (_name, happens) => {
    const held = morning();
    happens(held);
    held.board.finish(held.one, 'stopped');
    expect(held.day.found).toEqual([]);
  });

  it('because its cap is reached', () => {
    // Some 0.5 ct an hour.
    const { day, board, one } = morning({ capMicro: 20_000n });
    day.pass(HOUR - MINUTE);
    board.record(one).finish(one, 'stopped');
    expect(day.found).toEqual([]);
  });

  it('stopped-without-reason: before its cap is reached', () => {
    const { day, board, one } = morning({ capMicro: 200_000n });
    day.pass(HOUR - MINUTE);
    board.record(one).finish(one, 'stopped');
    expect(day.codes).toEqual(['stopped-without-reason']);
  });
});

describe('a program that ran when the power went', () => {
  const cut = ({ day, board, one }: Held, offMs = HOUR): void => {
    board.finish(one, 'power').power(false);
    day.pass(offMs);
  };

  it('begins again, with no network', () => {
    const held = morning();
    held.board.reach(false);
    cut(held);
    held.board.power(true);
    held.day.pass(MINUTE);
    held.board.begin(held.one);
    held.day.pass(HOUR).settle(new Map());
    expect(held.day.found).toEqual([]);
  });

  it('not-restarted: never', () => {
    const held = morning();
    cut(held);
    held.board.power(true).welcome();
    held.day.pass(HOUR).settle(new Map());
    expect(held.day.codes).toEqual(['not-restarted']);
  });

  it('not-restarted: too late', () => {
    const held = morning();
    cut(held);
    held.board.power(true).welcome();
    held.day.pass(6 * MINUTE);
    held.board.begin(held.one);
    expect(held.day.codes).toEqual(['not-restarted']);
  });

  it('not-restarted: in the little time of many short spells of power', () => {
    const held = morning();
    cut(held);
    for (let i = 0; i < 4; i++) {
      held.board.power(true);
      held.day.pass(2 * MINUTE);
      held.board.power(false);
      held.day.pass(HOUR);
    }
    expect(held.day.codes).toEqual(['not-restarted']);
  });

  describe('that crashed, and for which its request names another', () => {
    const crashed = (changes: Partial<Request> = {}) => {
      const held = morning();
      const { day, board, one } = held;
      day.sign(signedManifest());
      board.assign([one], asked(day, { sequence: 2, fallback: { release: new Uint8Array(32), bakeMs: MINUTE }, ...changes }));
      board.finish(one, 'crashed').reach(false);
      day.pass(HOUR);
      return held;
    };

    it('may lack that, as long as nothing passes on its way', () => {
      const { day, board, one } = crashed();
      board.reach(true).welcome();
      day.pass(4 * MINUTE);
      board.begin(one);
      expect(day.codes).toEqual([]);
    });

    it('not-restarted: nor then', () => {
      const { day, board } = crashed();
      board.reach(true).welcome();
      day.pass(6 * MINUTE);
      board.power(false);
      expect(day.codes).toEqual(['not-restarted']);
    });

    it('not-restarted: where it names none', () => {
      const { day, board } = crashed({ fallback: undefined });
      board.power(false);
      expect(day.codes).toEqual(['not-restarted']);
    });
  });

  it('not-restarted: after a crash', () => {
    const { day, board, one } = morning();
    board.finish(one, 'crashed').record(one);
    day.pass(HOUR).settle(new Map());
    expect(day.codes).toEqual(['not-restarted']);
  });

  it.each<[string, (held: Held) => void]>([
    ['there is no power', ({ board }) => board.power(false)],
    ['it is not assigned any more', ({ board }) => board.assign([])],
    ['its tenant wants it stopped', ({ day, board, one }) => board.assign([one], asked(day, { sequence: 2, state: 'stopped' }))],
    ['the card has no room', ({ board }) => board.card('full')],
    ['the card is dead', ({ board }) => board.card('dead')],
    ['the card lost what it knew', ({ board }) => board.card('lost-writes')],
    ['its files have rotted', ({ board }) => board.card('rot')],
  ])('need not begin again when %s', (_name, happens) => {
    const held = morning();
    cut(held);
    held.board.power(true).welcome();
    held.day.pass(MINUTE);
    happens(held);
    held.day.pass(HOUR).settle(new Map());
    expect(held.day.found).toEqual([]);
  });
});

describe('a home', () => {
  const boardOf = (day: Day): DayBoard => day.board('board 1');

  it('is found again', () => {
    const day = new Day();
    const board = boardOf(day);
    board.reach(false);
    day.pass(HOUR);
    board.reach(true);
    day.pass(20_000);
    board.welcome();
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
    expect(day.judge.tally.worstRehomeMs).toBe(20_000);
  });

  it('may be found on a way on which none is to be had for certain', () => {
    const day = new Day();
    const board = boardOf(day);
    board.reach(false);
    day.pass(HOUR);
    board.welcome('gateway b').reach(true);
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it('is kept through a short cut', () => {
    const day = new Day();
    const board = boardOf(day);
    day.pass(HOUR);
    board.reach(false);
    day.pass(MINUTE);
    board.reach(true);
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it.each<[string, (day: Day, board: DayBoard) => void]>([
    [
      'after a long cut',
      (day, board) => {
        board.reach(false);
        day.pass(HOUR);
        board.reach(true);
      },
    ],
    ['after a power cut', (_day, board) => board.power(false).power(true)],
    ['when its home has died', (day) => day.dies('gateway a')],
  ])('not-rehomed: %s', (_name, happens) => {
    const day = new Day();
    happens(day, boardOf(day));
    day.pass(10 * MINUTE).settle(new Map());
    expect(day.codes).toEqual(['not-rehomed']);
    expect(day.judge.tally.worstRehomeMs).toBe(10 * MINUTE);
  });

  it('not-rehomed: too late', () => {
    const day = new Day();
    const board = boardOf(day);
    day.dies('gateway a').pass(6 * MINUTE);
    board.welcome('gateway b');
    expect(day.codes).toEqual(['not-rehomed']);
  });

  it.each<[string, (day: Day, board: DayBoard) => void]>([
    ['no gateway lives', (day) => day.dies('gateway a').dies('gateway b').dies('gateway c')],
    [
      'nothing passes to those that live',
      (day) => {
        for (const gateway of ['gateway b', 'gateway c']) day.judge.cutOff(day.atMs, idOf(gateway), true);
        day.dies('gateway a');
      },
    ],
    ['there is no power', (_day, board) => board.power(false)],
    ['the card is dead', (_day, board) => board.power(false).power(true).card('dead')],
    [
      'those that live have not heard of it',
      (day, board) => {
        for (const gateway of ['gateway b', 'gateway c']) day.forgets(gateway);
        board.power(true);
        day.dies('gateway a');
      },
    ],
  ])('is not found when %s', (_name, happens) => {
    const day = new Day();
    happens(day, boardOf(day));
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it('not-rehomed: the time runs from when something passes again', () => {
    const day = new Day();
    boardOf(day);
    for (const gateway of ['gateway b', 'gateway c']) day.judge.cutOff(day.atMs, idOf(gateway), true);
    day.dies('gateway a').pass(HOUR);
    day.judge.cutOff(day.atMs, idOf('gateway c'), false);
    day.pass(6 * MINUTE).settle(new Map());
    expect(day.codes).toEqual(['not-rehomed']);
    expect(day.judge.tally.worstRehomeMs).toBe(6 * MINUTE);
  });

  it('the time runs only while it can be found', () => {
    const day = new Day();
    const board = boardOf(day);
    day.dies('gateway a');
    for (let i = 0; i < 10; i++) {
      day.pass(4 * MINUTE);
      board.reach(false);
      day.pass(4 * MINUTE);
      board.reach(true);
    }
    board.welcome('gateway b');
    expect(day.found).toEqual([]);
  });
});

describe('a runtime that hangs', () => {
  it('starts nothing and writes nothing, and is accused of neither', () => {
    const day = new Day();
    const board = day.board('board 1');
    const lease = day.lease({ on: 'board 1' });
    board.assign([lease]).open(lease).deliver();
    board.finish(lease, 'crashed');
    day.judge.hung(day.atMs, board.id, true);
    day.pass(HOUR);
    day.judge.hung(day.atMs, board.id, false);
    day.pass(MINUTE);
    board.begin(lease);
    day.judge.hung(day.atMs, board.id, true);
    day.pass(HOUR);
    board.power(false).finish(lease, 'power');
    expect(day.found).toEqual([]);
  });

  it('has to go on when it is over', () => {
    const day = new Day();
    const board = day.board('board 1');
    const lease = day.lease({ on: 'board 1' });
    board.assign([lease]).open(lease).deliver();
    board.finish(lease, 'crashed');
    day.judge.hung(day.atMs, board.id, true);
    day.pass(HOUR);
    day.judge.hung(day.atMs, board.id, false);
    day.pass(HOUR);
    board.begin(lease);
    expect(day.codes).toEqual(['not-restarted']);
  });
});
