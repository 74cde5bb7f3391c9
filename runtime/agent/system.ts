/**
 * The board's own system: what its home assigns is taken when a publisher signed it, its owner wants it and nothing newer was
 * kept; then it is fetched into the idle slot, started once, and kept or left.
 */

import { waitsUntil } from '../core/opening.ts';
import {
  heldBefore,
  readies,
  type SlotsSeen,
  type SystemWish,
  slotsSeen,
  systemFloors,
  systemManifests,
  systemOutcomes,
  systemWishes,
  type Update,
  updates,
} from '../core/system-tables.ts';
import { contents, instances, links, ONE, pairings, runs } from '../core/tables.ts';
import { AGAIN_MS, ATTEMPTS, settled, TRIAL_MS, TRIAL_STEADY_MS, verdictOn } from '../core/update.ts';
import { equal, fromHex, hex } from '../protocol/bytes.ts';
import { PARTS, type Part } from '../protocol/image.ts';
import type { SystemReport } from '../protocol/nouns/board.ts';
import { beginning } from '../protocol/printable.ts';
import type { Instant } from '../turn/clock.ts';
import { fetchRelease } from './content.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { partFor, partingMoments } from './parting.ts';
import { promiseOf } from './promises.ts';
import { wallNow } from './staying.ts';
import { adoptWish } from './wish.ts';

const tell = (work: Work, part: Part, line: string): void => work.emit({ kind: 'journal', line: `${part}: ${line}` });

const seen = (work: Work, part: Part, change: Partial<SlotsSeen>): void => {
  const held = slotsSeen.get(work, part);
  if (held !== null) slotsSeen.put(work, { ...held, ...change }, part);
};

/** What a start finds may be ahead of what was written down, or behind it. */
export const slotsSurveyed: Handler<Of<'slots-surveyed'>> = (work, _board, { part, state }, now) => {
  const since = slotsSeen.get(work, part)?.sinceMonoMs ?? now.monoMs;
  slotsSeen.put(work, { state, sinceMonoMs: since, busy: false, retryMonoMs: 0, unarmed: null }, part);
  const before = updates.get(work, part);
  if (before === null) return;
  const next = settled(before, state);
  if (next.phase === before.phase) return;
  if (next.phase === 'kept') return keptNow(work, part, next);
  updates.put(work, next, part);
  if (next.phase === 'failed') tell(work, part, `${hex(next.release)} was left: ${next.detail}`);
};

const keptNow = (work: Work, part: Part, update: Update): void => {
  updates.put(work, { ...update, phase: 'kept', detail: '' }, part);
  systemFloors.put(work, Math.max(systemFloors.get(work, part, update.publisher) ?? 0, update.sequence), part, update.publisher);
  tell(work, part, `${hex(update.release)} works and is kept`);
};

/** Of these leases the ones whose instances are still to run. */
export const stillToRun = (work: Work, leases: readonly string[]): string[] =>
  leases.filter((lease) => {
    const instance = instances.get(work, lease);
    return instance !== null && !instance.closed && !instance.unpaid && instance.wanted === 'started';
  });

/** Instances that ran when it was armed, are still to run, and do not. */
export const downNow = (work: Work, update: Update | null): number =>
  stillToRun(work, update?.ran ?? []).filter((lease) => runs.get(work, lease)?.process !== 'running').length;

const judge = (work: Work, part: Part, found: SlotsSeen, now: Instant): void => {
  const update = updates.get(work, part);
  // Given up already: the power went before its slot was left.
  if (update?.phase === 'failed' && hex(update.release) === found.state.runningRelease) return leave(work, part);
  const link = links.get(work, ONE);
  const verdict = verdictOn(
    {
      isPaired: pairings.get(work, ONE) !== null,
      homeMonoMs: link?.phase === 'welcomed' ? link.atMonoMs : null,
      sinceMonoMs: found.sinceMonoMs,
      down: downNow(work, update),
    },
    now.monoMs,
  );
  if (verdict.kind === 'open') return;
  if (verdict.kind === 'works') {
    seen(work, part, { busy: true });
    return work.emit({ kind: 'slots', part, step: { kind: 'keep' } });
  }
  tell(work, part, `the system on trial is left: ${verdict.why}`);
  if (update !== null) updates.put(work, { ...update, phase: 'failed', detail: verdict.why, lonely: verdict.lonely }, part);
  leave(work, part);
};

/** Why it is left is durable before it is. */
const leave = (work: Work, part: Part): void => {
  seen(work, part, { busy: true });
  work.emit({ kind: 'slots', part, step: { kind: 'leave' } });
};

const running = (work: Work): Update['ran'] =>
  instances.all(work).flatMap(({ key, value }) => (runs.get(work, key)?.process === 'running' ? [value.lease.lease] : []));

const holding = (work: Work, now: Instant): Update['ran'] =>
  instances.all(work).flatMap(({ key, value }) => {
    const run = runs.get(work, key);
    return run !== null && promiseOf(value, run, now) === 'held' ? [value.lease.lease] : [];
  });

/** Until when what could be armed waits for the time of the day; null: it does not. */
const waitsFor = (work: Work, part: Part, { release, word }: SystemWish, now: Instant): number | null => {
  const held = readies.get(work, part);
  const key = hex(release);
  const ready = held?.release === key ? held : { release: key, sinceMonoMs: now.monoMs };
  if (ready !== held) readies.put(work, ready, part);
  return waitsUntil(ready.sinceMonoMs, { wallMs: wallNow(work, now), monoMs: now.monoMs }, word?.windows);
};

const carryOn = (work: Work, part: Part, update: Update, now: Instant): void => {
  if (update.phase === 'armed') return startAnew(work, part, 'armed', now);
  if (update.phase !== 'fetching') return;
  const key = hex(update.release);
  const manifest = systemManifests.get(work, key);
  // Its signatures are looked at once more after each start, when its home has named it.
  if (manifest === null) return;
  // Its home may have thought better of it, as it did badly elsewhere.
  const wish = systemWishes.get(work, part);
  if (wish === null || !equal(wish.release, update.release)) return;
  if (contents.get(work, key)?.phase !== 'held') return fetchRelease(work, manifest, update.release, now);
  if (waitsFor(work, part, wish, now) !== null) return;
  updates.put(work, { ...update, ran: running(work), attempts: update.attempts + 1 }, part);
  heldBefore.put(work, holding(work, now), part);
  seen(work, part, { busy: true });
  work.emit({ kind: 'slots', part, step: { kind: 'arm', release: update.release } });
};

/** One part after the other: while one is on trial, or about to be, the others wait. */
export const tickSystem = (work: Work, board: Board, now: Instant): void => {
  const found = PARTS.flatMap((part) => {
    const seenNow = slotsSeen.get(work, part);
    return seenNow === null ? [] : [{ part, found: seenNow }];
  });
  const trial = found.find(({ found: { state } }) => state.trial);
  for (const { part, found: one } of trial === undefined ? found : [trial]) {
    if (one.busy || now.monoMs < one.retryMonoMs) continue;
    if (one.state.trial) return judge(work, part, one, now);
    adoptWish(work, board, part, one, now);
    const update = updates.get(work, part);
    if (update !== null) carryOn(work, part, update, now);
    if (updates.get(work, part)?.phase === 'armed') return;
  }
};

/** At which `tickSystem` may do what it would not do before. */
export const systemMoments = (work: Work, _board: Board, now: Instant): number[] => [
  ...PARTS.flatMap((part) => momentsOf(work, part, now)),
  ...partingMoments(work),
];

const momentsOf = (work: Work, part: Part, now: Instant): number[] => {
  const found = slotsSeen.get(work, part);
  const update = updates.get(work, part);
  if (found === null) return [];
  const home = links.get(work, ONE)?.atMonoMs ?? found.sinceMonoMs;
  const trial = [found.sinceMonoMs + TRIAL_STEADY_MS, home + TRIAL_STEADY_MS, found.sinceMonoMs + TRIAL_MS];
  const again = update !== null && update.phase === 'failed' ? [found.sinceMonoMs + AGAIN_MS] : [];
  const wish = systemWishes.get(work, part);
  const ready = wish !== null && readies.get(work, part)?.release === hex(wish.release);
  const opens = ready && update?.phase === 'fetching' ? (waitsFor(work, part, wish, now) ?? []) : [];
  return [found.retryMonoMs, ...(found.state.trial ? trial : []), ...again].concat(opens);
};

/** What runs instances goes on while the runtime starts anew; a machine does not. */
const startAnew = (work: Work, part: Part, why: 'armed' | 'left', now: Instant): void => {
  if (part === 'system') return partFor(work, why, now);
  seen(work, part, { busy: true });
  work.emit({ kind: 'slots', part, step: { kind: 'restart' } });
};

export const armed: Handler<Of<'armed'>> = (work, _board, { part, release }, now) => {
  const update = updates.get(work, part);
  const found = slotsSeen.get(work, part);
  if (found !== null) seen(work, part, { busy: false, state: { ...found.state, idle: 'armed', idleRelease: hex(release) } });
  if (update === null || hex(update.release) !== hex(release) || update.phase !== 'fetching') return;
  updates.put(work, { ...update, phase: 'armed' }, part);
  contents.remove(work, hex(release));
  tell(work, part, `${hex(release)} is in the other slot, and is started next`);
  startAnew(work, part, 'armed', now);
};

export const slotKept = (work: Work, part: Part): void => {
  const found = slotsSeen.get(work, part);
  if (found === null) return;
  seen(work, part, { busy: false, state: { ...found.state, trial: false } });
  const update = updates.get(work, part);
  if (update !== null && hex(update.release) === found.state.runningRelease) keptNow(work, part, update);
};

export const slotLeft = (work: Work, part: Part, now: Instant): void => startAnew(work, part, 'left', now);

const RETRY_MS = 60_000;
/** For people; what a program said of it may be longer than a report takes. */
const WHY_MAX = 200;

/** What was written is looked at again. All of it goes to the boot partition anew each time: a card that cannot take it is not worn out by that. */
const unarmed = (work: Work, part: Part, { release, attempts }: Update, why: string, now: Instant): void => {
  const key = hex(release);
  const waitMs = attempts >= ATTEMPTS ? AGAIN_MS : RETRY_MS;
  seen(work, part, { busy: false, retryMonoMs: now.monoMs + waitMs, unarmed: { release: key, why: beginning(why, WHY_MAX) } });
  contents.remove(work, key);
};

export const slotsRefused: Handler<Of<'slots-refused'>> = (work, _board, { part, step, error }, now) => {
  tell(work, part, `${step}: ${error.message}`);
  const update = updates.get(work, part);
  if (step === 'arm' && update !== null) unarmed(work, part, update, error.message, now);
  else seen(work, part, { busy: false, retryMonoMs: now.monoMs + RETRY_MS });
  // What was to be received may have been for one that is no longer wanted.
  if (step !== 'receive') return;
  for (const { key, value } of contents.all(work)) if (value.door === part && value.phase === 'checking') contents.remove(work, key);
};

const phaseOf = (work: Work, { phase, release }: Update): NonNullable<SystemReport['update']>['phase'] =>
  phase === 'fetching' && contents.get(work, hex(release))?.phase === 'held' ? 'written' : phase;

/** What its content lacks, or why it could not be armed. */
const delayOf = (work: Work, part: Part, key: string): string => {
  const lacks = contents.get(work, key)?.error ?? '';
  const last = slotsSeen.get(work, part)?.unarmed;
  return lacks === '' && last?.release === key ? last.why : lacks;
};

const updateOf = (work: Work, part: Part): SystemReport['update'] => {
  const wish = systemWishes.get(work, part);
  if (wish !== null && wish.refused !== '') return { release: wish.release, phase: 'failed', detail: wish.refused };
  const update = updates.get(work, part);
  if (update === null) return null;
  const detail = update.phase === 'fetching' ? delayOf(work, part, hex(update.release)) : update.detail;
  return { release: update.release, phase: phaseOf(work, update), detail };
};

/** Null on a board where this stays as it is. */
export const systemReport = (work: Work, part: Part): SystemReport | null => {
  const found = slotsSeen.get(work, part);
  if (found === null) return null;
  const { running: slot, runningRelease } = found.state;
  const outcome = systemOutcomes.get(work, part)?.document;
  const release = runningRelease === null ? null : fromHex(runningRelease);
  return { slot, release, update: updateOf(work, part), ...(outcome !== undefined && { outcome }) };
};
