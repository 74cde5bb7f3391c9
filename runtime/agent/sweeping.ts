/** Freeing what no instance needs: releases that have ended, files on their way to nobody, their documents. */
import { releaseIn } from '../core/content.ts';
import { systemWishes, updates, upkeepWishes } from '../core/system-tables.ts';
import { contents, documents, type Instance, instances, operatorGoals, schedules } from '../core/tables.ts';
import { type Bytes, fromHex, hex } from '../protocol/bytes.ts';
import { unseal } from '../protocol/noun.ts';
import { type FileRef, manifestNoun } from '../protocol/nouns/release.ts';
import type { Instant } from '../turn/clock.ts';
import { documentsBrought } from './bringing.ts';
import { BUSY, type ManifestOf, neededBy } from './content.ts';
import type { Board, Of, Work } from './events.ts';
import { publisherChain } from './verified.ts';

const SWEEP = 'sweep';

/** A release that is wanted again soon after need not be fetched again. */
const SWEEP_AFTER_MS = 10 * 60_000;

/** An instance went, and with it perhaps the last that needed some release; or a life ended in the middle of something. */
export const sweepLater = (work: Work, now: Instant): void => schedules.put(work, now.monoMs + SWEEP_AFTER_MS, SWEEP);

/** When there was no room, whatever can go goes now. */
export const sweepForRoom = (work: Work, { step, error }: Of<'files-refused'>, now: Instant): void => {
  if (error.code === 'storage-full' && step.kind !== 'sweep') schedules.put(work, now.monoMs, SWEEP);
};

/** Of releases that are not whole yet, all files: what came of them stays. */
const awaitedOf = (work: Work, releases: Iterable<string>, manifestOf: ManifestOf): FileRef[] => {
  const awaited: FileRef[] = [];
  for (const release of releases) {
    if (contents.get(work, release)?.phase === 'held') continue;
    const manifest = manifestOf(work, release);
    const pages = manifest?.pages.map((page) => documents.get(work, hex(page))) ?? [];
    const held = pages.filter((page): page is Bytes => page !== null);
    if (manifest !== null && held.length === pages.length) awaited.push(...releaseIn(manifest, held).files.map(({ file }) => file));
  }
  return awaited;
};

const DOCUMENTS_AT_ONCE = 32;

/** Pages of a manifest, whoever signed that. */
const pagesIn = (board: Board, document: Bytes | null): string[] =>
  document === null ? [] : unseal(board.crypto, manifestNoun, document).value.pages.map(hex);

/** What an instance is asked, paid and signed by, and whom it serves. */
const documentsOf = (work: Work, board: Board, { lease, request, asked, listed, shares }: Instance): string[] => [
  ...[request, lease.voucher, ...(asked === null ? [] : [asked]), ...listed, ...shares.map(({ document }) => document)].map(hex),
  ...publisherChain(work, board, lease.publisher).hashes,
];

/** The same of the board's own system, which is wanted or on its way. */
const documentsOfSystem = (work: Work, board: Board): string[] => [
  ...upkeepWishes.all(work).map(({ value: { upkeep } }) => hex(upkeep)),
  ...systemWishes.all(work).flatMap(({ value: { upkeep, publisher } }) => [hex(upkeep), ...publisherChain(work, board, publisher).hashes]),
  ...[...systemWishes.all(work), ...updates.all(work)].flatMap(({ value: { release } }) => [
    hex(release),
    ...pagesIn(board, documents.get(work, hex(release))),
  ]),
];

/**
 * Documents and pages behind no instance: pages above all, of which a release has up to 64 MiB. While operators' versions are on
 * their way nothing goes, as they wait for each other here.
 */
const forgetDocuments = (work: Work, board: Board, releases: ReadonlySet<string>): void => {
  if (operatorGoals.any(work)) return;
  const keep = new Set([
    ...instances.all(work).flatMap(({ value }) => documentsOf(work, board, value)),
    ...documentsOfSystem(work, board),
    ...documentsBrought(work).map(hex),
    ...releases,
    ...[...releases].flatMap((release) => pagesIn(board, documents.get(work, release))),
  ]);
  // A few at a time: all of them may be more than a board has memory.
  for (let [after, more] = ['', true]; more; ) {
    const page = documents.page(work, after, DOCUMENTS_AT_ONCE);
    for (const { key } of page) if (!keep.has(key)) documents.remove(work, key);
    more = page.length === DOCUMENTS_AT_ONCE;
    after = page.at(-1)?.key ?? '';
  }
};

/** What is being fetched is seen to its end, or given up, by itself. */
export const sweepIdle = (work: Work, board: Board, manifestOf: ManifestOf, now: Instant): void => {
  const due = schedules.get(work, SWEEP);
  if (due === null || now.monoMs < due) return;
  schedules.remove(work, SWEEP);
  const busy = contents.all(work).flatMap(({ key, value }) => (BUSY.has(value.phase) ? [key] : []));
  const keep = new Set([...instances.all(work).flatMap(({ value }) => neededBy(value)), ...busy]);
  // What lies in a slot is not among the files.
  for (const { key, value } of contents.all(work)) if (!keep.has(key) && value.door === 'files') contents.remove(work, key);
  forgetDocuments(work, board, keep);
  work.emit({ kind: 'files', step: { kind: 'sweep', keep: [...keep].map(fromHex), awaited: awaitedOf(work, keep, manifestOf) } });
};

/** At which `sweepIdle` may do what it would not do before. */
export const sweepMoments = (work: Work): number[] => [schedules.get(work, SWEEP) ?? Number.POSITIVE_INFINITY];
