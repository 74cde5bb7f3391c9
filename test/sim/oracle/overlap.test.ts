import { describe, expect, it } from 'vitest';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { idOf } from '../../support/federation.ts';
import { Day, type DayBoard, HOUR, MINUTE, START_MS } from './day.ts';

/** One instance on two boards: the second took it over. */
const twice = (choice: Partial<Lease> = {}, homes: [string, string] = ['gateway a', 'gateway b']) => {
  const day = new Day();
  const [first, second] = ['board 1', 'board 2'].map((name) => day.board(name)) as [DayBoard, DayBoard];
  first.welcome(homes[0]);
  second.welcome(homes[1]);
  const one = day.lease({ on: 'board 1', ...choice });
  const two = day.lease({ on: 'board 2', term: 2, ...choice });
  first.assign([one]).open(one).deliver();
  return { day, first, second, one, two };
};

describe('two boards that run one instance', () => {
  it('may while one of them is cut off', () => {
    const { day, first, second, one, two } = twice();
    day.pass(MINUTE);
    first.reach(false);
    day.pass(10 * MINUTE);
    second.assign([two]).open(two);
    day.pass(5 * HOUR);
    first.reach(true).welcome('gateway a').assign([]);
    day.pass(MINUTE);
    first.close(one);
    expect(day.found).toEqual([]);
    expect(day.judge.tally).toMatchObject({ overlaps: 1, worstOverlapMs: MINUTE });
  });

  it('may while their homes do not hear each other', () => {
    const { day, second, two } = twice();
    day.judge.peered(0, idOf('gateway a'), idOf('gateway b'), false);
    second.assign([two]).open(two);
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it('may on one board, where one lease makes way for the next', () => {
    const { day, first, one } = twice();
    const next = day.lease({ on: 'board 1', term: 3 });
    first.assign([one, next]).open(next);
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it('overlap-too-long', () => {
    const { day, first, second, one, two } = twice();
    second.assign([two]).open(two);
    day.pass(10 * MINUTE);
    first.assign([]).close(one);
    expect(day.codes).toEqual(['overlap-too-long']);
    expect(day.judge.tally).toMatchObject({ overlaps: 1, worstOverlapMs: 10 * MINUTE });
  });

  it('overlap-too-long, seen when one is cut off in the end', () => {
    const { day, first, second, two } = twice();
    second.assign([two]).open(two);
    day.pass(10 * MINUTE);
    first.reach(false);
    expect(day.codes).toEqual(['overlap-too-long']);
  });

  it('overlap-too-long, at one home', () => {
    const { day, second, two } = twice({}, ['gateway c', 'gateway c']);
    second.assign([two]).open(two);
    day.pass(10 * MINUTE).settle(new Map());
    expect(day.codes).toEqual(['overlap-too-long']);
  });

  it('the time runs anew after each outage', () => {
    const { day, first, second, two } = twice();
    second.assign([two]).open(two);
    for (let i = 0; i < 5; i++) {
      day.pass(4 * MINUTE);
      first.reach(false);
      day.pass(MINUTE);
      first.reach(true).report();
    }
    day.judge.gateway(day.atMs, idOf('gateway b'), 'down');
    day.pass(HOUR);
    expect(day.codes).toEqual([]);
  });

  it('is nobody’s fault where a card was cloned', () => {
    const { day, first, second, two } = twice();
    second.assign([two]).open(two);
    first.card('cloned');
    day.pass(HOUR).settle(new Map());
    expect(day.found).toEqual([]);
  });

  it('may while one of their homes was told another history than the rest, or lost what it knew', () => {
    for (const excuse of [(day: Day) => day.judge.lies(0, idOf('gateway c'), idOf('gateway b')), (day: Day) => day.forgets('gateway b')]) {
      const { day, second, two } = twice();
      excuse(day);
      second.assign([two]).open(two);
      day.pass(HOUR).settle(new Map());
      expect(day.found).toEqual([]);
    }
  });

  it('overlap-too-long: what was told to a third one is no excuse', () => {
    const { day, second, two } = twice();
    day.judge.lies(0, idOf('gateway c'), idOf('gateway d'));
    second.assign([two]).open(two);
    day.pass(HOUR).settle(new Map());
    expect(day.codes).toEqual(['overlap-too-long']);
  });

  it('overlap-stop: for a moment', () => {
    const { day, first, second, one, two } = twice({ onIsolation: 'stop' });
    first.reach(false);
    second.assign([two]).open(two);
    day.pass(7);
    first.finish(one, 'crashed');
    expect(day.codes).toEqual(['overlap-stop']);
    expect(day.judge.tally.overlapStopMs).toBe(7);
  });

  it('a stop instance may follow on itself', () => {
    const { day, first, second, one, two } = twice({ onIsolation: 'stop' });
    day.pass(MINUTE);
    first.assign([]).close(one);
    second.assign([two]).open(two);
    day.pass(MINUTE).settle(new Map());
    expect(day.judge.tally.overlapStopMs).toBe(0);
    expect(day.found).toEqual([]);
  });
});

describe('terms', () => {
  const same = (guardianName: string, happens: (day: Day) => void = () => {}) => {
    const day = new Day();
    const [first, second] = ['board 1', 'board 2'].map((name) => day.board(name)) as [DayBoard, DayBoard];
    const one = day.lease({ on: 'board 1' });
    first.assign([one]).open(one).deliver();
    happens(day);
    const two = day.lease({ on: 'board 2', guardianName });
    first.assign([]).close(one).deliver();
    second.assign([two]).open(two).deliver();
    return day.pass(MINUTE).settle(new Map());
  };

  it('term-twice: a guardian gives one instance two leases of one term', () => {
    expect(same('gateway a').codes).toEqual(['term-twice']);
  });

  it('two guardians that do not hear each other may', () => {
    expect(same('gateway b').found).toEqual([]);
  });

  it('and one that lost its disk', () => {
    expect(same('gateway a', (day) => day.forgets('gateway a')).found).toEqual([]);
  });
});

describe('what an overlap is charged', () => {
  const work = (board: DayBoard, lease: Lease, day: Day, minutes: number, wallOffsetMs = 0): void => {
    for (let i = 0; i < minutes; i += 10) {
      day.pass(10 * MINUTE);
      board.meter(lease).write(lease, 'point', { wallMs: START_MS + day.atMs + wallOffsetMs });
    }
  };

  /** The first board is cut off and goes on for two hours beside the second. */
  const beside = (wallOffsetMs: number, limits = {}, guardianAheadMs = 0) => {
    const day = new Day(limits);
    const [first, second] = ['board 1', 'board 2'].map((name) => day.board(name)) as [DayBoard, DayBoard];
    const one = day.lease({ on: 'board 1' });
    const two = day.lease({ on: 'board 2', term: 2, openedMs: START_MS + 10 * MINUTE + guardianAheadMs });
    first.assign([one]).open(one).deliver();
    first.reach(false);
    day.pass(10 * MINUTE);
    second.assign([two]).open(two).deliver();
    const began = day.atMs;
    work(first, one, day, 120, wallOffsetMs);
    // The second one's records of the same time.
    const ended = day.atMs;
    day.atMs = began;
    work(second, two, day, 120);
    day.atMs = ended;
    first.reach(true).welcome().assign([]).close(one).deliver();
    second.deliver();
    day.pass(MINUTE);
    second.assign([]).close(two).deliver();
    return day.pass(HOUR).closePeriod().settle();
  };

  it('is charged once', () => {
    expect(beside(0).found).toEqual([]);
  });

  it('overlap-charged: records of an earlier time than they were made at', () => {
    expect(beside(-3 * HOUR, { startsMs: null }).codes).toEqual(['overlap-charged']);
  });

  it('where that clock was known to be wrong, nobody can know', () => {
    expect(beside(-3 * HOUR).found).toEqual([]);
  });

  it('overlap-charged: the second one is signed an hour ahead of time', () => {
    expect(beside(0, { startsMs: null }, HOUR).codes).toEqual(['overlap-charged']);
  });

  it("and where it was its guardian's clock that was wrong, nobody can know either", () => {
    expect(beside(0, {}, HOUR).found).toEqual([]);
  });
});
