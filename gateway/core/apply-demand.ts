/** Entries that tenants, publishers and owners sign: what is offered as software, wanted, paid for, and lent. */
import { type Bytes, compare, equal, hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, type LichenError, refuse, unadmitted } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { payloadOf, type Sealed, unseal } from '../../runtime/protocol/noun.ts';
import type { LogEntry } from '../../runtime/protocol/nouns/log.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { type Binding, bindingNoun, type Request, requestIdOf, type Voucher, verdictNoun } from '../../runtime/protocol/nouns/request.ts';
import type { Upkeep } from '../../runtime/protocol/nouns/upkeep.ts';
import { givenTo, knownTo } from '../../runtime/protocol/parameters.ts';
import { checkManifest, checkRunnable } from '../../runtime/protocol/soundness.ts';
import type { Context, Rows } from './context.ts';
import { isRevoked } from './directory.ts';
import { open } from './opened.ts';
import { bindings, boards, documents, manifests, parties, publishers, requestPlaces, requests, upkeeps, vouchers } from './tables.ts';

/** Two of one number, pushed at two gateways: the greater hash counts, as it does everywhere. */
export const supersedes = ([number, hash]: [number, Bytes], [held, heldHash]: [number, Bytes]): boolean =>
  number > held || (number === held && compare(hash, heldHash) > 0);

export const checkTenant = (rows: Rows, context: Context, tenant: string, signer: Bytes): void => {
  if (fingerprint(context.crypto, signer) !== tenant) refuse('wrong-signer', 'the tenant it names did not sign it');
  if (isRevoked(rows, context, signer)) refuse('revoked-key', `tenant ${tenant}`);
  if (parties.get(rows, 'tenant', tenant) === null) throw unadmitted(`tenant ${tenant} has not been admitted here`);
};

export const openManifest = (rows: Rows, context: Context, body: Bytes): Sealed<Manifest> => {
  const sealed = open.manifest(context.crypto, body);
  const publisher =
    publishers.get(rows, sealed.value.publisher) ??
    refuse('unknown-key', `publisher ${sealed.value.publisher} is not known here; push its trust document first`);
  if (publisher.doc.revoked.some((key) => equal(key, sealed.signer)))
    refuse('revoked-key', `publisher ${publisher.doc.name} has revoked the key`);
  if (!publisher.doc.keys.some((key) => equal(key, sealed.signer)))
    refuse('wrong-publisher', `the key is not among those of publisher ${publisher.doc.name}`);
  return sealed;
};

/** Its publisher has since taken back the key that signed it: no board that knows of it would begin it. */
export const isWithdrawn = (rows: Rows, release: string): boolean => {
  const manifest = manifests.get(rows, release);
  const publisher = manifest === null ? null : publishers.get(rows, manifest.doc.publisher);
  if (manifest === null || publisher === null) return false;
  const isSigner = (key: Bytes): boolean => equal(key, manifest.signer);
  return publisher.doc.revoked.some(isSigner) || !publisher.doc.keys.some(isSigner);
};

export const applyManifest = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, hash, signer } = openManifest(rows, context, body);
  const publisher = publishers.get(rows, value.publisher) ?? refuse('unknown-key', 'publisher');
  documents.put(rows, body, hex(hash));
  manifests.put(rows, { doc: value, publisher: publisher.hash, signer }, hex(hash));
};

export const openRequest = (rows: Rows, context: Context, body: Bytes): Sealed<Request> => {
  const sealed = open.request(context.crypto, body);
  checkTenant(rows, context, sealed.value.tenant, sealed.signer);
  return sealed;
};

/**
 * Why a request and a release do not go together; null: they do. A peer may have logged what would have been refused here,
 * and a log is taken as it is: it is only not acted upon.
 */
export const objectionTo = ({ parameters }: Request, manifest: Manifest, isFallback = false): LichenError | null => {
  try {
    checkManifest(manifest);
    checkRunnable(manifest);
    givenTo(manifest, isFallback ? knownTo(manifest, parameters) : parameters);
    return null;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return error;
  }
};

export const applyRequest = (rows: Rows, context: Context, body: Bytes, entry: LogEntry): void => {
  const { value, hash } = openRequest(rows, context, body);
  const id = requestIdOf(context.crypto, value.tenant, value.name);
  documents.put(rows, body, hex(hash));
  const held = requests.get(rows, id);
  if (held !== null && !supersedes([value.sequence, hash], [held.doc.sequence, held.hash])) return;
  requests.put(rows, { doc: value, hash }, id);
  if (entry.author === context.me) requestPlaces.put(rows, { hash, place: entry.seq }, id);
};

export const openVoucher = (rows: Rows, context: Context, body: Bytes): Sealed<Voucher> => {
  const sealed = open.voucher(context.crypto, body);
  checkTenant(rows, context, sealed.value.tenant, sealed.signer);
  return sealed;
};

export const applyVoucher = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, hash } = openVoucher(rows, context, body);
  // Boards begin nothing without it.
  documents.put(rows, body, hex(hash));
  vouchers.put(rows, value, hex(hash));
};

/** A verdict is kept in the log as evidence; nothing is derived from it. */
export const applyVerdict = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signer } = unseal(context.crypto, verdictNoun, body);
  checkTenant(rows, context, value.tenant, signer);
};

/** A word on a board counts if it is that of whom it was paired for. */
const byOwner = <T extends { board: string; owner: string }>(rows: Rows, context: Context, sealed: Sealed<T>): Sealed<T> => {
  const board = boards.get(rows, sealed.value.board) ?? refuse('not-paired', `board ${sealed.value.board}`);
  if (board.owner !== sealed.value.owner || fingerprint(context.crypto, sealed.signer) !== board.owner) {
    refuse('wrong-signer', `board ${sealed.value.board} was paired for owner ${board.owner}, who did not sign this`);
  }
  if (isRevoked(rows, context, sealed.signer)) refuse('revoked-key', "the owner's key is revoked");
  return sealed;
};

export const openBinding = (rows: Rows, context: Context, body: Bytes): Sealed<Binding> =>
  byOwner(rows, context, open.binding(context.crypto, body));

export const openUpkeep = (rows: Rows, context: Context, body: Bytes): Sealed<Upkeep> =>
  byOwner(rows, context, open.upkeep(context.crypto, body));

export const applyUpkeep = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, hash } = openUpkeep(rows, context, body);
  // Boards ask for it by this name.
  documents.put(rows, body, hex(hash));
  const held = upkeeps.get(rows, value.board);
  if (held === null || supersedes([value.version, hash], [held.doc.version, held.hash]))
    upkeeps.put(rows, { doc: value, hash }, value.board);
};

export const applyBinding = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, hash } = openBinding(rows, context, body);
  const held = bindings.get(rows, value.board);
  const heldHash = held === null ? hash : context.crypto.sha256(payloadOf(bindingNoun, held));
  if (held === null || supersedes([value.version, hash], [held.version, heldHash])) bindings.put(rows, value, value.board);
};
