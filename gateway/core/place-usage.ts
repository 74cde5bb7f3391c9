/** Where a usage record stands to what is known of its board's chain. docs/spec/metering.md, "Chains". */
import { type Bytes, equal, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { Sealed } from '../../runtime/protocol/noun.ts';
import type { Usage } from '../../runtime/protocol/nouns/board.ts';
import type { Context, Rows } from './context.ts';
import { type End, moveHead, usageEnd, usageHead } from './replicas.ts';
import { usageLives, usageSeen } from './tables.ts';

export type Chained = 'next' | 'repeat';

/** The boot as a key. */
const lifeOf = (rows: Rows, context: Context, { board, bootId }: Usage): string => {
  const end = usageEnd(rows, board);
  return end?.bootId === bootId ? end.life : hex(context.crypto.sha256(utf8(bootId)));
};

/** Number of the record that this one follows on; 0: it is the first; null: that one is not in place. */
const seqBefore = (rows: Rows, { board, prev }: Usage): number | null =>
  prev.every((byte) => byte === 0) ? 0 : usageSeen.get(rows, board, hex(prev));

/** Of honest boards each boot is one stretch of numbers. A boot that comes back after another one is a second board. */
const isTwoLives = (rows: Rows, { board, seq }: Usage, life: string): boolean => {
  const own = usageLives.get(rows, board, life);
  const head = usageEnd(rows, board);
  if (head === null) return false;
  if (seq > head.seq) return own !== null && head.life !== life;
  const first = own?.first ?? seq;
  return usageLives.all(rows, board).some(({ key, value }) => key !== `${board}/${life}` && value.first <= seq && value.last >= first);
};

/** Of the boot in which the highest record was signed, and the one after it: so it is with nearly all. */
const isNextOfBoot = (end: End | null, { seq, prev, bootId }: Usage): boolean =>
  end !== null && end.bootId === bootId && seq > end.seq && equal(prev, end.hash);

/**
 * Errors: `conflict` (a gap: what lies between comes first), `fork` (a record is known that no board with one life has
 * signed beside this one).
 */
export const placeInChain = (rows: Rows, context: Context, { value, hash }: Sealed<Usage>): Chained => {
  const { board, seq, prev } = value;
  if (isNextOfBoot(usageEnd(rows, board), value)) return 'next';
  if (usageSeen.get(rows, board, hex(hash)) !== null) return 'repeat';
  const life = lifeOf(rows, context, value);
  const own = usageLives.get(rows, board, life);
  const before = seqBefore(rows, value);
  if (own !== null && !equal(prev, own.hash)) {
    if (before !== null || seq <= own.last + 1) refuse('fork', `record ${seq} of ${board} does not follow from ${own.last} of its boot`);
    refuse('conflict', `record ${seq} of ${board}, but those of its boot end at ${own.last}`);
  }
  if (before === null) return refuse('conflict', `record ${seq} of ${board}, but the chain ends at ${usageHead(rows, board).seq}`);
  if (seq <= before) refuse('fork', `record ${seq} of ${board} follows on ${before}`);
  if (isTwoLives(rows, value, life)) refuse('fork', `board ${board} signed record ${seq} in a boot that was over before another one's`);
  return 'next';
};

/** What `placeInChain` calls next. */
export const putInChain = (rows: Rows, context: Context, { value, hash }: Sealed<Usage>, record: Bytes): void => {
  const { board, seq, bootId } = value;
  const end = usageEnd(rows, board);
  const life = lifeOf(rows, context, value);
  const first = end?.life === life ? end.first : (usageLives.get(rows, board, life)?.first ?? seq);
  usageSeen.put(rows, seq, board, hex(hash));
  usageLives.put(rows, { first, last: seq, hash }, board, life);
  if (seq > (end?.seq ?? 0)) moveHead(rows, board, { seq, hash, life, bootId, first }, record);
};
