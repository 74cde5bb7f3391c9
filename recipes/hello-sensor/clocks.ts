/** The machine's two clocks, in microseconds. */
import type { Clocks } from './sources.ts';

/**
 * Node tells CLOCK_REALTIME in whole milliseconds only. The moment at which it turns to the next one is known much
 * better, so this waits for it: at most a millisecond, and not for ever should the clock stand.
 */
const realtimeMicros = (): number => {
  const before = Date.now();
  const giveUp = performance.now() + 2;
  let at = before;
  while (at === before && performance.now() < giveUp) at = Date.now();
  return at * 1000;
};

export const openClocks = (): Clocks => ({
  realtimeMicros,
  monotonicMicros: () => Number(process.hrtime.bigint() / 1000n),
});
