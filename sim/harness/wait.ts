/** Waiting for what is observed, never for time alone. */
import { LichenError } from '../../runtime/protocol/errors.ts';

const STEP_MS = 50;

/** Polls until `look` gives something; `unavailable` with what was waited for when it takes too long. */
export const until = async <T>(
  what: string,
  timeoutMs: number,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> => {
  const end = performance.now() + timeoutMs;
  let last = '';
  while (performance.now() < end) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
    } catch (thrown) {
      last = thrown instanceof Error ? `; last: ${thrown.message}` : '';
    }
    await pause(STEP_MS);
  }
  throw new LichenError('unavailable', `waited ${timeoutMs / 1000} s for ${what}${last}`);
};

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
