import { describe, expect, it } from 'vitest';
import type { Posting, Statement } from '../../../runtime/protocol/nouns/billing.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, idOf, secondOperator, signedRequest, signedVoucher, voucher } from '../../support/federation.ts';
import { Day, type DayBoard, HOUR, MINUTE, usedIn } from './day.ts';

interface Held {
  day: Day;
  board: DayBoard;
  one: Lease;
}

const run = ({ day, board, one }: Held, minutes: number): void => {
  for (let i = 0; i < minutes; i += 10) {
    day.pass(10 * MINUTE);
    board.record(one).deliver();
  }
};

const morning = (choice = {}): Held => {
  const day = new Day();
  const board = day.board('board 1');
  const one = day.lease({ on: 'board 1', ...choice });
  board.assign([one]).open(one);
  return { day, board, one };
};

type Bend = (posting: Posting, statement: Statement) => Partial<Posting>;

/** Changes the one posting of a statement, and what follows from it. */
const bent =
  (bend: Bend) =>
  (statement: Statement): Statement => ({
    ...statement,
    invoices: statement.invoices.map((invoice) => ({
      ...invoice,
      postings: invoice.postings.map((posting) => ({ ...posting, ...bend(posting, statement) })),
    })),
  });

/** Two boards after one another under a voucher that the second one finds nearly spent; the only statement is bent. */
const sharing = (bend: (statement: Statement) => Statement = (statement) => statement): Day => {
  const small = { serial: 2, capMicro: 60_000n };
  const hash = hashOf(voucherNoun, voucher(small));
  const day = new Day();
  day.sign(signedVoucher(small));
  const asked = day.sign(signedRequest({ sequence: 2, replicas: 8, voucher: hash }));
  for (const [term, name] of ['board 1', 'board 2'].entries()) {
    const board = day.board(name);
    const one = day.lease({ on: name, term: term + 1, voucher: hash, capMicro: small.capMicro });
    board.assign([one], asked).open(one);
    run({ day, board, one }, 60);
    board.assign([]).close(one).deliver();
  }
  return day.pass(HOUR).closePeriod(bend).settle();
};

/** Two periods; the second one's statement is bent. */
const settled = (bend: (statement: Statement) => Statement = (statement) => statement, choice = {}): Day => {
  const held = morning(choice);
  const { day, board, one } = held;
  run(held, 60);
  day.closePeriod();
  run(held, 60);
  board.assign([]).close(one).deliver();
  return day.pass(HOUR).closePeriod(bend).settle();
};

const reasonsOf = (day: Day): string[] =>
  day.stated.flatMap(({ invoices }) => invoices.flatMap(({ postings }) => postings.map(({ reason }) => reason)));

describe('statements that are right', () => {
  it('are acquitted', () => {
    expect(settled().found).toEqual([]);
  });

  it('are acquitted where a cap was reached', () => {
    const day = settled(undefined, { capMicro: 40_000n });
    expect(day.found).toEqual([]);
    expect(reasonsOf(day)).toEqual(['', 'cap']);
  });

  it('are acquitted where a voucher was spent', () => {
    const day = sharing();
    expect(day.found).toEqual([]);
    expect(reasonsOf(day).sort()).toEqual(['', 'cap']);
  });

  it('are acquitted in a currency that nobody pays', () => {
    const held = morning();
    const { day, board, one } = held;
    day.pass(MINUTE);
    board.meter(one).write(one, 'point', { tier: 'dev' });
    board.assign([]).close(one).deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.found).toEqual([]);
  });

  it('need not be there at all', () => {
    const held = morning();
    run(held, 60);
    held.day.settle(new Map([[idOf('gateway a'), []]]));
    expect(held.day.found).toEqual([]);
  });
});

describe('statements that are wrong', () => {
  it('voucher-overspent: two leases together cost more than it pays', () => {
    const bend = bent((posting) => (posting.reason === 'cap' ? { debitMicro: posting.debitMicro + 1n } : {}));
    expect(sharing(bend).codes).toContain('voucher-overspent');
  });

  it('uncharged-without-reason: a voucher is said to be spent that is not', () => {
    const bend = bent((posting) => (posting.reason === 'cap' ? { debitMicro: posting.debitMicro - 1n } : {}));
    expect(sharing(bend).codes).toContain('uncharged-without-reason');
  });

  it.each<[string, string[], Bend]>([
    ['a record charged a second time', ['billed-twice'], ({ fromSeq }) => ({ fromSeq: fromSeq - 2 })],
    ['records left out', ['usage-lost'], ({ fromSeq }) => ({ fromSeq: fromSeq + 1 })],
    ['a price that is not the rates’', ['not-zero-sum', 'wrong-price'], ({ debitMicro }) => ({ debitMicro: debitMicro + 1n })],
    ['parts that are not the whole', ['not-zero-sum', 'wrong-price'], ({ creditMicro }) => ({ creditMicro: creditMicro + 1n })],
    [
      'a fee that is not the operator’s, though the parts add up',
      ['not-zero-sum', 'wrong-price'],
      ({ creditMicro, feeMicro }) => ({ creditMicro: creditMicro - 5n, feeMicro: feeMicro + 5n }),
    ],
    ['another owner', ['not-zero-sum', 'wrong-price'], () => ({ owner: idOf('somebody') })],
    ['another currency', ['not-zero-sum', 'wrong-price'], () => ({ currency: 'USD' })],
    ['a tier that would not be paid', ['wrong-price'], () => ({ tier: 'dev' })],
    ['a lease that nobody signed', ['billed-more', 'usage-lost', 'wrong-price'], () => ({ lease: idOf('nobody') })],
  ])('%s', (_name, codes, bend) => {
    expect(settled(bent(bend)).codes).toEqual(codes);
  });

  it('counts the records that were billed twice', () => {
    const day = settled(bent(({ fromSeq }) => ({ fromSeq: fromSeq - 2 })));
    expect(day.judge.tally.recordsBilledTwice).toBe(2);
  });

  it.each<[string, (statement: Statement) => Statement]>([
    ['totals', (statement) => ({ ...statement, totals: statement.totals.map((one) => ({ ...one, chargesMicro: one.chargesMicro + 1n })) })],
    ['a payout', (statement) => ({ ...statement, payouts: statement.payouts.map((one) => ({ ...one, creditMicro: 0n })) })],
    ['a fee', (statement) => ({ ...statement, fees: [] })],
    [
      'an invoice',
      (statement) => ({ ...statement, invoices: statement.invoices.map((one) => ({ ...one, totalMicro: one.totalMicro * 2n })) }),
    ],
  ])('not-zero-sum: %s', (_name, bend) => {
    expect(settled(bend).codes).toEqual(['not-zero-sum']);
  });

  it('statement-chain: one that does not follow', () => {
    expect(settled((statement) => ({ ...statement, previous: new Uint8Array(32).fill(1) })).codes).toEqual(['statement-chain']);
  });

  it('statement-chain: no statement', () => {
    const day = new Day();
    day.settle(new Map([[idOf('gateway a'), [new Uint8Array(3)]]]));
    expect(day.codes).toEqual(['statement-chain']);
  });

  it('uncharged-without-reason: a part at rate zero', () => {
    const held = morning();
    run(held, 60);
    const free = bent(({ used }) => ({
      ...{ uncharged: used, debitMicro: 0n, creditMicro: 0n, feeMicro: 0n, roundingMicro: 0n },
    }));
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod((statement) => ({ ...free(statement), payouts: [], fees: [], totals: [] }));
    held.day.settle();
    expect(held.day.codes).toContain('uncharged-without-reason');
  });

  it.each(['cap', 'overlap'] as const)('uncharged-without-reason: %s is no reason here', (reason) => {
    expect(settled(bent(() => ({ reason }))).codes).toEqual(['uncharged-without-reason']);
  });
});

describe('statements-differ', () => {
  const two = (): Day => {
    const held = morning();
    run(held, 60);
    held.board.assign([]).close(held.one).deliver();
    return held.day.pass(HOUR).closePeriod();
  };
  /** The second gateway states these. */
  const settleAs = (day: Day, statements: Uint8Array[]): Day =>
    day.settle(
      new Map([
        [idOf('gateway a'), day.statements],
        [idOf('gateway b'), statements],
        [idOf('gateway c'), day.statements],
      ]),
    );
  const stating =
    (day: Day) =>
    (letter: string): [string, Uint8Array[]] => [idOf(`gateway ${letter}`), day.statements];
  const outcast = (day: Day) => {
    const log = day.log('gateway b', 'usage', new Uint8Array([1])).logs.get('gateway b');
    log?.pop();
    day.log('gateway b', 'usage', new Uint8Array([2]));
    log?.pop();
  };
  const others = (day: Day) => [new Uint8Array([...(day.statements[0] ?? []), 0])];

  it('one gateway says something else', () => {
    const day = two();
    settleAs(day, others(day));
    expect(day.codes).toEqual(['statements-differ']);
  });

  it.each<[string, (day: Day) => void]>([
    ['one gateway states nothing', (day) => settleAs(day, [])],
    ['one gateway was asked and has said nothing at all', (day) => day.settle(new Map(['a', 'c'].map(stating(day))))],
    [
      'one gateway states less, though its way was cut long ago',
      (day) => {
        day.judge.cutOff(day.atMs - HOUR, idOf('gateway b'), true);
        day.judge.cutOff(day.atMs - 10 * MINUTE, idOf('gateway b'), false);
        settleAs(day, []);
      },
    ],
  ])('%s', (_name, happens) => {
    const day = two();
    happens(day);
    expect(day.found).toEqual(['statements-differ: their statements differ from the 1. on, of 1 and 0']);
  });

  it.each<[string, (day: Day) => void]>([
    ['it lost its disk', (day) => day.forgets('gateway b')],
    ['it was told another history', (day) => day.judge.lies(day.atMs, idOf('gateway d'), idOf('gateway b'))],
    ['it is dead', (day) => day.judge.gateway(day.atMs, idOf('gateway b'), 'dead')],
    ['it does not run', (day) => day.judge.gateway(day.atMs, idOf('gateway b'), 'down')],
    ['nothing passes to it', (day) => day.judge.cutOff(day.atMs, idOf('gateway b'), true)],
    ['nothing passes between the two', (day) => day.judge.peered(day.atMs, idOf('gateway b'), idOf('gateway a'), false)],
    ['it wrote two histories', outcast],
    [
      'it has just come back',
      (day) => {
        day.judge.gateway(day.atMs, idOf('gateway b'), 'down');
        day.judge.gateway(day.atMs - MINUTE, idOf('gateway b'), 'up');
      },
    ],
  ])('one gateway states less, but %s', (_name, excuse) => {
    const day = two();
    excuse(day);
    settleAs(day, []);
    expect(day.found.filter((what) => !what.startsWith('forked-log'))).toEqual([]);
  });

  it('one that was told another history states something else, and as much', () => {
    const day = two();
    day.judge.lies(day.atMs, idOf('gateway d'), idOf('gateway b'));
    settleAs(day, others(day));
    expect(day.codes).toEqual(['statements-differ']);
  });

  it('but it lies', () => {
    const day = two();
    day.judge.lies(day.atMs, idOf('gateway b'));
    settleAs(day, others(day));
    expect(day.found).toEqual([]);
  });
});

describe('not-closed', () => {
  const asked = (): Held => {
    const held = morning();
    run(held, 60);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod();
    held.day.judge.closing(held.day.pass(MINUTE).atMs, idOf('gateway b'));
    held.day.pass(MINUTE);
    return held;
  };

  it('it was asked for, done and stated', () => {
    const { day } = asked();
    expect(day.closePeriod(undefined, 'gateway b').settle().found).toEqual([]);
  });

  it('it was asked for and not done; what was closed before does not count', () => {
    const { day } = asked();
    expect(day.settle().found).toEqual(['not-closed: it was told to close the period 60000 ms ago, and its log closes none since']);
  });

  it('it was done by somebody else alone', () => {
    const { day } = asked();
    expect(day.closePeriod(undefined, 'gateway a').settle().codes).toEqual(['not-closed']);
  });

  it('it was done and is stated by nobody', () => {
    const { day } = asked();
    day.closePeriod(undefined, 'gateway b').statements.pop();
    expect(day.settle().found).toEqual(['not-closed: it closed period 2, and states 1']);
  });

  it.each<[string, (day: Day) => void]>([
    ['is dead', (day) => day.dies('gateway b')],
    ['does not run', (day) => day.judge.gateway(day.atMs, idOf('gateway b'), 'down')],
    ['lies', (day) => day.judge.lies(day.atMs, idOf('gateway b'))],
    [
      'was started anew since',
      (day) => {
        day.judge.gateway(day.atMs, idOf('gateway b'), 'down');
        day.judge.gateway(day.atMs, idOf('gateway b'), 'up');
      },
    ],
  ])('whoever was asked %s', (_name, excuse) => {
    const { day } = asked();
    excuse(day);
    expect(day.settle().found).toEqual([]);
  });
});

describe('statement-changed', () => {
  /** Two periods, of which the first is asked for while it is the last. */
  const twice = (first: (statements: Uint8Array[]) => Uint8Array[]): Day => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    day.closePeriod();
    day.judge.stated(day.atMs, idOf('gateway b'), first([...day.statements]));
    run(held, 60);
    board.assign([]).close(one).deliver();
    return day.pass(HOUR).closePeriod();
  };
  const another = ([first]: Uint8Array[]): Uint8Array[] => [new Uint8Array([...(first ?? []), 0])];

  it('what was stated of a period stays', () => {
    expect(twice((statements) => statements).settle().found).toEqual([]);
  });

  it('it was something else', () => {
    expect(twice(another).settle().codes).toEqual(['statement-changed']);
  });

  it('but who stated it has lost its disk since, or lies', () => {
    for (const excuse of [(day: Day) => day.forgets('gateway b'), (day: Day) => day.judge.lies(day.atMs, idOf('gateway b'))]) {
      const day = twice(another);
      excuse(day);
      expect(day.settle().found).toEqual([]);
    }
  });
});

describe('what kernels counted', () => {
  it('usage-lost: a board that leaves some of it out', () => {
    const held = morning();
    run(held, 60);
    held.day.pass(5 * MINUTE);
    held.board.finish(held.one, 'crashed').metered.set(held.one.lease, HOUR);
    held.board.assign([]).write(held.one, 'close');
    held.board.deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.codes).toEqual(['usage-lost']);
  });

  it('billed-more: a board that counts twice', () => {
    const held = morning();
    run(held, 60);
    held.board.metered.set(held.one.lease, 2 * HOUR);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.codes).toEqual(['billed-more']);
  });

  it('billed-more: by one of what a kernel counts exactly', () => {
    const held = morning();
    run(held, 60);
    held.board
      .assign([])
      .finish(held.one, 'stopped')
      .write(held.one, 'close', {
        registers: { wallMs: BigInt(HOUR), ...used(HOUR), cpuMicros: usedIn(HOUR).cpuMicros + 1n },
      });
    held.board.deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.codes).toEqual(['billed-more']);
  });

  it('a start and a stop may take a moment of wall time', () => {
    const held = morning();
    run(held, 60);
    const slack = { wallMs: BigInt(HOUR + 9000), ...used(HOUR) };
    held.board.assign([]).finish(held.one, 'stopped').write(held.one, 'close', { registers: slack });
    held.board.deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.found).toEqual([]);
  });

  it('billed-more: time without power', () => {
    const held = morning();
    run(held, 60);
    held.board.finish(held.one, 'power').power(false);
    held.day.pass(5 * MINUTE);
    held.board.power(true).welcome().begin(held.one);
    held.board.metered.set(held.one.lease, HOUR + 5 * MINUTE);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.codes).toEqual(['billed-more']);
  });

  it('a program that still runs is judged by what is told of it', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    day.closePeriod();
    day.judge.counted(day.atMs, board.id, one.lease, usedIn(HOUR));
    expect(day.settle().found).toEqual([]);
  });

  it('billed-more: of a program that still runs', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    day.closePeriod();
    day.judge.counted(day.atMs, board.id, one.lease, usedIn(HOUR - 1));
    expect(day.settle().codes).toEqual(['billed-more']);
  });

  it('usage-lost: of a program that still runs, and of which there was no record for long', () => {
    const held = morning();
    run(held, 20);
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.codes).toEqual(['usage-lost']);
  });

  it('what passed since the last record goes with the power', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    day.pass(9 * MINUTE);
    board.finish(one, 'power').power(false);
    day.pass(HOUR);
    board.power(true).welcome().begin(one);
    run(held, 60);
    board.assign([]).close(one).deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.found).toEqual([]);
  });

  it('usage-lost: what passed before it does not', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    board.finish(one, 'power').power(false);
    day.pass(HOUR);
    board
      .power(true)
      .welcome()
      .begin(one)
      .metered.set(one.lease, HOUR - 1);
    run(held, 60);
    board.assign([]).close(one).deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes).toEqual(['usage-lost']);
  });

  it('usage-lost: the power went long after the last record', () => {
    const held = morning();
    held.day.pass(30 * MINUTE);
    held.board.finish(held.one, 'power').power(false);
    expect(held.day.codes).toEqual(['usage-lost']);
  });

  it('the power may go long after the last record where there was no room for one', () => {
    const held = morning();
    held.board.card('full');
    held.day.pass(30 * MINUTE);
    held.board.finish(held.one, 'power').power(false);
    expect(held.day.found).toEqual([]);
  });

  it('usage-lost: the memory that was held while there was no room for a record', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    board.card('full');
    day.pass(HOUR);
    board.card('room');
    const registers = { ...used(2 * HOUR), memoryMibS: used(HOUR).memoryMibS };
    board.assign([]).finish(one, 'stopped').write(one, 'close', { registers });
    board.deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes).toEqual(['usage-lost']);
  });

  it('the wall time of what ended while no runtime looked is charged to nobody', () => {
    const held = morning();
    const { day, board, one } = held;
    run(held, 60);
    day.judge.runtime(day.atMs, board.id, false);
    day.pass(4 * MINUTE);
    board.finish(one, 'crashed');
    day.judge.runtime(day.atMs, board.id, true);
    const registers = { ...used(HOUR + 4 * MINUTE), wallMs: BigInt(HOUR), memoryMibS: used(HOUR).memoryMibS };
    board.welcome().assign([]).write(one, 'close', { registers });
    board.deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.found).toEqual([]);
  });

  it('what a clone counts is nobody’s', () => {
    const held = morning();
    run(held, 60);
    held.board.card('cloned').metered.set(held.one.lease, 5 * HOUR);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.found).toEqual([]);
  });

  it('a lease that does not stand is not charged', () => {
    // Of eight replicas this is the tenth.
    const held = morning({ index: 9 });
    run(held, 60);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.found).toEqual([]);
    expect(held.day.stated.at(-1)?.invoices).toEqual([]);
  });

  it('usage-lost: one that stands is', () => {
    const held = morning();
    run(held, 60);
    held.board.assign([]).close(held.one).deliver();
    held.day
      .pass(HOUR)
      .closePeriod((statement) => ({ ...statement, invoices: [], payouts: [], fees: [], totals: [] }))
      .settle();
    expect(held.day.codes).toEqual(['usage-lost']);
    expect(held.day.judge.tally.recordsLost).toBe(7);
  });

  it('what a revoked key signed is charged or not', () => {
    const held = morning();
    run(held, 20);
    held.day.sign(secondOperator({ revoked: [keyOf('board 1').publicKey] }));
    run(held, 20);
    held.board.assign([]).close(held.one).deliver();
    held.day.pass(HOUR).closePeriod().settle();
    expect(held.day.found).toEqual([]);
    expect(held.day.stated.at(-1)?.invoices).toEqual([]);
  });
});

/** Of what the registers say after so long. */
const used = (ms: number) => {
  const { cpuMicros, netInBytes, netOutBytes, diskBytes } = usedIn(ms);
  return { cpuMicros, netInBytes, netOutBytes, diskBytes, memoryMibS: (16n * BigInt(ms)) / 1000n };
};
