/** Delta debugging, against the paper's own claims: it finds a cause, a minimal one, and in few runs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shrink } from '../../sim/shrink.ts';

/** Fails when everything in `cause` is there. */
const watch = (cause: number[]) => {
  const asked: number[][] = [];
  const run = async (only: number[]): Promise<boolean> => {
    asked.push(only);
    return cause.every((one) => only.includes(one));
  };
  return { run, asked };
};

describe('shrink', () => {
  test('finds the one that does it', async () => {
    const { run, asked } = watch([613]);
    expect(await shrink(run, 1000, 1000)).toEqual([613]);
    // Halving takes two runs a step at most (Zeller and Hildebrandt 2002, proposition 12), and one for none at all.
    expect(asked.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1000)) + 1);
  });

  test('says so when the faults have nothing to do with it', async () => {
    const { run, asked } = watch([]);
    expect(await shrink(run, 5000, 1000)).toEqual([]);
    expect(asked).toEqual([[]]);
    expect(await shrink(run, 0, 10)).toEqual([]);
  });

  test('whatever the cause, what is left is the cause, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), async (count, picks) => {
        const cause = [...new Set(picks.map((pick) => pick % count))].sort((a, b) => a - b);
        const { run, asked } = watch(cause);
        expect(await shrink(run, count, 10_000)).toEqual(cause);
        expect(new Set(asked.map(String)).size).toBe(asked.length);
      }),
    );
  });

  test('of several causes one is left, and not one fault too many', async () => {
    const causes = [[3, 40], [7], [12, 13, 14]];
    const run = async (only: number[]) => causes.some((cause) => cause.every((one) => only.includes(one)));
    expect(causes).toContainEqual(await shrink(run, 50, 1000));
  });

  test('a failure that comes and goes without rhyme still ends', async () => {
    let state = 1;
    const run = async (only: number[]) => {
      state = (state * 48_271) % 2_147_483_647;
      return only.length > 4 && state % 2 === 0;
    };
    expect((await shrink(run, 100, 500)).length).toBeGreaterThan(4);
  });

  test('it never takes more runs than it may, and what it has then still fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 30 }), async (budget) => {
        const { run, asked } = watch([3, 17, 31]);
        const left = await shrink(run, 40, budget);
        expect(asked.length).toBeLessThanOrEqual(budget);
        expect(left).toEqual(expect.arrayContaining([3, 17, 31]));
      }),
    );
  });
});
