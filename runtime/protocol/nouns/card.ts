/** What a board says of the card, or other disk, that its data lie on. */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { text, uint, uintUpTo } from '../schema.ts';

/** The last moment that is a date (ECMA-262, Time Values): people are to be told of it. */
const DATE_MAX_MS = 8_640_000_000_000_000;

/** As its kernel tells it. What no kernel tells of such a card is absent. */
export const cardHealth = v.strictObject({
  /** Its name on that board, such as `mmcblk0`; and what it says that it is: maker's number, model, date. Empty: nothing. */
  disk: text,
  says: text,
  /** Hundredths of the life that its maker gave it which are used up, at least, in tens (eMMC). */
  wornPercent: v.optional(uintUpTo(100)),
  /** Of the blocks that it keeps for when others wear out; `low`: 80 % of them are in use, `urgent`: 90 % (eMMC). */
  spare: v.optional(v.picklist(['normal', 'low', 'urgent'])),
  /** That its file system met since it was last mended (ext4), and when the last was, by the board's clock of then. */
  errors: v.optional(uint),
  erredMs: v.optional(uintUpTo(DATE_MAX_MS)),
  /** It takes no writes, as after an error that it could not go on with. */
  readOnly: v.boolean(),
  /** Some of the system that runs cannot be read any more, and there is no other one to start; absent: nothing looks. */
  damaged: v.optional(v.boolean()),
  /** Of the file system that the data lie in; `freeMib`: without what is kept for root. */
  sizeMib: uint,
  freeMib: uint,
  /** To the whole disk, since the board was started; and to its file system, since that was made (ext4). */
  writtenBytes: uint,
  everWrittenMib: v.optional(uint),
});
export type CardHealth = v.InferOutput<typeof cardHealth>;

const MIB = 1024 * 1024;

/** Nothing is fetched any more: what is left is for what the board has to write down. */
export const isShort = ({ freeMib }: CardHealth): boolean => freeMib * MIB < LIMITS.cardReserveBytes;
