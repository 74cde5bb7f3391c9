/** How far a release has come, from what is said of each replica alone. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isReached, type Member, standingOf } from '../../../gateway/core/rollout.ts';
import type { Rollout } from '../../../runtime/protocol/nouns/request.ts';
import { runs } from '../../support/properties.ts';

const TRIALS = ['old', 'given', 'passed', 'failed'] as const;
const members = (...trials: Member['trial'][]): Member[] =>
  trials.map((trial, index) => ({ index, trial, labels: index % 2 === 1 ? ['attic'] : [], why: trial === 'failed' ? 'no answer' : '' }));
const plan = (tolerated: number, ...waves: Rollout['waves']): Rollout => ({ waves, tolerated });
const CANARY = plan(0, { kind: 'count', count: 1 }, { kind: 'share', permille: 500 });
const reached = (rollout: Rollout, all: Member[]): number[] => {
  const standing = standingOf(rollout, all);
  return all.filter((member, at) => isReached(standing, member, at)).map(({ index }) => index);
};

describe('waves', () => {
  test('take in the first replicas, a share of them, boards with a label, and then all others [instances-19]', () => {
    const all = members('old', 'old', 'old', 'old', 'old');
    expect(standingOf(CANARY, all)).toMatchObject({ waves: [0, 1, 1, 2, 2], of: 3, open: 1, awaited: [0], halted: null });
    expect(standingOf(plan(0, { kind: 'label', label: 'attic' }), all).waves).toEqual([1, 0, 1, 0, 1]);
  });

  test('begin when all of those before have passed', () => {
    expect(reached(CANARY, members('old', 'old', 'old', 'old'))).toEqual([0]);
    expect(reached(CANARY, members('given', 'old', 'old', 'old'))).toEqual([0]);
    expect(reached(CANARY, members('passed', 'old', 'old', 'old'))).toEqual([0, 1]);
    expect(reached(CANARY, members('passed', 'given', 'old', 'old'))).toEqual([0, 1]);
    expect(reached(CANARY, members('passed', 'passed', 'old', 'old'))).toEqual([0, 1, 2, 3]);
    expect(standingOf(CANARY, members('passed', 'passed', 'passed', 'passed'))).toMatchObject({ open: 3, awaited: [] });
  });

  const LABEL = { kind: 'label', label: 'cellar' } as const;

  test('to which nobody belongs are stood in front of: nobody behind them is reached [instances-29]', () => {
    const [first, second] = [plan(0, LABEL, { kind: 'count', count: 1 }), plan(0, { kind: 'count', count: 1 }, LABEL)];
    expect(standingOf(first, members('old', 'old'))).toMatchObject({ open: 0, blank: 0, awaited: [] });
    expect(reached(first, members('old', 'old'))).toEqual([]);
    expect(standingOf(second, members('given', 'old'))).toMatchObject({ open: 1, awaited: [0] });
    expect(standingOf(second, members('passed', 'old'))).toMatchObject({ open: 1, blank: 1, awaited: [] });
    expect(reached(second, members('passed', 'old'))).toEqual([0]);
    expect(reached(plan(0, LABEL), members('old', 'given'))).toEqual([1]);
  });

  test('are behind it once somebody further on has shown how the release does: who was in them has moved', () => {
    expect(reached(plan(0, LABEL), members('old', 'passed'))).toEqual([0, 1]);
    expect(standingOf(plan(0, LABEL), members('passed', 'passed'))).toMatchObject({ open: 2, blank: null, awaited: [] });
    expect(standingOf(plan(0, { kind: 'count', count: 2 }, LABEL), members('passed', 'passed')).blank).toBeNull();
  });

  test('that only name whom those before took in wait for nobody more', () => {
    const nested = plan(0, { kind: 'count', count: 2 }, { kind: 'share', permille: 250 }, { kind: 'label', label: 'attic' });
    expect(reached(nested, members('passed', 'passed', 'old', 'old'))).toEqual([0, 1, 3]);
    expect(reached(plan(0, { kind: 'count', count: 1 }, { kind: 'share', permille: 250 }), members('passed', 'old'))).toEqual([0, 1]);
  });

  test('end for everybody with one failure more than is tolerated [instances-20]', () => {
    const failed = members('passed', 'failed', 'given', 'old');
    expect(standingOf(CANARY, failed).halted).toBe('replica 1: no answer');
    expect(reached(CANARY, failed)).toEqual([]);
    expect(reached({ ...CANARY, tolerated: 1 }, failed)).toEqual([0, 2, 3]);
    expect(standingOf({ ...CANARY, tolerated: 1 }, members('failed', 'failed')).halted).toBe('replica 0: no answer, and 1 more');
  });

  test('never reach anybody new but by those before, whatever happens in whatever order', () => {
    const trial = fc.constantFrom(...TRIALS);
    fc.assert(
      fc.property(
        fc.array(trial, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ max: 1000, min: 1 }),
        (trials, count, permille) => {
          const rollout = plan(0, { kind: 'count', count }, { kind: 'share', permille });
          const all = members(...trials);
          const standing = standingOf(rollout, all);
          for (const [at, member] of all.entries()) {
            if (!isReached(standing, member, at) || member.trial !== 'old') continue;
            const before = all.filter((_, other) => (standing.waves[other] ?? 0) < (standing.waves[at] ?? 0));
            if (before.some((other) => other.trial !== 'passed')) return false;
          }
          return !trials.includes('failed') || reached(rollout, all).length === 0;
        },
      ),
      runs(500),
    );
  });
});
