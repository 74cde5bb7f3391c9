/**
 * What tenants, publishers and owners push, over MQTT or HTTP: any signed document, or a page or chunk of a release
 * whose manifest came first. Content that nobody waits for is refused, so the door is no free storage.
 */
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { typOf } from '../../runtime/protocol/cose.ts';
import { type LichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { decodeAs, encodeAs } from '../../runtime/protocol/noun.ts';
import type { EntryKind } from '../../runtime/protocol/nouns/log.ts';
import { type Answer, answer as answerSchema } from '../../runtime/protocol/nouns/messages.ts';
import { pageSchema } from '../../runtime/protocol/nouns/release.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { checkPath } from '../../runtime/protocol/path.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { openBinding, openManifest, openRequest } from '../core/apply-demand.ts';
import { bindings, blobs, manifests, releases, requests, vouchers, wanted } from '../core/tables.ts';
import { accept, acceptOnce, flag, wasAccepted } from './accept.ts';
import type { Service, Work } from './events.ts';

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

const pushRequest: Push = (work, service, body, now) => {
  const { value } = openRequest(work, service, body);
  const held = requests.get(work, requestIdOf(service.crypto, value.tenant, value.name));
  if (wasAccepted(work, service, body)) return [];
  if (held !== null && held.doc.sequence >= value.sequence)
    refuse('stale', `sequence ${held.doc.sequence} of ${value.name} is known, this is ${value.sequence}`);
  if (value.onIsolation === 'stop')
    refuse('not-offered', 'onIsolation: stop asks for a dead-man outside the runtime, which no board has yet');
  const manifest =
    manifests.get(work, hex(value.release)) ?? refuse('not-found', `release ${hex(value.release)} is not known here; push it first`);
  const undeclared = Object.keys(value.parameters).find((key) => !(key in manifest.doc.parameters));
  if (undeclared !== undefined) refuse('bad-schema', `parameter ${undeclared} is not declared by the release`);
  const voucher = vouchers.get(work, hex(value.voucher)) ?? refuse('not-found', 'the voucher is not known here; push it first');
  if (voucher.tenant !== value.tenant || voucher.currency !== value.currency)
    refuse('wrong-signer', "the voucher is another tenant's or of another currency");
  return once('request')(work, service, body, now);
};

/** Waits for content; returns what is missing of it. A hash that is held already is not waited for. */
const expect = (work: Work, release: string, kind: 'page' | 'chunk', hashes: Bytes[]): Bytes[] => {
  const missing: Bytes[] = [];
  for (const hash of hashes) {
    const key = hex(hash);
    if (blobs.get(work, key) !== null) continue;
    const row = wanted.get(work, key) ?? { kind, releases: [] };
    if (row.releases.includes(release)) continue;
    wanted.put(work, { ...row, releases: [...row.releases, release] }, key);
    missing.push(hash);
  }
  const held = releases.get(work, release) ?? { missing: 0, logged: false };
  releases.put(work, { ...held, missing: held.missing + missing.length }, release);
  return missing;
};

/** Pages that are held already may still name chunks that are not. */
export const awaitContent = (work: Work, release: string, pages: Bytes[]): Bytes[] => {
  const missing = expect(work, release, 'page', pages);
  for (const page of pages) {
    const bytes = blobs.get(work, hex(page));
    if (bytes !== null) missing.push(...expect(work, release, 'chunk', chunksOf(bytes)));
  }
  return missing;
};

const chunksOf = (page: Bytes): Bytes[] => {
  const { entries } = decodeAs(pageSchema, page, 'page');
  for (const entry of entries) checkPath(entry.path);
  return entries.flatMap((entry) => ('chunks' in entry ? entry.chunks.map(([hash]) => hash) : []));
};

const missingOf = (work: Work, release: string): Bytes[] =>
  wanted
    .all(work)
    .filter(({ value }) => value.releases.includes(release))
    .slice(0, MISSING_TOLD)
    .map(({ key }) => fromHex(key));

const pushManifest: Push = (work, service, body, now) => {
  const { value, hash } = openManifest(work, service, body);
  const release = hex(hash);
  if (manifests.get(work, release) === null) {
    const newer = manifests
      .all(work)
      .find(({ value: { doc } }) => doc.publisher === value.publisher && doc.recipe === value.recipe && doc.sequence >= value.sequence);
    if (newer !== undefined) refuse('stale', `sequence ${newer.value.doc.sequence} of ${value.recipe} is known, this is ${value.sequence}`);
    accept(work, service, 'manifest', body, now);
  }
  if (releases.get(work, release) === null) awaitContent(work, release, value.pages);
  return missingOf(work, release);
};

/** Stores content that is waited for, and whatever it turns out to name. Errors: `not-found` when nobody waits. */
export const takeContent = (work: Work, service: Service, body: Bytes): Bytes[] => {
  const key = hex(service.crypto.sha256(body));
  if (blobs.get(work, key) !== null) return [];
  const row = wanted.get(work, key) ?? refuse('not-found', `no release that is known here names content ${key}; push its manifest first`);
  const chunks = row.kind === 'page' ? chunksOf(body) : [];
  blobs.put(work, body, key);
  wanted.remove(work, key);
  const missing = row.releases.flatMap((release) => {
    const more = expect(work, release, 'chunk', chunks);
    const held = releases.get(work, release) ?? { missing: 1, logged: false };
    releases.put(work, { ...held, missing: held.missing - 1 }, release);
    return more;
  });
  flag(work, 'plan');
  return missing;
};

const PUSH: Record<string, Push> = {
  'lichen.operator+cbor': once('operator'),
  'lichen.publisher+cbor': once('publisher'),
  'lichen.manifest+cbor': pushManifest,
  'lichen.request+cbor': pushRequest,
  'lichen.voucher+cbor': once('voucher'),
  'lichen.verdict+cbor': once('verdict'),
  'lichen.binding+cbor': pushBinding,
  'lichen.rotation+cbor': once('rotation'),
};

/** Returns content still missing for a release. Throws why it is refused. */
export const push: Push = (work, service, body, now) => {
  // Content is any bytes, some of which begin like a document: what is waited for is content first.
  const key = hex(service.crypto.sha256(body));
  const awaited = wanted.get(work, key) !== null || blobs.get(work, key) !== null;
  const typ = awaited ? null : typOf(body);
  if (typ === null) return takeContent(work, service, body);
  const handle = PUSH[typ] ?? refuse('wrong-signer', `a ${typ} cannot be pushed`);
  return handle(work, service, body, now);
};

export const answerOf = (service: Service, body: Bytes, outcome: Bytes[] | LichenError): Answer => {
  const of = service.crypto.sha256(body);
  if (Array.isArray(outcome)) return { v: 1, of, ok: true, code: '', why: '', next: '', missing: outcome.slice(0, MISSING_TOLD) };
  const told = tell(outcome);
  return { v: 1, of, ok: false, code: told.code, why: `${told.says} ${told.why}`.slice(0, 900), next: told.next, missing: [] };
};

export const encodeAnswer = (value: Answer): Bytes => encodeAs(answerSchema, value, 'answer');
