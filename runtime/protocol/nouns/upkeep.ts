/**
 * An owner's standing word on the system of a board: whose images it is given, and which. Kept apart from the binding, which
 * says what the board earns: who changes one of them need not repeat the other.
 */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { boardId, hash, ownerId, positive, publisherId, version1 } from '../schema.ts';

export const upkeepSchema = v.strictObject({
  v: version1,
  board: boardId,
  owner: ownerId,
  version: positive,
  /** Null: its system stays as it is. */
  publisher: v.nullable(publisherId),
  /** This one and no other; without it, the newest. */
  release: v.optional(hash),
});
export type Upkeep = v.InferOutput<typeof upkeepSchema>;
export const upkeepNoun: Noun<Upkeep> = noun('upkeep', LIMITS.documentBytes, upkeepSchema);
