/**
 * An owner's standing word on the upkeep of a board: whose images it is given, and which; what it shares with its network. Kept apart from the binding, which
 * says what the board earns: who changes one of them need not repeat the other.
 */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { boardId, hash, ownerId, positive, publisherId, uintUpTo, version1 } from '../schema.ts';
import { windows } from './windows.ts';

export const upkeepRollout = v.strictObject({
  wave: v.pipe(positive, v.maxValue(LIMITS.waves + 1)),
  tolerated: uintUpTo(LIMITS.replicas),
  bakeMs: uintUpTo(LIMITS.bakeMs),
});

export const upkeepSchema = v.strictObject({
  v: version1,
  board: boardId,
  owner: ownerId,
  version: positive,
  /** Null: its system stays as it is. */
  publisher: v.nullable(publisherId),
  /** This one and no other; without it, the newest. */
  release: v.optional(hash),
  /**
   * Its place among those boards of its owner that follow the same publisher: a wave is given a system once it did well for `bakeMs` on all
   * boards of the waves before; `tolerated` of all may fail. Without it the board waits for none, and none for it.
   */
  rollout: v.optional(upkeepRollout),
  /** When what was fetched may take the place of what runs; at any time without it. */
  windows: v.optional(windows),
  /** Whether it shares content with others on its own network; without it that stays as it was, and at first it does. */
  neighbours: v.optional(v.boolean()),
});
export type Upkeep = v.InferOutput<typeof upkeepSchema>;
export const upkeepNoun: Noun<Upkeep> = noun('upkeep', LIMITS.documentBytes, upkeepSchema);
