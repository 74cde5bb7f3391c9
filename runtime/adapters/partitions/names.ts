/** What a partition is called in each of the kernel's name spaces, derived from board + partition only. */
import { createHash } from 'node:crypto';

const ID = /^[a-z2-7]{32}$/;
export const isId = (id: string): boolean => ID.test(id);

const digest = (...parts: string[]): Buffer => createHash('sha256').update(parts.join('\n')).digest();

/** Several boards can live on one machine, so everything that is not inside a board's own directory carries its name. */
export const boardName = (board: string): string => `lichen-${board.slice(0, 12)}`;

/** 28 bits above what systemd and distributions hand out (systemd's "Users, Groups, UIDs and GIDs": 0x70000000 and up is unused). */
const UID_BASE = 0x7000_0000;
const UID_COUNT = 0x0fff_ffff;

export const isPartitionUid = (uid: number): boolean => uid >= UID_BASE && uid < UID_BASE + UID_COUNT;

/** The first free uid at or above the derived one; `taken` are those of the other partitions. */
export const uidOf = (board: string, partition: string, taken: ReadonlySet<number> = new Set()): number => {
  let offset = digest('uid', board, partition).readUInt32BE(0) % UID_COUNT;
  while (taken.has(UID_BASE + offset)) offset = (offset + 1) % UID_COUNT;
  return UID_BASE + offset;
};

/** Interface names hold 15 bytes: `lc` and 52 bits of hash. */
export const linkOf = (board: string, partition: string): string => `lc${digest('link', board, partition).toString('hex').slice(0, 13)}`;

/** 80 bits of hash below the unique local prefix fd4c:6963:6865::/48 (RFC 4193; the letters spell "lich" + "e"). */
export const addressOf = (board: string, partition: string): string => {
  const hex = digest('address', board, partition).toString('hex').slice(0, 20);
  return `fd4c:6963:6865:${(hex.match(/.{4}/g) ?? []).join(':')}`;
};

/** A pair of interfaces between two partitions has one name at both ends, each of which is in a namespace of its own. */
export const pairOf = (board: string, one: string, other: string): string =>
  `lk${digest('pair', board, ...[one, other].sort())
    .toString('hex')
    .slice(0, 13)}`;

/** 22 bits of hash below 100.64.0.0/10 (RFC 6598): the board alone routes to it, one address at a time. */
export const address4Of = (board: string, partition: string, attempt: number): string => {
  const host = digest('address4', board, partition, String(attempt)).readUInt32BE(0) & 0x3f_ffff;
  return [100, 64 | (host >>> 16), (host >>> 8) & 0xff, host & 0xff].join('.');
};
