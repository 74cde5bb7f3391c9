/**
 * How often a property is tried, and from which seed: the same in every run, so that a red test is red again. To hunt,
 * set LICHEN_SEED to another number, or LICHEN_RUNS to a factor. `npm run check` sets the factor to a half.
 */
export const runs = (numRuns: number): { numRuns: number; seed: number } => ({
  numRuns: Math.ceil(numRuns * Number(process.env.LICHEN_RUNS ?? 1)),
  seed: Number(process.env.LICHEN_SEED ?? 1),
});
