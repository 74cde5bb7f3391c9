/** Before the machine starts anew: instances end in good order, and may hold it off as they may an update of their own. */
import { holdsOffUntil } from '../core/succession.ts';
import { partings, slotsSeen } from '../core/system-tables.ts';
import { instances, manifests, ONE, runs } from '../core/tables.ts';
import { PARTING_MS } from '../core/update.ts';
import type { Instant } from '../turn/clock.ts';
import type { Work } from './events.ts';

/** Instances end now; before, they are only asked whether they hold it off. */
export const isParting = (work: Work): boolean => partings.get(work, ONE)?.ends === true;

/** Instances may be about to end, and those that may hold that off are asked. */
export const partsSoon = (work: Work): boolean => partings.get(work, ONE) !== null;

/** Until when one of them holds it off; null: none does. */
const heldOffUntil = (work: Work, sinceMonoMs: number): number | null => {
  const moments = instances.all(work).flatMap(({ key, value }) => {
    const run = runs.get(work, key);
    const isUp = run?.process === 'running' && value.opened && !value.closed;
    return (isUp ? holdsOffUntil(Math.round(sinceMonoMs), run, manifests.get(work, key), value.holdMs) : null) ?? [];
  });
  return moments.length === 0 ? null : Math.max(...moments);
};

const isStill = (work: Work): boolean => runs.all(work).every(({ value: { process } }) => process === 'none' || process === 'stopped');

/** `left`: the system does not work, and nothing holds off its end. */
export const partFor = (work: Work, why: 'armed' | 'left', now: Instant): void => {
  const parting = partings.get(work, ONE) ?? { sinceMonoMs: now.monoMs, endsMonoMs: now.monoMs, ends: false, toldMonoMs: null };
  if (!parting.ends) {
    const until = why === 'left' ? null : heldOffUntil(work, parting.sinceMonoMs);
    const ends = until === null || now.monoMs >= until;
    if (partings.get(work, ONE) === null || ends) partings.put(work, { ...parting, ends, endsMonoMs: now.monoMs }, ONE);
    return;
  }
  tellMachine(work, now);
};

/** A machine that has not started anew by then has not heard it. */
const tellMachine = (work: Work, now: Instant): void => {
  const parting = partings.get(work, ONE);
  if (parting === null || !parting.ends) return;
  const isLate = now.monoMs - parting.endsMonoMs >= PARTING_MS;
  const isTold = parting.toldMonoMs !== null && now.monoMs - parting.toldMonoMs < PARTING_MS;
  if (isTold || (!isLate && !isStill(work))) return;
  partings.put(work, { ...parting, toldMonoMs: now.monoMs }, ONE);
  work.emit({ kind: 'journal', line: 'system: starting anew' });
  work.emit({ kind: 'slots', part: 'system', step: { kind: 'restart' } });
};

export const tickParting = (work: Work, now: Instant): void => {
  if (slotsSeen.get(work, 'system') !== null && isParting(work)) tellMachine(work, now);
};

/** At which it may do what it would not do before. */
export const partingMoments = (work: Work): number[] => {
  const parting = partings.get(work, ONE);
  if (parting === null) return [];
  const until = parting.ends ? null : heldOffUntil(work, parting.sinceMonoMs);
  return [parting.endsMonoMs + PARTING_MS, (parting.toldMonoMs ?? parting.endsMonoMs) + PARTING_MS, ...(until === null ? [] : [until])];
};
