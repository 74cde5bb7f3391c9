/** Times of the day at which what runs may be taken from one release to another. */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { positive, uintUpTo } from '../schema.ts';

const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;

/** Daily, by UTC: from a minute of the day, for so many minutes, over midnight too. */
export const windowSchema = v.strictObject({
  fromMinute: uintUpTo(DAY_MINUTES - 1),
  minutes: v.pipe(positive, v.maxValue(DAY_MINUTES)),
});
export type Window = v.InferOutput<typeof windowSchema>;
export const windows = v.pipe(v.array(windowSchema), v.minLength(1), v.maxLength(LIMITS.windows));

const isIn = (minute: number, { fromMinute, minutes }: Window): boolean => (minute - fromMinute + DAY_MINUTES) % DAY_MINUTES < minutes;

/** In how many ms all of these are open at once, looked at by the minute; null: not within a day. One that is not given is always open. */
export const opensInMs = (wallMs: number, ...all: (readonly Window[] | undefined)[]): number | null => {
  const first = Math.floor(wallMs / MINUTE_MS);
  for (let ahead = 0; ahead <= DAY_MINUTES; ahead++) {
    const minute = (first + ahead) % DAY_MINUTES;
    const isOpen = all.every((list) => list === undefined || list.some((one) => isIn(minute, one)));
    if (isOpen) return Math.max(0, (first + ahead) * MINUTE_MS - wallMs);
  }
  return null;
};
