/** What a board decides about its own system, by what it remembers and what it finds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SlotsFound, Update } from '../../../runtime/core/system-tables.ts';
import {
  AGAIN_MS,
  ATTEMPTS,
  mayTryAgain,
  objectionToWish,
  settled,
  TRIAL_MS,
  TRIAL_STEADY_MS,
  verdictOn,
} from '../../../runtime/core/update.ts';
import { fromHex } from '../../../runtime/protocol/bytes.ts';
import { PUBLISHER } from '../../support/federation.ts';

const [MINE, OTHER] = ['5'.repeat(64), '6'.repeat(64)];
const update = (changes: Partial<Update> = {}): Update => ({
  ...{ release: fromHex(MINE), publisher: PUBLISHER, sequence: 2, upkeep: 1, phase: 'armed' },
  ...{ detail: '', lonely: false, attempts: 1, ran: [] },
  ...changes,
});
const found = (changes: Partial<SlotsFound> = {}): SlotsFound => ({
  ...{ running: 'a', runningRelease: null, trial: false, idle: 'empty', idleRelease: null },
  ...changes,
});

const updates = fc.record({
  phase: fc.constantFrom<Update['phase']>('fetching', 'armed', 'trial', 'kept', 'failed'),
  attempts: fc.nat({ max: ATTEMPTS }),
});
const release = fc.constantFrom(null, MINE, OTHER);
const founds: fc.Arbitrary<SlotsFound> = fc.record({
  running: fc.constantFrom('a', 'b'),
  runningRelease: release,
  trial: fc.boolean(),
  idle: fc.constantFrom<SlotsFound['idle']>('empty', 'armed', 'spent', 'kept'),
  idleRelease: release,
});

describe('what a start finds', () => {
  const cases: [string, Partial<Update>, Partial<SlotsFound>, Update['phase']][] = [
    ['it runs, and has to show that it works', {}, { runningRelease: MINE, trial: true }, 'trial'],
    ['it runs, and was kept before that was written down', { phase: 'trial' }, { runningRelease: MINE }, 'kept'],
    ['it was armed before that was written down', { phase: 'fetching' }, { idle: 'armed', idleRelease: MINE }, 'armed'],
    ['it is still to be started', {}, { idle: 'armed', idleRelease: MINE }, 'armed'],
    ['it was started three times', {}, { idle: 'spent', idleRelease: MINE }, 'failed'],
    ['what was armed is not there any more', {}, {}, 'fetching'],
    ['that happened too often', { attempts: ATTEMPTS }, {}, 'failed'],
    ['it was on its way', { phase: 'fetching' }, {}, 'fetching'],
    ['another one lies in the other slot', { phase: 'fetching' }, { idle: 'kept', idleRelease: OTHER }, 'fetching'],
    ['it was kept, and the card lost some of it', { phase: 'kept' }, { idle: 'spent', idleRelease: MINE }, 'fetching'],
    [
      'that is seen once more before it is written again',
      settled(update({ phase: 'kept' }), found({ idle: 'spent', idleRelease: MINE })),
      { idle: 'spent', idleRelease: MINE },
      'fetching',
    ],
    ['the card does that again and again', { phase: 'kept', attempts: ATTEMPTS }, { idle: 'spent', idleRelease: MINE }, 'failed'],
    ['it was kept, and another one is started', { phase: 'kept' }, { idle: 'kept', idleRelease: MINE }, 'kept'],
    ['it was given up, and is started once more', { phase: 'failed' }, { runningRelease: MINE, trial: true }, 'failed'],
  ];
  test.each(cases)('%s', (_what, before, state, phase) => expect(settled(update(before), found(state)).phase).toBe(phase));

  test('is settled once: looked at again it says the same', () =>
    fc.assert(
      fc.property(updates, founds, (before, state) => {
        const once = settled(update(before), state);
        expect(settled(once, state)).toEqual(once);
      }),
    ));

  test('never calls kept what does not run, nor gives up without a reason', () =>
    fc.assert(
      fc.property(updates, founds, (before, state) => {
        const after = settled(update(before), state);
        if (after.phase === 'kept' && before.phase !== 'kept') expect([state.runningRelease, state.trial]).toEqual([MINE, false]);
        if (after.phase === 'failed' && before.phase !== 'failed') expect(after.detail).not.toBe('');
      }),
    ));
});

describe('a wish', () => {
  const wish = (changes = {}) => ({ release: OTHER, publisher: PUBLISHER, sequence: 3, upkeep: 1, ...changes });
  const cases: [string, ReturnType<typeof wish>, number, Update | null, SlotsFound, RegExp | null][] = [
    ['for something newer is taken', wish(), 2, null, found(), null],
    ['for what runs is none', wish(), 0, null, found({ runningRelease: OTHER }), /runs/],
    ['for something older than was kept is refused', wish({ sequence: 1 }), 2, null, found(), /sequence 2/],
    ['for another one of the sequence that was kept is refused', wish({ sequence: 2 }), 2, null, found(), /another system/],
    ['for what failed is refused', wish({ sequence: 2 }), 0, update({ phase: 'failed', detail: 'x' }), found(), /was tried: x/],
    [
      'for what failed is taken when its owner says so again',
      wish({ sequence: 2, upkeep: 2 }),
      0,
      update({ phase: 'failed' }),
      found(),
      null,
    ],
    ['for something newer than what failed is taken', wish(), 0, update({ phase: 'failed' }), found(), null],
    ['in the place of one that is on its way is taken', wish({ sequence: 1 }), 0, update({ phase: 'fetching' }), found(), null],
  ];
  test.each(cases)('%s', (_what, asked, floor, before, state, why) => {
    const objection = objectionToWish(asked, floor, before, state);
    if (why === null) expect(objection).toBeNull();
    else expect(objection).toMatch(why);
  });

  test('never leads below what was kept', () =>
    fc.assert(
      fc.property(fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.nat({ max: 9 }), (sequence, floor, upkeep) => {
        if (objectionToWish(wish({ sequence, upkeep }), floor, update({ phase: 'failed' }), found()) === null)
          expect(sequence).toBeGreaterThan(floor);
      }),
    ));
});

describe('a trial', () => {
  const shown = (changes = {}) => ({ isPaired: true, homeMonoMs: 1000, sinceMonoMs: 0, down: 0, ...changes });
  const cases: [string, ReturnType<typeof shown>, number, object][] = [
    ['at home for a while works', shown(), 1000 + TRIAL_STEADY_MS, { kind: 'works' }],
    ['at home since just now is open', shown(), 999 + TRIAL_STEADY_MS, { kind: 'open' }],
    ['unpaired and running for a while works', shown({ isPaired: false, homeMonoMs: null }), TRIAL_STEADY_MS, { kind: 'works' }],
    ['not at home is open for as long as it may be', shown({ homeMonoMs: null }), TRIAL_MS - 1, { kind: 'open' }],
    ['not at home then fails, perhaps without fault', shown({ homeMonoMs: null }), TRIAL_MS, { kind: 'fails', lonely: true }],
    ['at home without one of its instances is open', shown({ down: 1 }), TRIAL_MS - 1, { kind: 'open' }],
    ['at home without one of its instances fails then', shown({ down: 1 }), TRIAL_MS, { kind: 'fails', lonely: false }],
  ];
  test.each(cases)('%s', (_what, of, monoMs, verdict) => expect(verdictOn(of, monoMs)).toMatchObject(verdict));

  test('that failed is tried again if it may have been the network, after a while and not for ever', () => {
    const lonely = update({ phase: 'failed', lonely: true });
    expect(mayTryAgain(lonely, AGAIN_MS)).toBe(true);
    expect(mayTryAgain(lonely, AGAIN_MS - 1)).toBe(false);
    expect(mayTryAgain({ ...lonely, attempts: ATTEMPTS }, AGAIN_MS)).toBe(false);
    expect(mayTryAgain({ ...lonely, lonely: false }, AGAIN_MS)).toBe(false);
  });
});
