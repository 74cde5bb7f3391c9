/** What a board's store holds, for `--status`: read without a turn, while the runtime is down or from a copy. */

import { allowances, gains } from '../core/neighbour-tables.ts';
import { updates } from '../core/system-tables.ts';
import { chains, homes, instances, liars, ONE, outbox } from '../core/tables.ts';
import { releaseOf } from '../core/trial.ts';
import { hex } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Work } from './events.ts';

export const statusOf = (board: string, work: Work) => {
  const chain = chains.get(work, ONE);
  return {
    board,
    home: homes.get(work, ONE),
    recordsSigned: chain?.end.seq ?? 0,
    recordsReplicated: chain?.pruned ?? 0,
    recordsHeld: outbox.page(work, '', LIMITS.outboxRecords).length,
    updates: Object.fromEntries(
      updates.all(work).map(({ key, value }) => [key, { release: hex(value.release), phase: value.phase, detail: value.detail }]),
    ),
    neighbours: { allowed: allowances.get(work, ONE)?.allowed !== false, bytes: gains.get(work, ONE)?.bytes ?? 0 },
    liars: liars.all(work).map(({ key, value }) => ({ gateway: key, ...value, about: hex(value.about) })),
    instances: instances.all(work).map(({ key, value }) => ({
      ...{ lease: key, name: value.lease.name, wanted: value.wanted, opened: value.opened, closed: value.closed },
      ...{ release: hex(releaseOf(value)), trial: value.trial, failure: value.failure },
    })),
  };
};
