/** What the judge says of the systems that boards are started from. */
import { expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId } from '../../../runtime/protocol/ids.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { type Upkeep, upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import type { SystemStart } from '../../../sim/oracle/physics.ts';
import { keyOf } from '../../support/crypto.ts';
import { OWNER, PUBLISHER } from '../../support/federation.ts';
import { system } from '../../support/system.ts';
import { Day, type DayBoard, HOUR, MINUTE } from './day.ts';

const TWO = system(2);
const onTrial: SystemStart = { release: hex(TWO.release), isWhole: true, onTrial: true };
const image = { board: 'generic-amd64', parts: ['system' as const] };

const word = (day: Day, board: BoardId, wave: number, tolerated = 0): void => {
  const doc: Upkeep = { v: 1, board, owner: OWNER, version: 1, publisher: PUBLISHER, rollout: { wave, tolerated, bakeMs: 10 * MINUTE } };
  day.judge.signed(seal(upkeepNoun, doc, keyOf('owner')));
};

const boards = (signed = true): { day: Day; anna: DayBoard; bert: DayBoard } => {
  const day = new Day();
  if (signed) day.judge.signed(TWO.document);
  const [anna, bert] = [day.board('board 1'), day.board('board 2')];
  return { day, anna, bert };
};

/** The machine starts from a slot, and its runtime finds a home after so long; null: it finds none. */
const start = (day: Day, board: DayBoard, from: SystemStart, homeMs: number | null = MINUTE): void => {
  board.power(false);
  board.power(true);
  day.judge.started(day.atMs, board.id, from);
  day.judge.runtime(day.atMs, board.id, true);
  if (homeMs === null) return;
  day.pass(homeMs);
  board.welcome('gateway a', { image });
};

test('a board starts from a whole system that somebody signed', () => {
  const found = (from: Partial<SystemStart>, signed = true): string[] => {
    const { day, anna } = boards(signed);
    start(day, anna, { ...onTrial, ...from });
    return day.codes;
  };
  expect(found({})).toEqual([]);
  expect(found({ isWhole: false })).toEqual(['started-half']);
  expect(found({ release: null, isWhole: false })).toEqual(['started-half']);
  expect(found({}, false)).toEqual(['ran-unsigned']);
});

test('it stays once a gateway has welcomed this start of it, and no sooner', () => {
  const { day, anna } = boards();
  start(day, anna, onTrial);
  day.judge.slot(day.atMs, anna.id, 'kept');
  expect(day.codes).toEqual([]);
  day.pass(MINUTE);
  start(day, anna, onTrial, null);
  day.pass(MINUTE);
  day.judge.slot(day.atMs, anna.id, 'kept');
  expect(day.codes).toEqual(['kept-unproven']);
});

test('it is kept or left in time', () => {
  for (const what of ['left', 'kept', null] as const) {
    const { day, anna } = boards();
    start(day, anna, onTrial);
    day.pass(5 * MINUTE);
    if (what !== null) day.judge.slot(day.atMs, anna.id, what);
    day.pass(HOUR);
    anna.power(false);
    expect(day.codes).toEqual(what === null ? ['trial-undecided'] : []);
  }
});

test('a wave waits for the one before, which has to have had it for as long as its owner says', () => {
  const found = (bakedMs: number | null, tolerated = 0, known = HOUR): string[] => {
    const { day, anna, bert } = boards();
    for (const board of [anna, bert]) board.welcome('gateway a', { image });
    day.pass(known);
    word(day, anna.id, 1, tolerated);
    word(day, bert.id, 2, tolerated);
    start(day, anna, onTrial);
    if (bakedMs !== null) {
      day.judge.slot(day.atMs, anna.id, 'kept');
      day.pass(bakedMs);
    }
    start(day, bert, onTrial);
    return day.codes;
  };
  expect(found(null)).toEqual(['wave-skipped']);
  expect(found(5 * MINUTE)).toEqual(['wave-skipped']);
  expect(found(10 * MINUTE)).toEqual([]);
  expect(found(null, 1)).toEqual([]);
  expect(found(null, 0, MINUTE)).toEqual([]);
});

test('of two boards with one card either may have shown it', () => {
  const { day, anna, bert } = boards();
  for (const board of [anna, bert]) board.welcome('gateway a', { image });
  day.pass(HOUR);
  word(day, anna.id, 1);
  word(day, bert.id, 2);
  anna.card('cloned');
  start(day, bert, onTrial);
  expect(day.codes).toEqual([]);
});
