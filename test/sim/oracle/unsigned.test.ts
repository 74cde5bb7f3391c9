import { describe, expect, it } from 'vitest';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { manifestNoun } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { fact, hashOf, request, signedRequest, TENANT } from '../../support/federation.ts';
import { publisherDoc, signedPublisher, smallRelease } from '../../support/small-release.ts';
import { asked, Day, type DayBoard, HOUR, MINUTE } from './day.ts';

/** A board that was welcomed and a lease for it. */
const morning = () => {
  const day = new Day();
  const board = day.board('board 1');
  return { day, board, one: day.lease({ on: 'board 1' }) };
};

/** What it heard in this session it has certainly taken. */
const longAfter = (day: Day, board: DayBoard): void => {
  day.pass(HOUR);
  board.report();
};

describe('a program that may run', () => {
  it('is assigned, requested and signed', () => {
    const { day, board, one } = morning();
    board.assign([one]).open(one);
    expect(day.found).toEqual([]);
  });

  it('is given the parameters of its tenant', () => {
    const { day, board } = morning();
    const release = smallRelease();
    const doc = publisherDoc();
    day.sign(fact('publisher', signedPublisher(doc)));
    day.sign(fact('manifest', release.document));
    const wish = asked(day, { release: release.release, name: 'hello', parameters: { greeting: 'moin' } });
    const choice = { release: release.release, publisher: hashOf(publisherNoun, doc), name: 'hello' };
    const one = day.lease({ on: 'board 1', request: requestIdOf(testCrypto, TENANT, 'hello'), ...choice });
    const args = release.manifest.args.map((arg) => arg.replace('{{greeting}}', 'moin'));
    expect(args).not.toEqual(release.manifest.args);
    board.assign([one], wish).write(one, 'open');
    board.begin(one, release.release, args);
    expect(day.found).toEqual([]);
    board.finish(one, 'crashed').begin(one, release.release, release.manifest.args);
    expect(day.codes).toEqual(['ran-unsigned']);
  });

  it('may run again while its board is cut off, though it was dropped in a session that did not last', () => {
    const { day, board, one } = morning();
    board.assign([one]).open(one).assign([]);
    board.reach(false);
    day.pass(5 * MINUTE);
    board.finish(one, 'power').power(false).power(true).begin(one);
    expect(day.found).toEqual([]);
  });

  it('may run again where its card had no room to note that it is to stop', () => {
    const { day, board, one } = morning();
    board.assign([one]).open(one).card('full');
    board.assign([one], asked(day, { sequence: 2, state: 'stopped' }));
    longAfter(day, board);
    board.finish(one, 'power').power(false).power(true).card('room').begin(one);
    expect(day.found).toEqual([]);
  });

  it('may run after it was stopped, once its tenant wants it started', () => {
    const { day, board, one } = morning();
    board.assign([one], asked(day, { sequence: 2, state: 'stopped' }));
    longAfter(day, board);
    board.assign([one], asked(day, { sequence: 3 }));
    longAfter(day, board);
    board.open(one);
    expect(day.found).toEqual([]);
  });
});

describe('a program of which another release is to take the place', () => {
  /** Long after both were told to the board. */
  const superseded = (changes: Partial<Request> = {}, choice: Partial<Lease> = {}) => {
    const { day, board, one } = morning();
    day.sign(fact('manifest', seal(manifestNoun, { ...smallRelease().manifest, sequence: 9 }, keyOf('release key'))));
    const release = hashOf(manifestNoun, { ...smallRelease().manifest, sequence: 9 });
    const next = day.lease({ on: 'board 1', term: 2, release, ...choice });
    board
      .assign([one])
      .open(one)
      .assign([next], asked(day, { sequence: 2, release, ...changes }));
    longAfter(day, board);
    board.record(one).finish(one, 'power').power(false).power(true);
    return { day, board, one, next };
  };

  it('may begin again until that has begun', () => {
    const { day, board, one } = superseded();
    board.begin(one);
    expect(day.found).toEqual([]);
  });

  it.each<[string, () => ReturnType<typeof superseded>, (held: ReturnType<typeof superseded>) => void]>([
    ['that was opened', superseded, ({ board, next }) => board.write(next, 'open')],
    ['it was closed', superseded, ({ board, one }) => board.write(one, 'close')],
    ['that is not assigned any more', superseded, ({ day, board }) => longAfter(day, board.assign([]))],
    ['that is of another replica', () => superseded({ replicas: 2 }, { index: 1 }), () => {}],
    ['that is of a former term', () => superseded({}, { term: 1 }), () => {}],
    ['its tenant wants it stopped', () => superseded({ state: 'stopped' }), () => {}],
  ])('ran-unassigned: %s', (_name, make, happens) => {
    const held = make();
    happens(held);
    held.board.begin(held.one);
    expect(held.day.codes).toEqual(['ran-unassigned']);
  });
});

describe('ran-unassigned', () => {
  it.each<[string, (day: Day, board: DayBoard) => void]>([
    ['nobody named it', (day, board) => board.open(day.lease({ on: 'board 1' }))],
    [
      'the gateway that named it is none',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board.assign([one], signedRequest(), 'stranger').open(one);
      },
    ],
    [
      'its guardian did not sign the lease',
      (day, board) => {
        const one = day.lease({ on: 'board 1', guardianName: 'stranger' });
        board.assign([one]).open(one);
      },
    ],
    [
      'it was taken away long ago',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board.assign([one]).open(one).assign([]).close(one);
        longAfter(day, board);
        board.begin(one);
      },
    ],
  ])('%s', (_name, happens) => {
    const { day, board } = morning();
    happens(day, board);
    expect(day.codes).toEqual(['ran-unassigned']);
  });
});

describe('ran-unrequested', () => {
  it.each<[string, (day: Day, board: DayBoard) => void]>([
    [
      'no tenant signed the request',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board.assign([one], signedRequest({ sequence: 7 })).open(one);
      },
    ],
    [
      'another tenant did',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board.assign([one], day.sign(signedRequest({ sequence: 7 }, 'somebody else'))).open(one);
      },
    ],
    [
      'its tenant asked for another release',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board.assign([one], asked(day, { sequence: 7, release: new Uint8Array(32) })).open(one);
      },
    ],
    [
      'its tenant has long wanted it stopped',
      (day, board) => {
        const one = day.lease({ on: 'board 1' });
        board
          .assign([one])
          .open(one)
          .assign([one], asked(day, { sequence: 2, state: 'stopped' }))
          .finish(one, 'stopped');
        longAfter(day, board);
        board.begin(one);
      },
    ],
  ])('%s', (_name, happens) => {
    const { day, board } = morning();
    happens(day, board);
    expect(day.codes).toEqual(['ran-unrequested']);
  });
});

describe('a program that may not run', () => {
  it('ran-elsewhere: its lease is for another board', () => {
    const { day, board } = morning();
    day.board('board 2');
    const one = day.lease({ on: 'board 2' });
    board.assign([one]).open(one);
    expect(day.codes).toEqual(['ran-elsewhere']);
  });

  it('ran-other-release: its files are another release', () => {
    const { day, board, one } = morning();
    board.assign([one]).write(one, 'open');
    board.begin(one, new Uint8Array(32).fill(7));
    expect(day.codes).toEqual(['ran-other-release']);
  });

  it('ran-unsigned: its arguments are nobody’s', () => {
    const { day, board, one } = morning();
    board.assign([one]).write(one, 'open');
    board.begin(one, one.release, ['/usr/bin/node', '--more']);
    expect(day.codes).toEqual(['ran-unsigned']);
  });

  it('ran-unsigned: a key signed the release that its publisher does not list', () => {
    const { day, board } = morning();
    const { manifest } = smallRelease();
    const release = hashOf(manifestNoun, { ...manifest, sequence: 9 });
    day.sign(fact('manifest', seal(manifestNoun, { ...manifest, sequence: 9 }, keyOf('stranger'))));
    const wish = asked(day, { ...request(), release, sequence: 2 });
    const one = day.lease({ on: 'board 1', release });
    board.assign([one], wish).write(one, 'open');
    board.begin(one, release, manifest.args);
    expect(day.codes).toEqual(['ran-unsigned']);
  });

  it('began-unrecorded: there is no zero record yet', () => {
    const { day, board, one } = morning();
    const other = day.lease({ on: 'board 1', index: 1 });
    board.assign([one, other]).open(other).begin(one);
    expect(day.codes).toEqual(['began-unrecorded']);
  });

  it('began-unrecorded: its first record is not zero', () => {
    const { day, board, one } = morning();
    board.assign([one]).write(one, 'open', { registers: { cpuMicros: 1n } });
    board.begin(one);
    expect(day.codes).toEqual(['began-unrecorded']);
  });

  it('began-unrecorded: seen in the end, where boards do not tell what they write', () => {
    const { day, board, one } = morning();
    day.tellsWrites = false;
    board.assign([one]).begin(one);
    day.pass(10 * MINUTE);
    board.meter(one).write(one, 'point');
    board.deliver().assign([]).close(one);
    board.deliver();
    day.pass(HOUR).closePeriod();
    expect(day.codes).toEqual([]);
    day.settle();
    // A lease that does not begin with a zero record is not billed either. (metering-2)
    expect(day.codes).toEqual(['began-unrecorded', 'usage-lost']);
  });
});
