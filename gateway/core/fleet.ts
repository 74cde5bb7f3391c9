/**
 * How far a system, or a runtime alone, has come through those boards of one owner that are given it one wave after the other. From the logs
 * alone (owners' words, boards' offers and outcomes), without a clock, so that it is the same at every gateway.
 */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Upkeep } from '../../runtime/protocol/nouns/upkeep.ts';
import type { Context, Rows } from './context.ts';
import { isRevoked } from './directory.ts';
import { isReached, standingIn, type Tried } from './rollout.ts';
import { boards, systemOutcomes, upkeeps } from './tables.ts';
import { type Fleet, fleets } from './touched.ts';

type Image = NonNullable<Manifest['image']>;

/** What failed under an older word of the owner counts no more; what passed has passed. */
const triedOn = (rows: Rows, release: string, { board, version }: Upkeep): Tried => {
  const said = systemOutcomes.get(rows, release, board);
  if (said === null || (said.result === 'failed' && said.upkeep < version)) return { trial: 'old', why: '' };
  return { trial: said.result, why: said.why };
};

/** Whether the board could be given it at all: others are not waited for. */
const isFor = (rows: Rows, context: Context, { board: kind, part }: Image, board: string): boolean => {
  const held = boards.get(rows, board);
  const offered = held?.offer?.image;
  if (held === null || offered === undefined || isRevoked(rows, context, held.key)) return false;
  return offered.board === kind && offered.parts.includes(part ?? 'system');
};

type InWaves = Upkeep & { rollout: NonNullable<Upkeep['rollout']> };

const build = (rows: Rows, context: Context, { owner, publisher }: Upkeep, release: string, image: Image): Fleet => {
  const words = upkeeps.all(rows).flatMap(({ value: { doc } }): InWaves[] => {
    const { rollout } = doc;
    if (rollout === undefined || doc.owner !== owner || doc.publisher !== publisher) return [];
    const wants = doc.release === undefined || hex(doc.release) === release;
    return wants && isFor(rows, context, image, doc.board) ? [{ ...doc, rollout }] : [];
  });
  const members = words.map((doc) => ({ board: doc.board, ...triedOn(rows, release, doc) }));
  const waves = words.map(({ rollout }) => rollout.wave - 1);
  // Should they not agree, the strictest counts.
  const tolerated = Math.min(...words.map(({ rollout }) => rollout.tolerated));
  // A wave is what boards are in it: one that nobody's word names any more is none.
  const standing = standingIn(members, { waves, of: Math.max(...waves) + 1, tolerated, blank: null }, ({ board }) => `board ${board}`);
  return { boards: members, standing };
};

/** Of the fleet that the word's board is in. */
export const fleetOf = (rows: Rows, context: Context, word: Upkeep, release: string, image: Image): Fleet => {
  const key = `${word.owner}/${word.publisher}/${release}`;
  const held = fleets.get(rows, key);
  if (held !== null) return held;
  const built = build(rows, context, word, release, image);
  fleets.put(rows, built, key);
  return built;
};

/** Whether its turn has come. What did well on a board stays there, whatever it does on others. */
export const mayHave = (rows: Rows, context: Context, word: Upkeep, release: string, image: Image): boolean => {
  if (word.rollout === undefined) return true;
  const { boards: members, standing } = fleetOf(rows, context, word, release, image);
  const at = members.findIndex(({ board }) => board === word.board);
  const member = members[at];
  return member !== undefined && (member.trial === 'passed' || isReached(standing, member, at));
};
