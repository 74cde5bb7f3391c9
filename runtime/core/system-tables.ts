/** What a board remembers of updates of its own software, by its parts, and what it may forget. */
import * as v from 'valibot';
import type { Bytes } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { Upkeep } from '../protocol/nouns/upkeep.ts';
import { bytes, hash, leaseId, ownerId, positive, publisherId, text, uint } from '../protocol/schema.ts';
import { table, volatileTable } from '../turn/table.ts';

/** As the slots' door tells it. */
export interface SlotsFound {
  running: string;
  runningRelease: string | null;
  trial: boolean;
  idle: 'empty' | 'armed' | 'spent' | 'kept';
  idleRelease: string | null;
}

const updateSchema = v.strictObject({
  release: hash,
  publisher: publisherId,
  sequence: positive,
  /** Version of the owner's word by which it was wanted. */
  upkeep: positive,
  /** What is beyond `fetching` is known to the slots as well. */
  phase: v.picklist(['fetching', 'armed', 'trial', 'kept', 'failed']),
  /** Why it failed; whether that may have been the network's fault; how often it was armed. */
  detail: text,
  lonely: v.boolean(),
  attempts: uint,
  /** Leases whose instances ran when it was armed. */
  ran: v.pipe(v.array(leaseId), v.maxLength(LIMITS.partitionsPerBoard)),
});
export type Update = v.InferOutput<typeof updateSchema>;
/** part → its newest update. */
export const updates = table('update', updateSchema);
/** part → leases whose instances held their promises when its newest update was armed. */
export const heldBefore = table('system-held', v.pipe(v.array(leaseId), v.maxLength(LIMITS.partitionsPerBoard)));
/** part/publisher → the highest sequence that was kept here: nothing older is taken. */
export const systemFloors = table('system-floor', positive);
/** Whose word on its upkeep the board takes, and the newest one that it obeyed. */
export const upkeeps = table('upkeep', v.strictObject({ owner: ownerId, version: positive }));

/** As the slots were found, by this life of the runtime; a step of theirs is under way. */
export interface SlotsSeen {
  state: SlotsFound;
  sinceMonoMs: number;
  busy: boolean;
  /** Not asked again before: something was refused. */
  retryMonoMs: number;
  /** What was written and could not be armed, and why. */
  unarmed: { release: string; why: string } | null;
}
export const slotsSeen = volatileTable<SlotsSeen>('slots');
/** The system that the board's home assigns. */
export interface SystemWish {
  release: Bytes;
  publisher: Bytes;
  upkeep: Bytes;
  looked: boolean;
  /** Of the owner's word by which it is wanted; null before that was read. */
  word: { version: number; bakeMs: number; windows: Upkeep['windows'] } | null;
  /** Why it is not taken; empty: it is. Whether that is its own fault. */
  refused: string;
  unfit: boolean;
}
export const systemWishes = volatileTable<SystemWish>('system-wish');
/** part → the board's word on the newest system that it was to run; `document`: as it signed it. */
export const systemOutcomes = table(
  'system-outcome',
  v.strictObject({ release: hash, upkeep: positive, result: v.picklist(['passed', 'failed']), document: bytes(LIMITS.outcomeBytes) }),
);
/** part → since when it could be started, but for the time of the day. */
export const readies = volatileTable<{ release: string; sinceMonoMs: number }>('system-ready');
/** part → since when the release that it is to run has done well, without a break. */
export const bakes = volatileTable<{ release: string; sinceMonoMs: number }>('bake');
/** The owner's word that the board's home names, and whether it was looked at. */
export const upkeepWishes = volatileTable<{ upkeep: Bytes; looked: boolean }>('upkeep-wish');
/** Release → the verified manifest of a system. */
export const systemManifests = volatileTable<Manifest>('system-manifest');
/** The machine is to start anew: since when, from when on instances end for that, and when it was told to. */
export const partings = volatileTable<{ sinceMonoMs: number; ends: boolean; endsMonoMs: number; toldMonoMs: number | null }>('parting');
