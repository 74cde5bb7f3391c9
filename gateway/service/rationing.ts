/** How much one tenant may add to the log, which every gateway keeps for good. A restart forgets what was counted. */
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import type { Work } from './events.ts';

const HOUR_MS = 3_600_000;

/** Tenant → what it has added in the hour that began then. */
const added = volatileTable<{ entries: number; sinceMonoMs: number }>('added');

/** Counts one more, and lets it be none if it is too many. Error: `too-many`. */
export const ration = (work: Work, tenant: string, { monoMs }: Instant): void => {
  const before = added.get(work, tenant);
  const { entries, sinceMonoMs } = before !== null && monoMs - before.sinceMonoMs < HOUR_MS ? before : { entries: 0, sinceMonoMs: monoMs };
  if (entries >= LIMITS.entriesPerTenantHour)
    refuse(
      'too-many',
      `${entries} documents of yours were taken in this hour`,
      `Push on in ${Math.ceil((sinceMonoMs + HOUR_MS - monoMs) / 60_000)} min, or at another gateway.`,
    );
  added.put(work, { entries: entries + 1, sinceMonoMs }, tenant);
};
