/**
 * Content of releases: pages and chunks that a manifest names are waited for, and nothing else is taken. A page is
 * checked when it comes, the tree when its last page has come: what no board would plant is not kept here either.
 */
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, type LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { ChunkRef, Entry, Manifest } from '../../runtime/protocol/nouns/release.ts';
import { entriesOf, openPage } from '../../runtime/protocol/pages.ts';
import { checkProgramHead, programsOf } from '../../runtime/protocol/program.ts';
import { blobs, counted, manifests, mentions, releases, wanted } from '../core/tables.ts';
import type { Service, Work } from './events.ts';
import { asContent, type Came, hasRoom, keep, lengthOf, plainOf, stockOf } from './pieces.ts';

type Waiting = NonNullable<ReturnType<typeof wanted.get>>;
const NOBODY: Waiting = { asPage: [], asChunk: [], bytes: 0 };

const waitingFor = (work: Work, key: string): Waiting => wanted.get(work, key) ?? NOBODY;

/** How long a release that waits for it says that it is. */
const claimOf = ({ bytes, otherwise }: Waiting, release: string): number => otherwise?.[release] ?? bytes;

const refsOf = (entries: Entry[]): ChunkRef[] => entries.flatMap((entry) => ('chunks' in entry ? entry.chunks : []));

/**
 * One content has one length: the one that it has where it is held. Until it comes a release has to agree with itself alone. What
 * strangers say proves nothing, and who said it first could keep the others' releases out.
 */
const checkLengths = (work: Work, release: string, refs: ChunkRef[]): void => {
  const seen = new Map<string, number>();
  for (const [hash, bytes] of refs) {
    const key = hex(hash);
    const row = waitingFor(work, key);
    const known = seen.get(key) ?? lengthOf(work, key) ?? (row.asChunk.includes(release) ? claimOf(row, release) : bytes);
    if (known !== bytes) refuse('bad-schema', `chunk ${key} has ${known} bytes, the page says ${bytes}`);
    seen.set(key, bytes);
  }
};

const mention = (work: Work, key: string): void => mentions.put(work, (mentions.get(work, key) ?? 0) + 1, key);

/** Once for each page of a release, however often it is named there. */
const mentionPage = (work: Work, release: string, page: string): void => {
  if (counted.get(work, release, page) !== null) return;
  counted.put(work, { chunks: false }, release, page);
  mention(work, page);
};

const mentionChunks = (work: Work, release: string, page: string, refs: ChunkRef[]): void => {
  if (counted.get(work, release, page)?.chunks !== false) return;
  counted.put(work, { chunks: true }, release, page);
  for (const [hash] of refs) mention(work, hex(hash));
};

/** The first one says how long it is, and after that only who says otherwise is written down. */
const claiming = (row: Waiting, release: string, bytes: number): Waiting => {
  if (row.asChunk.length === 0) return { asPage: row.asPage, asChunk: [release], bytes };
  const claims = row.bytes === bytes ? {} : { otherwise: { ...row.otherwise, [release]: bytes } };
  return { ...row, ...claims, asChunk: [...row.asChunk, release] };
};

const withoutClaim = ({ otherwise = {}, ...row }: Waiting, release: string): Waiting => {
  const { [release]: _gone, ...left } = otherwise;
  return Object.keys(left).length === 0 ? row : { ...row, otherwise: left };
};

/** What of it is not held yet, waited for from now on. */
const wait = (work: Work, release: string, pages: Bytes[], refs: ChunkRef[]): Bytes[] => {
  const missing: Bytes[] = [];
  const add = (hash: Bytes, as: 'asPage' | 'asChunk', bytes: number): boolean => {
    const key = hex(hash);
    const row = waitingFor(work, key);
    if (blobs.get(work, key) !== null || row[as].includes(release)) return false;
    wanted.put(work, as === 'asPage' ? { ...row, asPage: [...row.asPage, release] } : claiming(row, release, bytes), key);
    missing.push(hash);
    return true;
  };
  const newPages = pages.filter((hash) => add(hash, 'asPage', 0)).length;
  const newChunks = refs.filter(([hash, bytes]) => add(hash, 'asChunk', bytes)).length;
  const held = releases.get(work, release) ?? { missing: 0, missingPages: 0, refused: '' };
  releases.put(work, { ...held, missing: held.missing + newPages + newChunks, missingPages: held.missingPages + newPages }, release);
  return missing;
};

const manifestOf = (work: Work, release: string): Manifest =>
  manifests.get(work, release)?.doc ?? refuse('internal', `release ${release} without its manifest`);

/** The pages that are held; `last` is on its way into the store. */
const heldPages = (work: Work, service: Service, manifest: Manifest, last: Bytes | null): Bytes[] => {
  const lastKey = last === null ? '' : hex(service.crypto.sha256(last));
  return manifest.pages.flatMap((hash) => (hex(hash) === lastKey ? last : plainOf(work, service, hex(hash))) ?? []);
};

/** As far as its content is here: `last` is on its way into the store. */
const checkPrograms = (work: Work, service: Service, manifest: Manifest, entries: Entry[], last: Came | null): void => {
  for (const { path, chunks } of programsOf(manifest, entries)) {
    const first = chunks[0]?.[0] ?? refuse('bad-release', `${path} is empty`);
    const head = hex(first) === last?.key ? last.plain : plainOf(work, service, hex(first));
    if (head !== null) checkProgramHead(`/${path}`, head, manifest.arch);
  }
};

/** What of a release is named here, as far as its pages are held. */
export const mentionAll = (work: Work, service: Service, release: string): void => {
  for (const hash of manifestOf(work, release).pages) {
    const page = plainOf(work, service, hex(hash));
    mentionPage(work, release, hex(hash));
    if (page !== null) mentionChunks(work, release, hex(hash), refsOf(openPage(page)));
  }
};

/**
 * Waits for the content of a release whose manifest was accepted; returns what is missing. Throws why the pages that are
 * held already cannot be its own, before anything is written.
 */
export const awaitRelease = (work: Work, service: Service, release: string): Bytes[] => {
  const manifest = manifestOf(work, release);
  const pages = heldPages(work, service, manifest, null);
  const isWhole = pages.length === manifest.pages.length;
  const entries = isWhole ? entriesOf(manifest, pages) : pages.flatMap(openPage);
  if (isWhole) checkPrograms(work, service, manifest, entries, null);
  const refs = refsOf(entries);
  checkLengths(work, release, refs);
  mentionAll(work, service, release);
  return wait(work, release, manifest.pages, refs);
};

/** Nobody waits for anything of it any more. What is only to be mended belongs to others. */
export const forgetWanted = (work: Work, release: string): void => {
  for (const { key, value } of wanted.all(work)) {
    const [asPage, asChunk] = [value.asPage, value.asChunk].map((list) => list.filter((other) => other !== release));
    if (asPage === undefined || asChunk === undefined) continue;
    const left = asPage.length + asChunk.length;
    if (left === value.asPage.length + value.asChunk.length) continue;
    if (left === 0) wanted.remove(work, key);
    else wanted.put(work, { ...withoutClaim(value, release), asPage, asChunk }, key);
  }
};

/** It is placed nowhere. */
export const refuseRelease = (work: Work, release: string, error: LichenError): void => {
  forgetWanted(work, release);
  const held = releases.get(work, release) ?? { missing: 0, missingPages: 0 };
  releases.put(work, { ...held, refused: error.message.slice(0, LIMITS.textBytes / 4) }, release);
  work.emit({ kind: 'journal', line: `release ${release} refused: ${error.message}` });
};

const objectionTo = (check: () => void): LichenError | null => {
  try {
    check();
    return null;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return error;
  }
};

const checkPageOf = (work: Work, service: Service, release: string, page: Bytes): void => {
  checkLengths(work, release, refsOf(openPage(page)));
  const manifest = manifestOf(work, release);
  if (releases.get(work, release)?.missingPages !== 1) return;
  checkPrograms(work, service, manifest, entriesOf(manifest, heldPages(work, service, manifest, page)), null);
};

/** The last piece of a release shows whether its program can run. */
const checkLast = (work: Work, service: Service, release: string, last: Came): void => {
  const held = releases.get(work, release);
  if (held?.missing !== 1 || held.missingPages !== 0) return;
  const manifest = manifestOf(work, release);
  checkPrograms(work, service, manifest, entriesOf(manifest, heldPages(work, service, manifest, null)), last);
};

/** Why a release cannot take this body; null: it can. */
const judge = (work: Work, service: Service, came: Came): Map<string, LichenError> => {
  const { key, plain } = came;
  const row = waitingFor(work, key);
  const objections = new Map<string, LichenError>();
  const check = (release: string, says: () => void): void => {
    const error = objectionTo(says);
    if (error !== null) objections.set(release, error);
  };
  for (const release of row.asChunk) {
    check(release, () => {
      const said = claimOf(row, release);
      if (plain.length !== said) refuse('bad-schema', `chunk ${key} has ${plain.length} bytes, a page says ${said}`);
      checkLast(work, service, release, came);
    });
  }
  for (const release of row.asPage) check(release, () => checkPageOf(work, service, release, plain));
  return objections;
};

const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);

/** Error: `storage-full`. */
export const checkRoom = (work: Work, service: Service, bytes: number): void => {
  if (hasRoom(work, service, bytes)) return;
  refuse(
    'storage-full',
    `this gateway holds ${mib(stockOf(work))} of at most ${mib(service.contentBytes)} MiB of releases; what nobody needs goes by itself within the hour; its operator may allow more (--content-mib)`,
  );
};

/**
 * Stores content that is waited for, and waits for what it turns out to name. A release that it cannot belong to is
 * refused; if that leaves nobody who waits, so is the content. Errors: those of pages.
 */
export const takeContent = (work: Work, service: Service, came: Came): Bytes[] => {
  const { key, plain } = came;
  if (blobs.get(work, key) !== null) return [];
  const row = wanted.get(work, key) ?? refuse('internal', `content ${key} without anybody who waits`);
  const objections = judge(work, service, came);
  const [first] = objections.values();
  const good = (release: string): boolean => !objections.has(release);
  if (first !== undefined && ![...row.asPage, ...row.asChunk].some(good)) throw first;
  for (const [release, error] of objections) refuseRelease(work, release, error);
  checkRoom(work, service, came.body.length);
  keep(work, came);
  wanted.remove(work, key);
  for (const release of row.asChunk.filter(good)) lessMissing(work, release, 0);
  const refs = row.asPage.some(good) ? refsOf(openPage(plain)) : [];
  const missing = row.asPage.filter(good).flatMap((release) => {
    lessMissing(work, release, 1);
    mentionChunks(work, release, key, refs);
    return wait(work, release, [], refs);
  });
  return missing;
};

const lessMissing = (work: Work, release: string, pages: 0 | 1): void => {
  const held = releases.get(work, release) ?? refuse('internal', `nobody waits for release ${release}`);
  releases.put(work, { ...held, missing: held.missing - 1, missingPages: held.missingPages - pages }, release);
};

/** A peer had it, so what is wrong with it is not the peer's fault but the release's. */
export const takeFromPeer = (work: Work, service: Service, body: Bytes): void => {
  const came = asContent(work, service, body);
  const row = came === null ? null : wanted.get(work, came.key);
  if (came === null || row === null || !hasRoom(work, service, body.length)) return;
  const objections = judge(work, service, came);
  const waiting = [...row.asPage, ...row.asChunk];
  if (waiting.length > 0 && waiting.every((release) => objections.has(release))) {
    for (const [release, error] of objections) refuseRelease(work, release, error);
  } else takeContent(work, service, came);
};

/** Hashes of what a release still waits for, at most `limit`. */
export const missingOf = (work: Work, release: string, limit: number): Bytes[] =>
  wanted
    .all(work)
    .filter(({ value }) => value.asPage.includes(release) || value.asChunk.includes(release))
    .slice(0, limit)
    .map(({ key }) => fromHex(key));
