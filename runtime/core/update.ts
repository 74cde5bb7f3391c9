/**
 * An update of the board's own system: fetched into the idle slot, started once from there, kept when it has shown that it
 * works, else left by itself. What is durable of it is one row; the rest is what the slots say of themselves.
 */
import { hex } from '../protocol/bytes.ts';
import type { Upkeep } from '../protocol/nouns/upkeep.ts';
import type { SlotsFound, Update } from './system-tables.ts';

/** So long a new system may take to show that it works, and so long it has to go on doing so. */
export const TRIAL_MS = 600_000;
export const TRIAL_STEADY_MS = 10_000;
/** So often an update is begun that fails for reasons which may not be its own, and so long after it failed. */
export const ATTEMPTS = 3;
export const AGAIN_MS = 3_600_000;
/** Instances that do not end by then are ended by the machine's. */
export const PARTING_MS = 120_000;

const failed = (update: Update, detail: string): Update => ({ ...update, phase: 'failed', detail });

/** Something took away what was armed: it is begun again, though not for ever. */
const lost = (update: Update, detail: string): Update =>
  update.attempts >= ATTEMPTS ? failed(update, detail) : { ...update, phase: 'fetching' };

/** What was kept once: of it, that its slot was left says nothing. */
const AGAIN = 'the card has lost some of it, and it is written again';

/** The row as it has to be, by what is found at a start of the runtime: a power cut may have come between the two. */
export const settled = (update: Update, found: SlotsFound): Update => {
  const release = hex(update.release);
  const isSpent = found.runningRelease !== release && found.idleRelease === release && found.idle === 'spent';
  // The card has lost some of it, and it was left: it is given again, though a card may be past that.
  if (update.phase === 'kept' && isSpent) return lost({ ...update, detail: AGAIN }, 'the card loses what is written to the slot');
  if (update.phase === 'fetching' && isSpent && update.detail === AGAIN) return update;
  // What was given up is not taken up again, even if its slot is started once more.
  if (update.phase === 'failed' || update.phase === 'kept') return update;
  if (found.runningRelease === release) return { ...update, phase: found.trial ? 'trial' : 'kept', detail: '' };
  if (found.idleRelease === release && found.idle === 'spent')
    return failed(update, 'it was started and did not come so far as to say why');
  if (found.idleRelease === release && found.idle === 'armed') return { ...update, phase: 'armed' };
  return update.phase === 'fetching' ? update : lost(update, 'it was armed and not started');
};

export interface Wish {
  release: string;
  publisher: string;
  sequence: number;
  /** Of the owner's word by which it is wanted. */
  upkeep: number;
}

/** Why this system is not taken; null: it is. `floor`: the highest sequence of its publisher that was kept. */
export const objectionToWish = (wish: Wish, floor: number, update: Update | null, found: SlotsFound): string | null => {
  if (found.runningRelease === wish.release) return 'it runs';
  if (wish.sequence < floor) return `sequence ${floor} of its publisher was kept, this is ${wish.sequence}`;
  if (wish.sequence === floor) return `another system with sequence ${floor} of its publisher was kept`;
  if (update?.phase !== 'failed' || update.publisher !== wish.publisher || wish.sequence > update.sequence) return null;
  if (wish.upkeep > update.upkeep) return null;
  return `it was tried: ${update.detail}`;
};

/** A system that never found its gateway may be a good one on a bad day. */
export const mayStillPass = ({ phase, lonely, attempts }: Update): boolean => phase === 'failed' && lonely && attempts < ATTEMPTS;

export const mayTryAgain = (update: Update, sinceMs: number): boolean => mayStillPass(update) && sinceMs >= AGAIN_MS;

export interface Shown {
  isPaired: boolean;
  /** Since when it is at home with its gateway; null: it is not. */
  homeMonoMs: number | null;
  /** When this life of the runtime began to look. */
  sinceMonoMs: number;
  /** Instances that ran before and do not run now. */
  down: number;
}

export type TrialVerdict = { kind: 'open' } | { kind: 'works' } | { kind: 'fails'; why: string; lonely: boolean };

/** Whether a system on trial has shown that it works: at home, or unpaired as it was, with all that ran before. */
export const verdictOn = ({ isPaired, homeMonoMs, sinceMonoMs, down }: Shown, monoMs: number): TrialVerdict => {
  const wellMonoMs = isPaired ? homeMonoMs : sinceMonoMs;
  if (wellMonoMs !== null && down === 0 && monoMs - wellMonoMs >= TRIAL_STEADY_MS) return { kind: 'works' };
  if (monoMs - sinceMonoMs < TRIAL_MS) return { kind: 'open' };
  const within = `within ${TRIAL_MS / 1000} s`;
  if (wellMonoMs === null) return { kind: 'fails', why: `it did not come home ${within}`, lonely: true };
  return { kind: 'fails', why: `${down} of its instances did not run again ${within}`, lonely: false };
};

/** Why an owner's word is not obeyed; null: it is. `held`: whose word counts, if that is known, and its newest version. */
export const objectionToUpkeep = (
  { board, owner, version }: Upkeep,
  signer: string,
  held: { board: string; owner: string | null; version: number },
): string | null => {
  if (board !== held.board) return `it is about board ${board}`;
  if (owner !== signer || (held.owner !== null && owner !== held.owner)) return `owner ${held.owner ?? owner} did not sign it`;
  return version < held.version ? `version ${held.version} was obeyed, this is ${version}` : null;
};
