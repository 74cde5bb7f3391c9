/** What a board asks for by its hash: signed documents and index pages, into the store. */
import { documents, docWants, links, ONE } from '../core/tables.ts';
import { type Bytes, equal, fromHex, hex } from '../protocol/bytes.ts';
import { open1, openMany, typOf } from '../protocol/cose.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { encodeAs, unseal } from '../protocol/noun.ts';
import { want } from '../protocol/nouns/messages.ts';
import { requestNoun, voucherNoun } from '../protocol/nouns/request.ts';
import { shareNoun } from '../protocol/nouns/share.ts';
import { contentIn } from '../protocol/packing.ts';
import { openShare } from '../protocol/shares.ts';
import type { Instant } from '../turn/clock.ts';
import { doubt, trust } from './doubts.ts';
import type { Board, Work } from './events.ts';

export const online = (work: Work): boolean => links.get(work, ONE)?.phase === 'welcomed';

/** Of one that is held. */
export const documentOf = (work: Work, hash: Bytes): Bytes => documents.get(work, hex(hash)) ?? refuse('internal', 'document');

export const ask = (work: Work, hashes: Bytes[]): void => {
  for (let at = 0; at < hashes.length && online(work); at += LIMITS.wantHashes) {
    work.emit({
      kind: 'publish',
      topic: 'want',
      payload: encodeAs(want, { v: 1, hashes: hashes.slice(at, at + LIMITS.wantHashes) }, 'want'),
    });
  }
};

/** True when all are held; what is not is asked for. */
export const needDocuments = (work: Work, hashes: Bytes[], now: Instant): boolean => {
  const missing = hashes.filter((hash) => documents.get(work, hex(hash)) === null);
  const fresh = missing.filter((hash) => docWants.get(work, hex(hash)) === null);
  for (const hash of fresh) docWants.put(work, now.monoMs, hex(hash));
  ask(work, fresh);
  return missing.length === 0;
};

/** Asks for those again that were asked for before that moment. */
export const askDocuments = (work: Work, beforeMonoMs: number, now: Instant): void => {
  const late = docWants.all(work).filter(({ value }) => value < beforeMonoMs);
  for (const { key } of late) docWants.put(work, now.monoMs, key);
  ask(
    work,
    late.map(({ key }) => fromHex(key)),
  );
};

/** At which `askDocuments` may do what it would not do before. */
export const documentMoments = (work: Work, board: Board): number[] => docWants.all(work).map(({ value }) => value + board.pace.patienceMs);

const safeTyp = (bytes: Bytes): string | null => {
  try {
    return typOf(bytes);
  } catch {
    return null;
  }
};

/** A document's identity is the hash of what was signed, a page's that of its bytes. */
const identity = (board: Board, bytes: Bytes): Bytes => {
  const typ = bytes[0] === 0xd2 || bytes[0] === 0xd8 ? safeTyp(bytes) : null;
  if (typ === null) return board.crypto.sha256(bytes);
  const { payload } = bytes[0] === 0xd2 ? open1(board.crypto, typ, bytes) : openMany(board.crypto, typ, bytes, 2 * LIMITS.rootKeys);
  return board.crypto.sha256(payload);
};

/** Of a request, a voucher or a share its own words tell who has to sign it; what another signed must not stand in its place. */
const checkTenant = (board: Board, bytes: Bytes): void => {
  const typ = safeTyp(bytes);
  if (typ === shareNoun.typ) openShare(board.crypto, bytes);
  if (typ !== requestNoun.typ && typ !== voucherNoun.typ) return;
  const { value, signer } = unseal<{ tenant: string }>(board.crypto, typ === requestNoun.typ ? requestNoun : voucherNoun, bytes);
  if (fingerprint(board.crypto, signer) !== value.tenant) refuse('unrequested', `tenant ${value.tenant} did not sign it`);
};

/** Throws why what came is not the document, or page, of that hash. */
const documentIn = (board: Board, hash: Bytes, came: Bytes): Bytes => {
  const page = contentIn(board.crypto, board.unpack, hash, came, LIMITS.pageBytes);
  if (page !== null) return page;
  if (!equal(identity(board, came), hash)) refuse('bad-signature', `what came for ${hex(hash)} is something else`);
  checkTenant(board, came);
  return came;
};

/** False when nobody waits for it. One that is something else is doubted, and waited for. */
export const gotDocument = (work: Work, board: Board, hash: Bytes, came: Bytes | null, now: Instant): boolean => {
  const key = hex(hash);
  if (docWants.get(work, key) === null) return false;
  if (came === null) return true;
  try {
    documents.put(work, documentIn(board, hash, came), key);
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    doubt(work, board, hash, error.message, now);
    return true;
  }
  trust(work, key);
  docWants.remove(work, key);
  return true;
};
