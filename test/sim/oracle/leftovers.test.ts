import { describe, expect, it } from 'vitest';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { keyOf } from '../../support/crypto.ts';
import { idOf, operatorDoc, secondOperator, signedRequest } from '../../support/federation.ts';
import { asked, Day, type DayBoard, HOUR, MINUTE } from './day.ts';

interface Held {
  day: Day;
  board: DayBoard;
  one: Lease;
}

const morning = (): Held => {
  const day = new Day();
  const board = day.board('board 1');
  const one = day.lease({ on: 'board 1' });
  board.assign([one]).open(one).deliver();
  return { day, board, one };
};

const DESTROYED = { sequence: 2, state: 'destroyed' } as const;

/** A cut that ended a moment before the end. */
const returns = ({ day, board }: Held): void => {
  board.reach(false);
  day.pass(MINUTE);
  board.reach(true).welcome();
};

const NOTHING_IN_THE_WAY = 20 * MINUTE;
const EXCUSES: [string, (held: Held) => unknown][] = [
  ['without power', ({ board }) => board.power(false)],
  ['that reaches nobody', ({ board }) => board.reach(false)],
  ['that reaches somebody again since a minute ago', returns],
  ['whose card takes no writes', ({ board }) => board.card('dead')],
  ['whose card has no room', ({ board }) => board.card('full')],
  ['that lives twice', ({ board }) => board.card('cloned')],
  ['whose runtime hangs', ({ day, board }) => day.judge.hung(day.atMs, board.id, true)],
  ['whose home is dead', ({ day }) => day.dies('gateway a')],
  ['whose home lies', ({ day }) => day.judge.lies(day.atMs, idOf('gateway a'))],
  ['that has found another home a minute ago', ({ board }) => board.welcome('gateway b')],
  [
    'whose home could be reached by nobody until a minute ago',
    ({ day }) => [true, false].map((is) => day.judge.cutOff(day.atMs, idOf('gateway a'), is)),
  ],
  ['whose home is cut off', ({ day }) => day.judge.cutOff(day.atMs, idOf('gateway a'), true)],
];

describe('runs-on', () => {
  const withdrawn = (): Held => {
    const held = morning();
    held.day.pass(HOUR);
    asked(held.day, DESTROYED);
    held.day.pass(NOTHING_IN_THE_WAY);
    return held;
  };

  it('what was withdrawn runs', () => {
    const { day } = withdrawn();
    expect(day.settle().found).toEqual([`runs-on: ${NOTHING_IN_THE_WAY} ms after its board's home came to know that it is to be no more`]);
  });

  it('what was withdrawn runs, and no gateway would hear of it', () => {
    const { day } = morning();
    day.pass(HOUR).judge.signed(signedRequest(DESTROYED).body);
    expect(day.settle().found).toEqual(['runs-on: no gateway took the word that it is to be no more']);
  });

  it('but it has ended', () => {
    const { day, board, one } = withdrawn();
    board.assign([]).finish(one, 'stopped');
    expect(day.settle().found).toEqual([]);
  });

  it('but its tenant has wanted it again since, or only stopped', () => {
    const { day } = withdrawn();
    asked(day, { sequence: 3, state: 'stopped' });
    expect(day.settle().found).toEqual([]);
  });

  it('but its home has known so for a minute', () => {
    const { day } = morning();
    day.pass(HOUR);
    asked(day, DESTROYED);
    expect(day.pass(MINUTE).settle().found).toEqual([]);
  });

  it('but its home lost its disk and does not know', () => {
    const { day } = withdrawn();
    day.forgets('gateway a');
    expect(day.settle().found).toEqual([]);
  });

  it('but only a gateway that is dead knew', () => {
    const { day } = morning();
    day.pass(HOUR).judge.signed(signedRequest(DESTROYED).body);
    day.log('gateway b', 'request', signedRequest(DESTROYED).body, ['gateway b']).dies('gateway b');
    expect(day.pass(NOTHING_IN_THE_WAY).settle().found).toEqual([]);
  });

  it.each(EXCUSES)('on a board %s', (_name, excuse) => {
    const held = withdrawn();
    excuse(held);
    expect(
      held.day
        .pass(MINUTE)
        .settle()
        .found.filter((what) => what.startsWith('runs-on')),
    ).toEqual([]);
  });
});

describe('never-delivered', () => {
  /** Delivered or not, its card holds the first record. */
  const holding = (): Held => {
    const held = morning();
    held.day.pass(HOUR).judge.left(held.day.atMs, held.board.id, [1]);
    return held;
  };

  it('a card holds what two gateways have', () => {
    expect(holding().day.settle().found).toEqual(['never-delivered: it holds 1 of its records still, the first is 1 of 1']);
  });

  it('a card holds what nobody has', () => {
    const day = new Day();
    const board = day.board('board 1');
    const one = day.lease({ on: 'board 1' });
    board.assign([one]).open(one);
    day.pass(HOUR).judge.left(day.atMs, board.id, [1]);
    expect(day.settle().found).toEqual(['never-delivered: it holds 1 of its records still, the first is 1 of 1']);
  });

  it('but it was written a minute ago', () => {
    const { day, board, one } = holding();
    board.record(one);
    day.pass(MINUTE).judge.left(day.atMs, board.id, [2]);
    expect(day.settle().found).toEqual([]);
  });

  it('but no second gateway is there that could hold it', () => {
    const { day } = holding();
    day.dies('gateway b').forgets('gateway c');
    expect(day.settle().found).toEqual([]);
  });

  it('but nothing passes between its home and the others', () => {
    const { day } = holding();
    for (const other of ['gateway b', 'gateway c']) day.judge.peered(day.atMs, idOf('gateway a'), idOf(other), false);
    expect(day.settle().found).toEqual([]);
  });

  it('but the others could be reached by nobody until a minute ago', () => {
    const { day } = holding();
    for (const other of ['gateway b', 'gateway c']) for (const is of [true, false]) day.judge.cutOff(day.atMs, idOf(other), is);
    expect(day.pass(MINUTE).settle().found).toEqual([]);
  });

  it('a federation of one needs no second gateway', () => {
    const { day } = holding();
    const [first] = operatorDoc().gateways;
    day.sign(secondOperator({ gateways: first === undefined ? [] : [first] }));
    day.dies('gateway b').dies('gateway c');
    expect(day.settle().codes).toEqual(['never-delivered']);
  });

  it('but its home lost its disk, and is believed by nobody', () => {
    const { day } = holding();
    day.forgets('gateway a');
    expect(day.settle().found).toEqual([]);
  });

  it('but what it follows on died with the gateway that had it', () => {
    const { day, board, one } = morning();
    day.pass(MINUTE);
    board.record(one).deliver('gateway b', ['gateway b']);
    day.pass(MINUTE);
    board.record(one);
    day.pass(HOUR).judge.left(day.atMs, board.id, [3]);
    expect(day.dies('gateway b').settle().found).toEqual([]);
  });

  it('but what it follows on stands in the log of a liar who told its home another history', () => {
    const { day, board, one } = morning();
    day.judge.lies(day.atMs, idOf('gateway c'), idOf('gateway a'));
    day.pass(MINUTE);
    board.record(one).deliver('gateway c', ['gateway b', 'gateway c']);
    day.pass(MINUTE);
    board.record(one);
    day.pass(HOUR).judge.left(day.atMs, board.id, [3]);
    expect(day.settle().found).toEqual([]);
  });

  it('but there are two histories of it, as its card lost the first one', () => {
    const { day, board, one } = morning();
    board.card('lost-writes').end = { seq: 0, hash: new Uint8Array(32) };
    day.pass(MINUTE);
    board.record(one);
    day.pass(HOUR).judge.left(day.atMs, board.id, [1]);
    expect(day.settle().found).toEqual([]);
  });

  it('but the key that signed it was revoked', () => {
    const { day } = holding();
    day.sign(secondOperator({ revoked: [keyOf('board 1').publicKey] }));
    expect(day.settle().found).toEqual([]);
  });

  it.each(EXCUSES)('on a board %s', (_name, excuse) => {
    const held = holding();
    excuse(held);
    expect(
      held.day
        .pass(MINUTE)
        .settle()
        .found.filter((what) => what.startsWith('never-delivered')),
    ).toEqual([]);
  });
});
