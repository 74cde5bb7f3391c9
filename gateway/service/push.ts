/**
 * What tenants, publishers and owners push, over MQTT or HTTP: any signed document, or a page or chunk of a release
 * whose manifest came first. Content that nobody waits for is refused, so the door is no free storage.
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { typOf } from '../../runtime/protocol/cose.ts';
import { type LichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import type { EntryKind } from '../../runtime/protocol/nouns/log.ts';
import { type Answer, answer as answerSchema } from '../../runtime/protocol/nouns/messages.ts';
import { checkChoices, needsOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { shareIdOf } from '../../runtime/protocol/nouns/share.ts';
import { givenTo, knownTo } from '../../runtime/protocol/parameters.ts';
import { beginning } from '../../runtime/protocol/printable.ts';
import { checkSharing } from '../../runtime/protocol/shares.ts';
import { checkManifest, checkRunnable } from '../../runtime/protocol/soundness.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { isWithdrawn, openBinding, openManifest, openRequest, openUpkeep } from '../core/apply-demand.ts';
import { openShare } from '../core/apply-share.ts';
import { checkCircle } from '../core/links.ts';
import { checkPorts } from '../core/ports.ts';
import { lentBy } from '../core/rooms.ts';
import { lackingFor } from '../core/shares.ts';
import { bindings, boards, manifests, releases, requests, shares, upkeeps, vouchers } from '../core/tables.ts';
import { accept, acceptOnce, wasAccepted } from './accept.ts';
import { awaitRelease, checkRoom, missingOf, takeContent } from './content.ts';
import type { Service, Work } from './events.ts';
import { takeUpAgain } from './leaving.ts';
import { asContent } from './pieces.ts';

/** Of what is missing, as many hashes as an answer holds; the manifest pushed again names the next ones. */
const MISSING_TOLD = 1024;

type Push = (work: Work, service: Service, body: Bytes, now: Instant) => Bytes[];

const once =
  (kind: EntryKind): Push =>
  (work, service, body, now) => {
    acceptOnce(work, service, kind, body, now);
    return [];
  };

const pushBinding: Push = (work, service, body, now) => {
  const { value } = openBinding(work, service, body);
  const held = bindings.get(work, value.board);
  if (held !== null && held.version >= value.version && !wasAccepted(work, service, body))
    refuse('stale', `version ${held.version} is known, this is ${value.version}`);
  return once('binding')(work, service, body, now);
};

const pushUpkeep: Push = (work, service, body, now) => {
  const { value } = openUpkeep(work, service, body);
  const held = upkeeps.get(work, value.board)?.doc;
  if (held !== undefined && held.version >= value.version && !wasAccepted(work, service, body))
    refuse('stale', `version ${held.version} is known, this is ${value.version}`);
  const doc = value.release === undefined ? null : (manifests.get(work, hex(value.release))?.doc ?? null);
  if (value.release !== undefined && doc?.image === undefined)
    refuse('not-found', `no image ${hex(value.release)} is known here; push it first`);
  if (doc !== null && doc.publisher !== value.publisher)
    refuse('wrong-publisher', `image ${hex(value.release ?? new Uint8Array())} is of another publisher`);
  if (value.release !== undefined) checkHere(work, hex(value.release));
  return once('upkeep')(work, service, body, now);
};

/** Whoever asks for one board is told at once what that does not lend; else there may yet be one that does. Error: `not-offered`. */
const checkLent = (work: Work, manifest: Manifest, { filter, state }: Request): void => {
  const { board } = filter;
  const [offer, binding] = board === undefined ? [null, null] : [boards.get(work, board)?.offer ?? null, bindings.get(work, board)];
  if (offer === null || binding === null || state === 'destroyed') return;
  const lent = lentBy(offer, binding);
  const lacking = needsOf(manifest).filter((need) => !lent.has(need));
  if (lacking.length > 0) refuse('not-offered', `the release needs ${lacking.join(', ')}, which board ${board} or its owner does not lend`);
};

/** Nobody needed it for so long that its content went. */
const checkHere = (work: Work, release: string): void => {
  if (releases.get(work, release)?.gone === true)
    refuse('missing-content', `nobody needed release ${release} any more, and its content is gone; push it again: lichen release push`);
};

/** What takes the place of a release has to be one that may run there, with what is asked of both. */
const checkFallback = (work: Work, manifest: Manifest, { fallback, release, parameters, rollout }: Request): void => {
  if (fallback === undefined) {
    if (rollout !== undefined) refuse('bad-schema', 'a rollout needs a fallback: the release that those run whom it has not reached');
    return;
  }
  const key = hex(fallback.release);
  const other = manifests.get(work, key)?.doc ?? refuse('not-found', `release ${key} to fall back to is not known here; push it first`);
  if (equal(fallback.release, release)) refuse('bad-schema', 'a release cannot fall back to itself');
  if (other.publisher !== manifest.publisher) refuse('wrong-publisher', `release ${key} to fall back to is of another publisher`);
  if (isWithdrawn(work, key)) refuse('revoked-key', 'the publisher has taken back the key that signed the release to fall back to');
  givenTo(other, knownTo(other, parameters));
  checkHere(work, key);
};

const pushRequest: Push = (work, service, body, now) => {
  const { value } = openRequest(work, service, body);
  const held = requests.get(work, requestIdOf(service.crypto, value.tenant, value.name));
  if (wasAccepted(work, service, body)) return [];
  if (held !== null && held.doc.sequence >= value.sequence)
    refuse('stale', `sequence ${held.doc.sequence} of ${value.name} is known, this is ${value.sequence}`);
  // What goes on through an outage may do so unseen when it must not run twice any more.
  if (held !== null && held.doc.onIsolation !== value.onIsolation)
    refuse('not-offered', `${value.name} keeps onIsolation ${held.doc.onIsolation}; make a request of another name`);
  const manifest =
    manifests.get(work, hex(value.release)) ?? refuse('not-found', `release ${hex(value.release)} is not known here; push it first`);
  if (isWithdrawn(work, hex(value.release))) refuse('revoked-key', 'the publisher has taken back the key that signed the release');
  const refused = releases.get(work, hex(value.release))?.refused ?? '';
  if (refused !== '') refuse('bad-release', `release ${hex(value.release)} is refused: ${refused}`);
  checkRunnable(manifest.doc);
  if (value.state !== 'destroyed') checkHere(work, hex(value.release));
  givenTo(manifest.doc, value.parameters);
  if (value.state !== 'destroyed') checkFallback(work, manifest.doc, value);
  const id = requestIdOf(service.crypto, value.tenant, value.name);
  checkSharing(manifest.doc, value);
  checkChoices(manifest.doc, value);
  checkCircle(work, service.crypto, manifest.doc, value);
  checkPorts(work, id, manifest.doc, value);
  checkLent(work, manifest.doc, value);
  const voucher = vouchers.get(work, hex(value.voucher)) ?? refuse('not-found', 'the voucher is not known here; push it first');
  if (voucher.tenant !== value.tenant || voucher.name !== value.name || voucher.currency !== value.currency)
    refuse('wrong-signer', "the voucher is another tenant's, for another request or of another currency");
  return once('request')(work, service, body, now);
};

const pushShare: Push = (work, service, body, now) => {
  const { value } = openShare(work, service, body);
  if (wasAccepted(work, service, body)) return [];
  const host = requestIdOf(service.crypto, value.host.tenant, value.host.name);
  const share = shareIdOf(service.crypto, host, value.tenant, value.name);
  const held = shares.get(work, host, share);
  if (held !== null && held.doc.sequence >= value.sequence)
    refuse('stale', `sequence ${held.doc.sequence} of share ${value.name} is known, this is ${value.sequence}`);
  const objection = value.state === 'destroyed' ? null : lackingFor(work, host, share, value);
  if (objection !== null) throw objection;
  return once('share')(work, service, body, now);
};

const pushManifest: Push = (work, service, body, now) => {
  const { value, hash } = openManifest(work, service, body);
  const release = hex(hash);
  if (manifests.get(work, release) === null) {
    checkManifest(value);
    // Nothing of it could be taken: better said before its first piece than after.
    checkRoom(work, service, 1);
    const newer = manifests
      .all(work)
      .find(({ value: { doc } }) => doc.publisher === value.publisher && doc.recipe === value.recipe && doc.sequence >= value.sequence);
    if (newer !== undefined) refuse('stale', `sequence ${newer.value.doc.sequence} of ${value.recipe} is known, this is ${value.sequence}`);
    accept(work, service, 'manifest', body, now);
  }
  const held = releases.get(work, release);
  if (held === null) awaitRelease(work, service, release);
  else if (held.gone === true) {
    if (!takeUpAgain(work, service, release)) refuse('conflict', `what release ${release} had before is just being thrown out`);
  } else if (held.refused !== '') refuse('bad-schema', `release ${release} is refused: ${held.refused}`);
  return missingOf(work, release, MISSING_TOLD);
};

const PUSH: Record<string, Push> = {
  'lichen.operator+cbor': once('operator'),
  'lichen.publisher+cbor': once('publisher'),
  'lichen.manifest+cbor': pushManifest,
  'lichen.request+cbor': pushRequest,
  'lichen.voucher+cbor': once('voucher'),
  'lichen.share+cbor': pushShare,
  'lichen.verdict+cbor': once('verdict'),
  'lichen.binding+cbor': pushBinding,
  'lichen.upkeep+cbor': pushUpkeep,
  'lichen.rotation+cbor': once('rotation'),
};

/** What boards and gateways say, each at its own place. */
const SAID_ELSEWHERE = new Set(
  ['lease', 'desired', 'now', 'ack', 'home', 'hello', 'report', 'shared', 'usage', 'outcome', 'pairing', 'renewal', 'grant', 'watch'].map(
    (name) => `lichen.${name}+cbor`,
  ),
);

/** Returns content still missing for a release. Throws why it is refused. */
export const push: Push = (work, service, body, now) => {
  // Content is any bytes, some of which begin like a document: what is waited for is content first.
  const came = asContent(work, service, body);
  if (came !== null) return takeContent(work, service, came);
  const typ =
    typOf(body) ??
    refuse('not-found', `no release that is known here names content ${hex(service.crypto.sha256(body))}; push its manifest first`);
  const handle = PUSH[typ] ?? refuse(SAID_ELSEWHERE.has(typ) ? 'wrong-signer' : 'bad-schema', `a ${typ} cannot be pushed`);
  return handle(work, service, body, now);
};

export const answerOf = (service: Service, body: Bytes, outcome: Bytes[] | LichenError): Answer => {
  const of = service.crypto.sha256(body);
  if (Array.isArray(outcome)) return { v: 1, of, ok: true, code: '', why: '', next: '', missing: outcome.slice(0, MISSING_TOLD) };
  const told = tell(outcome);
  return { v: 1, of, ok: false, code: told.code, why: beginning(`${told.says} ${told.why}`, 900), next: told.next, missing: [] };
};

export const encodeAnswer = (value: Answer): Bytes => encodeAs(answerSchema, value, 'answer');
