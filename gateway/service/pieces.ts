/** Pages and chunks as they are held and handed on: plain, or packed as they came. A gateway packs nothing itself. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { CHUNK_BYTES } from '../../runtime/protocol/nouns/messages.ts';
import { mayBePacked } from '../../runtime/protocol/packing.ts';
import type { Rows } from '../core/context.ts';
import { blobs, documents, packed, stock, wanted } from '../core/tables.ts';
import type { Service, Work } from './events.ts';

export const PIECE_MAX = Math.max(LIMITS.chunkMaxBytes, LIMITS.pageBytes);

/** `body` is what came, `plain` what is in it, `key` the hash of that. */
export interface Came {
  key: string;
  plain: Bytes;
  body: Bytes;
}

/** Nobody has to be told when it comes: who needs it was told that it is here. */
const HEALING = { asPage: [], asChunk: [], bytes: 0 };

const isKnown = (work: Work, key: string): boolean => wanted.get(work, key) !== null || blobs.get(work, key) !== null;

/** Any bytes are content if somebody waits for them, or for what is packed in them; null: they are nobody's. */
export const asContent = (work: Work, service: Service, body: Bytes): Came | null => {
  const key = hex(service.crypto.sha256(body));
  if (isKnown(work, key)) return { key, plain: body, body };
  const plain = mayBePacked(body) ? service.unpack(body, PIECE_MAX) : null;
  if (plain === null) return null;
  const inside = hex(service.crypto.sha256(plain));
  return isKnown(work, inside) ? { key: inside, plain, body } : null;
};

/** What boards are given under a hash, as far as a message holds it. */
export const heldUnder = (rows: Pick<Rows, 'get'>, hash: Bytes): Bytes | null => {
  const key = hex(hash);
  const bytes = blobs.get(rows, key) ?? documents.get(rows, key);
  return bytes === null || bytes.length > CHUNK_BYTES ? null : bytes;
};

const STOCK = 'all';

/** Bytes of content that are held. */
export const stockOf = (work: Work): number => stock.get(work, STOCK)?.bytes ?? 0;

const change = (work: Work, bytes: number): void => stock.put(work, { bytes: Math.max(0, stockOf(work) + bytes) }, STOCK);

export const isWeighed = (work: Work): boolean => stock.get(work, STOCK) !== null;

const WEIGHED_AT_ONCE = 64;

/** All that is held, once: a store of before does not say. */
export const weigh = (work: Work): void => {
  let bytes = 0;
  for (let [after, more] = ['', true]; more; ) {
    const page = blobs.page(work, after, WEIGHED_AT_ONCE);
    for (const { value } of page) bytes += value.length;
    more = page.length === WEIGHED_AT_ONCE;
    after = page.at(-1)?.key ?? '';
  }
  stock.put(work, { bytes }, STOCK);
};

/** Whether so much more can be taken in. */
export const hasRoom = (work: Work, { contentBytes }: Service, bytes: number): boolean => stockOf(work) + bytes <= contentBytes;

export const drop = (work: Work, key: string): void => {
  change(work, -(blobs.get(work, key)?.length ?? 0));
  blobs.remove(work, key);
  packed.remove(work, key);
};

export const keep = (work: Work, { key, plain, body }: Came): void => {
  change(work, body.length);
  blobs.put(work, body, key);
  if (body !== plain) packed.put(work, plain.length, key);
};

/** Of content that is held; null: it is not. */
export const lengthOf = (work: Work, key: string): number | null => packed.get(work, key) ?? blobs.get(work, key)?.length ?? null;

const isRight = (service: Service, key: string, bytes: Bytes, length: number | null): boolean => {
  const plain = length === null ? bytes : service.unpack(bytes, length);
  return plain !== null && hex(service.crypto.sha256(plain)) === key;
};

/** Whether these bytes, held under a hash as content, are it. */
export const isContent = (rows: Pick<Rows, 'get'>, service: Service, hash: Bytes, bytes: Bytes): boolean =>
  isRight(service, hex(hash), bytes, packed.get(rows, hex(hash)));

/**
 * What is held under a hash, looked at: what is not that any more goes, and peers are asked for it as for what never came.
 * Null: it is not here.
 */
export const proven = (work: Work, service: Service, key: string): Bytes | null => {
  const bytes = blobs.get(work, key);
  if (bytes === null || isRight(service, key, bytes, packed.get(work, key))) return bytes;
  drop(work, key);
  wanted.put(work, HEALING, key);
  work.emit({ kind: 'journal', line: `content ${key} has changed on the disk; peers are asked for it` });
  return null;
};

export const plainOf = (work: Work, service: Service, key: string): Bytes | null => {
  const [bytes, length] = [blobs.get(work, key), packed.get(work, key)];
  if (bytes === null || length === null) return bytes;
  return service.unpack(bytes, length) ?? refuse('storage-broken', `content ${key} cannot be unpacked any more`);
};
