import { describe, expect, it } from 'vitest';
import { Day, HOUR, MINUTE } from './day.ts';

describe('a day without faults', () => {
  it('breaks no promise', () => {
    const day = new Day();
    const board = day.board('board 1');
    const one = day.lease({ on: 'board 1' });
    board.assign([one]).open(one).deliver().ack();
    for (let i = 0; i < 6; i++) {
      day.pass(10 * MINUTE);
      board.record(one).deliver().ack().report();
    }
    day.closePeriod();
    for (let i = 0; i < 6; i++) {
      day.pass(10 * MINUTE);
      board.record(one).deliver().ack();
    }
    board.assign([]).close(one).deliver().ack();
    day.pass(HOUR).closePeriod().settle();
    expect(day.found).toEqual([]);
    expect(day.judge.tally).toEqual({
      ...{ recordsSigned: 14, recordsLost: 0, recordsBilledTwice: 0, amnesia: 0 },
      ...{ overlaps: 0, worstOverlapMs: 0, overlapStopMs: 0, worstRehomeMs: 0 },
    });
  });
});
