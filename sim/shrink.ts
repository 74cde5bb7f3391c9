/**
 * Fewer faults that still show the same failure: delta debugging, the minimising `ddmin` of Zeller and Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input" (IEEE TSE 28:2, 2002), section 3.
 */

/** `count` pieces, as equal as can be, in order. */
const split = (list: readonly number[], count: number): number[][] =>
  Array.from({ length: count }, (_, at) =>
    list.slice(Math.floor((at * list.length) / count), Math.floor(((at + 1) * list.length) / count)),
  );

/**
 * Some of the numbers from 0 to `count` − 1, in order, with which `run` still fails. With enough budget it is
 * 1-minimal: to leave out any one more makes the failure go away. `budget`: how many runs at most. A run of the whole
 * list is taken to fail, and is not repeated.
 */
export const shrink = async (run: (only: number[]) => Promise<boolean>, count: number, budget: number): Promise<number[]> => {
  let left = budget;
  const passed = new Set<string>();
  /** A list that is known to pass, or for which there is no run left, is not worth having. */
  const fails = async (only: number[]): Promise<boolean> => {
    const key = only.join();
    if (passed.has(key) || left === 0) return false;
    left--;
    const failed = await run(only);
    if (!failed) passed.add(key);
    return failed;
  };

  let kept = Array.from({ length: count }, (_, at) => at);
  // Often the faults have nothing to do with it, and one run says so.
  if (count > 0 && (await fails([]))) return [];
  let pieces = 2;
  while (kept.length >= 2 && left > 0) {
    const parts = split(kept, Math.min(pieces, kept.length));
    const found = await firstFailing(parts, fails);
    if (found !== null) {
      pieces = found.isPart ? 2 : Math.max(parts.length - 1, 2);
      kept = found.only;
      continue;
    }
    if (parts.length === kept.length) break;
    pieces = parts.length * 2;
  }
  return kept;
};

/** A part that fails by itself, else the rest without one that does. */
const firstFailing = async (
  parts: number[][],
  fails: (only: number[]) => Promise<boolean>,
): Promise<{ only: number[]; isPart: boolean } | null> => {
  for (const part of parts) if (await fails(part)) return { only: part, isPart: true };
  // Of two parts, the rest is the other one, which was just tried.
  if (parts.length === 2) return null;
  for (const part of parts) {
    const only = parts.flatMap((other) => (other === part ? [] : other));
    if (await fails(only)) return { only, isPart: false };
  }
  return null;
};
