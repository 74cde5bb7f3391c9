/**
 * Whom a shared instance serves: its home lists documents, each tenant's own word is obeyed and never an older one, and
 * what the instance says to each is told back.
 */
import {
  documents,
  docWants,
  type Heed,
  heeds,
  type Instance,
  instances,
  lastShared,
  links,
  ONE,
  runs,
  type Serving,
  servings,
} from '../core/tables.ts';
import { type Bytes, equal, hex } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { idFrom, type LeaseId, type ShareId } from '../protocol/ids.ts';
import type { Json } from '../protocol/json-schema.ts';
import { LIMITS } from '../protocol/limits.ts';
import { seal } from '../protocol/noun.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { Request } from '../protocol/nouns/request.ts';
import { type Share, type Shared, sharedNoun, shareIdOf } from '../protocol/nouns/share.ts';
import { beginning } from '../protocol/printable.ts';
import { givenFor, mostOf, openShare } from '../protocol/shares.ts';
import type { Instant } from '../turn/clock.ts';
import { needDocuments } from './documents.ts';
import type { Board, Work } from './events.ts';
import { noteShare, shareKnown } from './remember.ts';

type Obeyed = Instance['shares'][number];

const NONE = new Uint8Array();

/** Error: `unrequested`, when it is for another host. */
const openListed = (board: Board, { lease }: Instance, document: Bytes): Share => {
  const { value } = openShare(board.crypto, document);
  if (value.host.tenant !== lease.tenant || value.host.name !== lease.name)
    refuse('unrequested', `share ${value.name} is for ${value.host.name} of tenant ${value.host.tenant}`);
  return value;
};

const obeyedOf = (work: Work, board: Board, instance: Instance, hash: Bytes): Obeyed | null => {
  const document = documents.get(work, hex(hash));
  if (document === null) return null;
  try {
    const { tenant, name, sequence, state } = openListed(board, instance, document);
    const share = shareIdOf(board.crypto, instance.lease.request, tenant, name);
    const known = shareKnown(work, share);
    if (sequence < known) refuse('stale', `sequence ${known} of share ${name} was obeyed, this is ${sequence}`);
    noteShare(work, share, sequence);
    return state === 'destroyed' ? null : { share, sequence, document: hash };
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `share refused: ${error.message}` });
    return null;
  }
};

const isSame = (a: Obeyed[], b: Obeyed[]): boolean =>
  a.length === b.length && a.every(({ document }, i) => equal(document, b[i]?.document ?? NONE));

/** What nobody lists any more is let go of, awaited or held. */
const letGo = (work: Work, hashes: Bytes[]): void => {
  if (hashes.length === 0) return;
  const listed = new Set(instances.all(work).flatMap(({ value }) => value.listed.map(hex)));
  for (const hash of hashes.map(hex).filter((one) => !listed.has(one))) {
    docWants.remove(work, hash);
    documents.remove(work, hash);
  }
};

const heedOf = (work: Work, id: string, { listed, shares }: Instance, now: Instant): Heed => {
  const before = heeds.get(work, id);
  if (before?.listed.length === listed.length && before.listed.every((hash, i) => equal(hash, listed[i] ?? NONE))) return before;
  letGo(work, [...(before?.listed ?? []), ...shares.map(({ document }) => document)]);
  const fresh = { listed, sinceMonoMs: now.monoMs, taken: null };
  heeds.put(work, fresh, id);
  return fresh;
};

const missing = (work: Work, listed: Bytes[]): number => listed.filter((hash) => documents.get(work, hex(hash)) === null).length;

/**
 * Obeys the documents that are listed for an instance, once all are here. One that does not come keeps the others waiting
 * for the board's patience and no longer: each that was obeyed by itself would be a signal to the instance.
 */
export const heed = (work: Work, board: Board, id: string, instance: Instance, now: Instant): Instance => {
  const { listed, shares } = instance;
  if (instance.wanted === 'gone' || (listed.length === 0 && shares.length === 0)) return instance;
  const { sinceMonoMs, taken } = heedOf(work, id, instance, now);
  if (!needDocuments(work, listed, now) && now.monoMs < sinceMonoMs + board.pace.patienceMs) return instance;
  const held = listed.length - missing(work, listed);
  if (held === taken) return instance;
  heeds.put(work, { listed, sinceMonoMs, taken: held }, id);
  const obeyed = listed.flatMap((hash) => obeyedOf(work, board, instance, hash) ?? []);
  if (isSame(obeyed, shares)) return instance;
  // What it is to be given is worked out anew.
  const next: Instance = { ...instance, shares: obeyed, wants: '' };
  instances.put(work, next, id);
  return next;
};

/** At which `heed` may do what it would not do before. */
export const heedMoments = (work: Work, board: Board): number[] =>
  heeds
    .all(work)
    .flatMap(({ value: { listed, sinceMonoMs } }) => (missing(work, listed) === 0 ? [] : [sinceMonoMs + board.pace.patienceMs]));

/** As JSON for the instance, which is not shared without it; whom that serves, and whom it does not, with why. */
interface Served {
  text: string | undefined;
  served: string[];
  refused: Map<string, string>;
}

interface GivenShare {
  share: ShareId;
  tenant: string;
  name: string;
  parameters: { [name: string]: Json };
}

/** In the order in which they are listed as many as there is room for, told in an order that does not change with that. */
export const servedBy = (work: Work, board: Board, instance: Instance, manifest: Manifest, request: Request): Served => {
  const refused = new Map<string, string>();
  const given: GivenShare[] = [];
  const most = mostOf(manifest, request);
  for (const { share, document } of instance.shares) {
    try {
      const value = openListed(board, instance, documents.get(work, hex(document)) ?? refuse('missing-content', 'the share'));
      const { typed } = givenFor(manifest, request, value);
      if (given.length === most) refuse('not-shared', `${request.name} serves ${most} shares at most`);
      given.push({ share, tenant: value.tenant, name: value.name, parameters: typed });
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (error.code === 'internal') throw thrown;
      refused.set(share, beginning(error.message, LIMITS.textBytes / 4));
    }
  }
  given.sort((a, b) => (a.share < b.share ? -1 : 1));
  const text = manifest.shares === undefined ? undefined : JSON.stringify(given);
  return { text, served: given.map(({ share }) => share), refused };
};

/** What an instance is being given says whom it serves. One that is not shared, and has no shares, has nothing to say. */
export const serve = (work: Work, id: string, serving: Omit<Serving, 'sinceMonoMs'>, now: Instant): void => {
  if (serving.served.length + serving.refused.size > 0) servings.put(work, { ...serving, sinceMonoMs: now.monoMs }, id);
  else servings.remove(work, id);
};

const sharedOf = (work: Work, id: string, { served, refused }: Serving): Shared['shares'] => {
  const said = runs.get(work, id)?.said;
  return [
    ...served.map((share) => ({ share: idFrom<ShareId>(share), ...(said?.get(share) ?? { connection: null, detail: '' }) })),
    ...[...refused].map(([share, detail]) => ({ share: idFrom<ShareId>(share), connection: null, detail })),
  ].map((one) => ({ ...one, detail: beginning(one.detail, LIMITS.textBytes / 4) }));
};

/** At once when something changed, else now and then, as reports are. */
export const tickShares = (work: Work, board: Board, now: Instant): void => {
  if (links.get(work, ONE)?.phase !== 'welcomed') return;
  for (const { key: id, value: serving } of servings.all(work)) {
    const shares = sharedOf(work, id, serving);
    const told = JSON.stringify(shares);
    const last = lastShared.get(work, id);
    if (last?.told === told && now.monoMs - last.atMonoMs < board.pace.reportMs) continue;
    lastShared.put(work, { told, atMonoMs: now.monoMs }, id);
    const shared: Shared = { v: 1, board: board.id, lease: idFrom<LeaseId>(id), monoMs: Math.round(now.monoMs), shares };
    work.emit({ kind: 'publish', topic: 'shared', payload: seal(sharedNoun, shared, board.signer) });
  }
};

/** At which `tickShares` may do what it would not do before. */
export const shareMoments = (work: Work, board: Board): number[] =>
  lastShared.all(work).map(({ value }) => value.atMonoMs + board.pace.reportMs);

/** To a gateway that has just welcomed the board. */
export const tellSharesAnew = (work: Work): void => {
  for (const { key } of lastShared.all(work)) lastShared.remove(work, key);
};

/** Of an instance that is no more. */
export const forgetShares = (work: Work, { lease, listed }: Instance): void => {
  for (const table of [heeds, servings, lastShared]) table.remove(work, lease.lease);
  letGo(work, listed);
};
