/**
 * A store that takes nothing (a full card): what would write waits, so that what needs no store goes on meanwhile. Meters
 * above all: what was used is summed in memory, and only the power can take it.
 */
import { schedules } from '../core/tables.ts';
import type { Instant } from '../turn/clock.ts';
import type { Concern } from './attention.ts';
import type { Of, Work } from './events.ts';

const STUCK = 'stuck';

const untilMonoMs = (work: Work): number => schedules.get(work, STUCK) ?? 0;

export const stuck = (work: Work, event: Of<'stuck'>, now: Instant): void => schedules.put(work, now.monoMs + event.forMs, STUCK);

export const isStuck = (work: Work, now: Instant): boolean => now.monoMs < untilMonoMs(work);

/** Acts while the store takes what it writes. */
export const unlessStuck = ({ act, moments, ...rest }: Concern): Concern => ({
  ...rest,
  act: (work, board, now) => {
    if (!isStuck(work, now)) act(work, board, now);
  },
  moments: (work, board, now) => [untilMonoMs(work), ...moments(work, board, now)],
});
