/** Waiting for the times of the day at which somebody lets something be replaced. */
import { LIMITS } from '../protocol/limits.ts';
import { opensInMs, type Window } from '../protocol/nouns/windows.ts';

/**
 * Until when, by the monotonic clock, what is ready since `sinceMonoMs` waits until all of these are open; null: it need not. Nobody waits for longer
 * than a day, and who knows no time waits as long as that. `wallMs`: as of now, null: not known.
 */
export const waitsUntil = (
  sinceMonoMs: number,
  now: { wallMs: number | null; monoMs: number },
  ...all: (readonly Window[] | undefined)[]
): number | null => {
  if (all.every((list) => list === undefined)) return null;
  const endMonoMs = sinceMonoMs + LIMITS.windowMs;
  const opensMs = now.wallMs === null ? null : opensInMs(now.wallMs, ...all);
  if (opensMs === 0 || now.monoMs >= endMonoMs) return null;
  return opensMs === null ? endMonoMs : Math.min(endMonoMs, now.monoMs + opensMs);
};
