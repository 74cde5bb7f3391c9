import { describe, expect, it } from 'vitest';
import { decodeAs } from '../../../runtime/protocol/noun.ts';
import { entryBytes, entrySchema } from '../../../runtime/protocol/nouns/log.ts';
import { GATEWAYS, idOf, payloadHash, signedOperator, usageChain } from '../../support/federation.ts';
import { Day, type DayBoard, HOUR, MINUTE, START_MS } from './day.ts';

/** A program that has been running for ten minutes. */
const forenoon = () => {
  const day = new Day();
  const board = day.board('board 1');
  const one = day.lease({ on: 'board 1' });
  board.assign([one]).open(one);
  day.pass(10 * MINUTE);
  board.record(one);
  return { day, board, one };
};

/** Ends it all, and brings everything. */
const evening = ({ day, board, one }: ReturnType<typeof forenoon>): void => {
  board.assign([]).close(one).deliver();
  day.pass(HOUR).closePeriod().settle();
};

/** Another record of a number that there is already. */
const contradiction = ({ board, one }: ReturnType<typeof forenoon>): Uint8Array =>
  usageChain('board 1', [{ lease: one.lease, wallMs: START_MS + 1, registers: { cpuMicros: 1n } }], {
    seq: board.end.seq - 1,
    hash: new Uint8Array(32).fill(1),
  })[0]!.body;

describe('chain-broken', () => {
  it('two records of one number', () => {
    const held = forenoon();
    held.day.judge.wrote(held.day.atMs, held.board.id, contradiction(held));
    expect(held.day.codes).toEqual(['chain-broken']);
  });

  it('a record that does not follow', () => {
    const { day, board, one } = forenoon();
    board.end = { ...board.end, hash: new Uint8Array(32).fill(9) };
    board.record(one);
    expect(day.codes).toEqual(['chain-broken']);
  });

  it.each(['lost-writes', 'cloned'] as const)('not where the card is at fault: %s', (fault) => {
    const held = forenoon();
    held.board.deliver().card(fault);
    held.day.judge.wrote(held.day.atMs, held.board.id, contradiction(held));
    expect(held.day.found).toEqual([]);
  });

  it('not where the board goes on from what it remembers, far enough above what it forgot', () => {
    const { day, board, one } = forenoon();
    const [first] = board.outbox;
    board.deliver('gateway a', ['gateway a']).card('lost-writes');
    board.end = { seq: 999, hash: payloadHash(first!.body) };
    board.meter(one).write(one, 'point', { amnesia: true });
    expect(day.judge.tally.amnesia).toBe(1);
    // The second one it holds no more, wherever that stands.
    day.log('gateway b', 'usage', first!.body);
    board.deliver('gateway a', ['gateway a', 'gateway b']).ack(1000, 1000);
    day.judge.pruned(day.atMs, board.id, 1000);
    expect(day.found).toEqual([]);
  });

  it('a board that lost nothing and goes on from another one all the same', () => {
    const { day, board, one } = forenoon();
    board.end = { ...board.end, hash: payloadHash(board.outbox[0]!.body) };
    board.meter(one).write(one, 'point', { amnesia: true });
    expect(day.codes).toEqual(['chain-broken']);
  });

  it('not where another key of the board signed the same', () => {
    const { day, board, one } = forenoon();
    const start = { ...board.end };
    const record = board.record(one).outbox.at(-1)!;
    const [again] = usageChain(
      'board 1',
      [{ lease: one.lease, wallMs: START_MS + day.atMs, monoMs: day.atMs, registers: registersIn(board, one.lease) }],
      start,
      'another key',
    );
    expect(again!.body).not.toEqual(record.body);
    day.judge.wrote(day.atMs, board.id, again!.body);
    expect(day.found).toEqual([]);
    expect(day.judge.tally.recordsSigned).toBe(3);
  });
});

describe('began-unrecorded', () => {
  /** The zero record of a second lease, under a number that was used before. */
  const another = (card: boolean) => {
    const { day, board, one } = forenoon();
    const other = day.lease({ on: 'board 1', index: 1 });
    board.assign([one, other]).deliver();
    if (card) board.card('lost-writes');
    board.end = { seq: 1, hash: new Uint8Array(32).fill(9) };
    if (card) board.write(other, 'open');
    board.begin(other);
    return day;
  };

  it('not where the zero record took a number that the board had used and forgot', () => {
    expect(another(true).found).toEqual([]);
  });

  it('there is none', () => {
    expect(another(false).codes).toEqual(['began-unrecorded']);
  });
});

describe('opened-twice', () => {
  it('a lease that was closed is opened again', () => {
    const { day, board, one } = forenoon();
    board.assign([]).close(one);
    board.metered.clear();
    board.assign([one]).write(one, 'open');
    expect(day.codes).toEqual(['opened-twice']);
  });

  it('not by a board that lost its first record', () => {
    const { day, board, one } = forenoon();
    board.card('lost-writes').metered.clear();
    board.write(one, 'open');
    expect(day.found).toEqual([]);
  });
});

/** As `meter` last read them. */
const registersIn = (board: DayBoard, lease: string) => {
  const ms = BigInt(board.metered.get(lease) ?? 0);
  return {
    ...{ wallMs: ms, cpuMicros: 100n * ms, memoryMibS: (16n * ms) / 1000n, netInBytes: ms, netOutBytes: 2n * ms, diskBytes: 3n * ms },
  };
};

describe('acknowledgements', () => {
  it('say what is on the disks', () => {
    const { day, board } = forenoon();
    board.deliver('gateway a', ['gateway a']).ack(2, 0);
    for (const { body } of board.outbox) day.log('gateway a', 'usage', body);
    expect(day.found).toEqual([]);
  });

  it('acked-not-stored', () => {
    const { day, board } = forenoon();
    board.ack(1, 0);
    expect(day.codes).toEqual(['acked-not-stored']);
  });

  it('acked-not-replicated: on one disk only', () => {
    const { day, board } = forenoon();
    board.deliver('gateway a', ['gateway a']).ack(2, 1);
    expect(day.codes).toEqual(['acked-not-replicated']);
  });

  it('acked-not-replicated: one before it is missing on the second disk', () => {
    const { day, board, one } = forenoon();
    board.deliver('gateway a', ['gateway a']);
    board.record(one).deliver('gateway a', ['gateway a', 'gateway b']).ack(3, 3);
    expect(day.codes).toEqual(['acked-not-replicated']);
  });

  it('say nothing of what a second board with a copied card has not brought', () => {
    const { day, board, one } = forenoon();
    const start = { ...board.end };
    board.deliver().card('cloned');
    // The original goes on and tells nobody; the copy tells all of it.
    board.record(one).outbox.length = 0;
    board.end = { ...start, seq: 999 };
    board.record(one).deliver().ack(1000, 1000);
    expect(day.found).toEqual([]);
  });

  it('a record of another gateway’s log is on this disk as well', () => {
    const { day, board } = forenoon();
    board.deliver('gateway a', ['gateway a', 'gateway b']).hello('gateway b').ack(2, 2, 'gateway b');
    expect(day.found).toEqual([]);
  });

  it('one disk is enough where there is one gateway', () => {
    const { day, board } = forenoon();
    const alone = signedOperator({ version: 2, previous: new Uint8Array(32), retired: GATEWAYS.slice(1).map((name) => idOf(name)) });
    day.sign(alone);
    board.deliver('gateway a', ['gateway a']).ack(2, 2);
    expect(day.found).toEqual([]);
  });

  it('what was kept counts though a disk was lost since', () => {
    const { day, board } = forenoon();
    board.deliver();
    day.judge.forgot(day.atMs, idOf('gateway a'), null);
    day.pass(MINUTE);
    board.ack(2, 2);
    day.pass(HOUR);
    board.ack(0, 2);
    expect(day.found).toEqual([]);
    board.ack(2, 2);
    expect(day.codes).toEqual(['acked-not-stored']);
  });

  it('an older disk may have it still', () => {
    const { day, board } = forenoon();
    board.deliver();
    day.judge.forgot(day.atMs, idOf('gateway a'), 0);
    day.pass(HOUR);
    board.ack(2, 2);
    expect(day.found).toEqual([]);
  });
});

describe('pruned-too-early', () => {
  it('not once two disks hold it', () => {
    const { day, board } = forenoon();
    board.deliver('gateway a', ['gateway a', 'gateway b']);
    day.judge.pruned(day.atMs, board.id, 2);
    expect(day.found).toEqual([]);
  });

  it('one disk is not enough', () => {
    const { day, board } = forenoon();
    board.deliver('gateway a', ['gateway a']);
    day.judge.pruned(day.atMs, board.id, 1);
    expect(day.codes).toEqual(['pruned-too-early']);
  });
});

describe('forked-log', () => {
  const fork = (day: Day): void => {
    const [entry] = day.logs.get('gateway a') ?? [];
    const other = entryBytes({ ...entry!, kind: 'admit', body: new Uint8Array(3) });
    expect(decodeAs(entrySchema, other, 'entry').seq).toBe(0);
    day.judge.kept(day.atMs, idOf('gateway c'), other);
  };

  it('two entries at one place', () => {
    const { day } = forenoon();
    fork(day);
    expect(day.codes).toEqual(['forked-log']);
  });

  it('not of a liar, whose statements count for nothing', () => {
    const held = forenoon();
    const { day } = held;
    day.judge.lies(day.atMs, idOf('gateway a'));
    fork(day);
    held.board.welcome('gateway b').assign([]).close(held.one).deliver();
    day.pass(HOUR).closePeriod();
    day.settle(new Map([[idOf('gateway a'), []], ...['gateway b', 'gateway c'].map((name) => [idOf(name), day.statements] as const)]));
    expect(day.found).toEqual([]);
  });

  it('not of one that lost its disk', () => {
    const { day } = forenoon();
    day.judge.forgot(day.atMs, idOf('gateway a'), null);
    fork(day);
    expect(day.found).toEqual([]);
  });
});

describe('records in the end', () => {
  it('are all in statements', () => {
    const held = forenoon();
    evening(held);
    expect(held.day.found).toEqual([]);
    expect(held.day.judge.tally.recordsLost).toBe(0);
  });

  it('leave out numbers, also before the first one', () => {
    const day = new Day();
    const board = day.board('board 1');
    const one = day.lease({ on: 'board 1' });
    board.end = { ...board.end, seq: 1499 };
    board.assign([one]).open(one);
    day.pass(10 * MINUTE);
    board.end = { ...board.end, seq: 2999 };
    board.record(one);
    evening({ day, board, one });
    expect(day.found).toEqual([]);
    expect(day.judge.tally.recordsLost).toBe(0);
  });

  it('usage-lost: one was never brought', () => {
    const { day, board, one } = forenoon();
    board.assign([]).close(one).deliver();
    const other = day.lease({ on: 'board 1', index: 1 });
    board.assign([other]).open(other);
    day.pass(MINUTE);
    board.assign([]).close(other).outbox.length = 0;
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes).toEqual(['usage-lost']);
    expect(day.judge.tally.recordsLost).toBe(1);
  });

  it.each<[string, (day: Day, board: DayBoard) => void]>([
    ['the board has no power', (_day, board) => board.power(false)],
    ['the board cannot reach anybody', (_day, board) => board.reach(false)],
    ['the card is dead', (_day, board) => board.card('dead')],
    ['the card has no room', (_day, board) => board.card('full')],
    ['its home went back to an older disk', (day) => day.forgets('gateway a', 0)],
    ['its home lies', (day) => day.judge.lies(day.atMs, idOf('gateway a'))],
    [
      'the board came back a moment ago',
      (day, board) => {
        board.reach(false);
        day.pass(2 * HOUR - MINUTE - day.atMs);
        board.reach(true).welcome();
      },
    ],
  ])('may be missing when %s', (_name, happens) => {
    const { day, board, one } = forenoon();
    board.deliver();
    day.pass(MINUTE);
    board.assign([]).close(one);
    happens(day, board);
    day
      .pass(2 * HOUR - day.atMs)
      .closePeriod(undefined, 'gateway b')
      .settle();
    expect(day.found).toEqual([]);
  });

  it('may be missing when they were written a moment ago', () => {
    const { day, board, one } = forenoon();
    board.deliver();
    day.pass(10 * MINUTE);
    board.record(one);
    day.pass(MINUTE).closePeriod().settle();
    expect(day.found).toEqual([]);
  });

  it('may be missing from where two histories begin', () => {
    const held = forenoon();
    const { day, board } = held;
    board.deliver().card('lost-writes');
    day.log('gateway a', 'usage', contradiction(held));
    evening(held);
    expect(day.found).toEqual([]);
  });

  it.each([
    ['may not be missing of a lease whose guardian died before anybody heard of it: its board brings that, too', true, ['usage-lost']],
    ['may be missing of such a lease where its board had no time to bring it', false, []],
  ])('%s', (_says, hasTime, found) => {
    const day = new Day();
    const board = day.board('board 1');
    day.alive = ['gateway c'];
    const one = day.lease({ on: 'board 1', guardianName: 'gateway c' });
    day.alive = [...GATEWAYS];
    board.assign([one], undefined, 'gateway a').open(one);
    day.logs.delete('gateway c');
    day.dies('gateway c');
    day.pass(MINUTE);
    board.assign([]).close(one).deliver();
    if (!hasTime) board.power(false);
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes).toEqual(found);
  });

  it.each([
    ['whose guardian went back to an older disk, and wrote others in its place', (day: Day) => day.forgets('gateway c', 0), []],
    ['whose guardian is said to have it still', () => {}, ['usage-lost']],
  ])('of a lease %s', (_says, forget, found) => {
    const day = new Day();
    const board = day.board('board 1');
    day.pass(MINUTE).alive = ['gateway c'];
    const one = day.lease({ on: 'board 1', guardianName: 'gateway c' });
    day.alive = [...GATEWAYS];
    board.assign([one], undefined, 'gateway a').open(one);
    const size = day.logs.get('gateway c')?.length ?? 0;
    day.logs.delete('gateway c');
    forget(day);
    for (let i = 0; i < size; i++) day.log('gateway c', 'presence', new Uint8Array([i]), ['gateway c']);
    day.pass(MINUTE);
    board.assign([]).close(one).deliver().power(false);
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes.filter((code) => code === 'usage-lost')).toEqual(found);
  });

  /** A record reaches two of three gateways by the log of one that lies; then its board comes home to the third, the last that lives. */
  const afterLie = (victim: string) => {
    const held = forenoon();
    const { day, board, one } = held;
    board.deliver();
    day.judge.lies(day.atMs, idOf('gateway a'), idOf(victim));
    day.pass(MINUTE);
    board.record(one).deliver('gateway a', ['gateway a', 'gateway b']);
    day.logs.get('gateway a')?.pop();
    day.dies('gateway a').dies('gateway b');
    board.welcome('gateway c').assign([]).close(one).outbox.length = 0;
    day.pass(HOUR).closePeriod();
    return day.settle();
  };

  it('may be missing where their home was told another history, and never has what they follow on', () => {
    expect(afterLie('gateway c').found).toEqual([]);
  });

  it('usage-lost: where a third one was', () => {
    expect(afterLie('gateway d').codes).toContain('usage-lost');
  });

  it('lost-with-gateway: its board could have told others', () => {
    const held = forenoon();
    const { day, board, one } = held;
    day.pass(MINUTE);
    board.assign([]).close(one).deliver('gateway a', ['gateway a']);
    day.logs.set('gateway a', (day.logs.get('gateway a') ?? []).slice(0, -3));
    day.dies('gateway a').pass(MINUTE);
    board.welcome('gateway b');
    day.pass(HOUR).closePeriod().settle();
    expect(day.codes).toEqual(['lost-with-gateway', 'usage-lost']);
    expect(day.judge.tally.recordsLost).toBe(2);
  });

  it('what was only written may be gone with the commits that a card lost', () => {
    const { day, board, one } = forenoon();
    board.deliver();
    const { end } = board;
    day.pass(MINUTE);
    board.record(one).outbox.length = 0;
    board.finish(one, 'power').power(false).card('lost-writes');
    Object.assign(board, { end });
    board.power(true).welcome().begin(one);
    day.pass(MINUTE);
    board.assign([]).close(one).deliver();
    day.pass(HOUR).closePeriod().settle();
    expect(day.found).toEqual([]);
    expect(day.judge.tally.recordsLost).toBe(0);
  });
});
