/** Fetching: documents and pages into the store, chunks into files, a bounded number at a time. */

import { fileKey, filesOf, targetsOf } from '../core/content.ts';
import { type Content, contents, documents, docWants, instances, links, ONE, schedules, type Target } from '../core/tables.ts';
import { type Bytes, equal, fromHex, hex } from '../protocol/bytes.ts';
import { open1, openMany, typOf } from '../protocol/cose.ts';
import { refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../protocol/noun.ts';
import { chunk as chunkSchema, want } from '../protocol/nouns/messages.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { requestNoun } from '../protocol/nouns/request.ts';
import { entriesOf } from '../protocol/pages.ts';
import { programOf } from '../protocol/program.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Handler, Of, Work } from './events.ts';

const EMPTY: Content = {
  phase: 'pages',
  targets: [],
  cursor: 0,
  inflight: new Map(),
  left: new Map(),
  unsealed: 0,
  window: LIMITS.wantWindow,
  rootPath: null,
  error: '',
  movedMonoMs: 0,
};

const BUSY = new Set<Content['phase']>(['checking', 'fetching', 'planting']);
/** Without a chunk for this many patiences, a release gives way for as long. */
const STANDSTILL = 10;

const online = (work: Work): boolean => links.get(work, ONE)?.phase === 'welcomed';

const ask = (work: Work, hashes: Bytes[]): void => {
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

/** One step further towards a release whose root is planted. */
export const fetchRelease = (work: Work, manifest: Manifest, release: Bytes, now: Instant): void => {
  const key = hex(release);
  const content = contents.get(work, key) ?? EMPTY;
  if (content.phase !== 'pages' || now.monoMs < content.movedMonoMs || !needDocuments(work, manifest.pages, now)) return;
  // One release at a time has the link's window and the card's attention.
  if (contents.all(work).some(({ value }) => BUSY.has(value.phase))) return;
  const pages = pagesOf(work, manifest);
  const entries = entriesOf(manifest, pages);
  programOf(manifest, entries);
  const files = filesOf(entries);
  contents.put(work, { ...content, phase: 'checking', movedMonoMs: now.monoMs }, key);
  work.emit({ kind: 'files', step: { kind: 'check', files: files.map(({ file }) => file) } });
};

const pagesOf = (work: Work, manifest: Manifest): Bytes[] =>
  manifest.pages.map((page) => documents.get(work, hex(page)) ?? refuse('missing-content', `page ${hex(page)}`));

const inPhase = (work: Work, phase: Content['phase']): { key: string; value: Content }[] =>
  contents.all(work).filter(({ value }) => value.phase === phase);

export type ManifestOf = (work: Work, release: string) => Manifest | null;

/** `check` answers for the one release that is being checked. */
export const checked = (work: Work, event: Of<'checked'>, manifestOf: ManifestOf, now: Instant): void => {
  const [found] = inPhase(work, 'checking');
  const manifest = found === undefined ? null : manifestOf(work, found.key);
  if (found === undefined) return;
  // Nobody wants it any more; the next release may be checked.
  if (manifest === null) return contents.remove(work, found.key);
  const files = filesOf(entriesOf(manifest, pagesOf(work, manifest)));
  const targets = targetsOf(files, event.missing);
  const left = new Map<string, number>();
  for (const target of targets) left.set(fileKey(target.file), (left.get(fileKey(target.file)) ?? 0) + 1);
  const content: Content = { ...found.value, phase: 'fetching', movedMonoMs: now.monoMs, targets, left, unsealed: event.missing.length };
  contents.put(work, content, found.key);
  for (const file of event.missing) {
    if (left.has(fileKey(file))) continue;
    left.set(fileKey(file), 0);
    work.emit({ kind: 'files', step: { kind: 'seal', file, bytes: 0 } });
  }
  pump(work, found.key, manifestOf, now);
};

/** Fills the window; when nothing is left to fetch or seal, the root is planted. */
const pump = (work: Work, key: string, manifestOf: ManifestOf, now: Instant): void => {
  const content = contents.get(work, key);
  if (content === null || content.phase !== 'fetching') return;
  if (content.unsealed === 0) return plantRoot(work, key, content, manifestOf);
  const inflight = new Map(content.inflight);
  const hashes: Bytes[] = [];
  let cursor = content.cursor;
  for (; cursor < content.targets.length && inflight.size < content.window && online(work); cursor++) {
    const target = content.targets[cursor];
    if (target === undefined || inflight.has(hex(target.chunk[0]))) break;
    inflight.set(hex(target.chunk[0]), { target, askedMonoMs: now.monoMs });
    hashes.push(target.chunk[0]);
  }
  contents.put(work, { ...content, inflight, cursor }, key);
  ask(work, hashes);
};

const plantRoot = (work: Work, key: string, content: Content, manifestOf: ManifestOf): void => {
  const manifest = manifestOf(work, key);
  if (manifest === null) return contents.remove(work, key);
  contents.put(work, { ...content, phase: 'planting' }, key);
  work.emit({ kind: 'files', step: { kind: 'plant', release: fromHex(key), entries: entriesOf(manifest, pagesOf(work, manifest)) } });
};

/** A document's identity is the hash of what was signed, a page's or chunk's that of its bytes. */
const identity = (board: Board, bytes: Bytes): Bytes => {
  const typ = bytes[0] === 0xd2 || bytes[0] === 0xd8 ? safeTyp(bytes) : null;
  if (typ === null) return board.crypto.sha256(bytes);
  const { payload } = bytes[0] === 0xd2 ? open1(board.crypto, typ, bytes) : openMany(board.crypto, typ, bytes, 2 * LIMITS.rootKeys);
  return board.crypto.sha256(payload);
};

/** Of a request its own words tell who has to sign it; what another signed must not stand in its place. */
const checkTenant = (board: Board, bytes: Bytes): void => {
  if (safeTyp(bytes) !== requestNoun.typ) return;
  const { value, signer } = unseal(board.crypto, requestNoun, bytes);
  if (fingerprint(board.crypto, signer) !== value.tenant) refuse('unrequested', `tenant ${value.tenant} did not sign it`);
};

const safeTyp = (bytes: Bytes): string | null => {
  try {
    return typOf(bytes);
  } catch {
    return null;
  }
};

export const gotChunk = (work: Work, board: Board, payload: Bytes): void => {
  const { hash, bytes } = decodeAs(chunkSchema, payload, 'chunk');
  const key = hex(hash);
  if (docWants.get(work, key) !== null) {
    if (bytes === null) return;
    if (!equal(identity(board, bytes), hash) && !equal(board.crypto.sha256(bytes), hash))
      refuse('bad-signature', `what came for ${key} is something else`);
    checkTenant(board, bytes);
    documents.put(work, bytes, key);
    docWants.remove(work, key);
    return;
  }
  for (const { key: release, value: content } of inPhase(work, 'fetching')) {
    const flying = content.inflight.get(key);
    if (flying === undefined || bytes === null) continue;
    if (!equal(board.crypto.sha256(bytes), hash) || bytes.length !== flying.target.chunk[1])
      refuse('bad-signature', `chunk ${key} is not what it says`);
    const inflight = new Map(content.inflight);
    inflight.delete(key);
    // Widen slowly after a halving.
    contents.put(work, { ...content, inflight, window: Math.min(LIMITS.wantWindow, content.window + 1) }, release);
    work.emit({ kind: 'files', step: { kind: 'write', file: flying.target.file, offset: flying.target.offset, bytes } });
    return;
  }
};

export const written = (work: Work, event: Of<'written'>, manifestOf: ManifestOf, now: Instant): void => {
  const file = fileKey(event.file);
  for (const { key, value: content } of inPhase(work, 'fetching')) {
    const count = content.left.get(file);
    if (count === undefined) continue;
    const left = new Map(content.left);
    left.set(file, count - 1);
    contents.put(work, { ...content, left, movedMonoMs: now.monoMs }, key);
    if (count === 1) work.emit({ kind: 'files', step: { kind: 'seal', file: event.file, bytes: bytesOf(content.targets, file) } });
    pump(work, key, manifestOf, now);
    return;
  }
};

const bytesOf = (targets: Target[], file: string): number => targets.find((target) => fileKey(target.file) === file)?.bytes ?? 0;

export const sealed = (work: Work, event: Of<'file-sealed'>, manifestOf: ManifestOf, now: Instant): void => {
  for (const { key, value: content } of inPhase(work, 'fetching')) {
    // One of a release that gave way meanwhile.
    if (!content.left.has(fileKey(event.file))) continue;
    contents.put(work, { ...content, unsealed: content.unsealed - 1 }, key);
    pump(work, key, manifestOf, now);
    return;
  }
};

export const planted: Handler<Of<'planted'>> = (work, _board, event) => {
  const key = hex(event.release);
  const content = contents.get(work, key);
  if (content !== null) contents.put(work, { ...EMPTY, phase: 'held', rootPath: event.rootPath }, key);
};

/** A file that turned out wrong is fetched again from the start; a full card is told and tried again later. */
export const filesRefused: Handler<Of<'files-refused'>> = (work, board, event, now) => {
  const movedMonoMs = now.monoMs + board.pace.patienceMs;
  for (const { key, value } of contents.all(work)) {
    if (value.phase !== 'held') contents.put(work, { ...EMPTY, error: event.error.code, movedMonoMs }, key);
  }
  work.emit({ kind: 'journal', line: `files ${event.step.kind}: ${event.error.message}` });
};

/** After a new session: whatever was on its way may be lost. */
export const askAgain = (work: Work, now: Instant): void => {
  for (const { key } of docWants.all(work)) docWants.put(work, now.monoMs, key);
  ask(
    work,
    docWants.all(work).map(({ key }) => fromHex(key)),
  );
  for (const { value: content } of inPhase(work, 'fetching')) ask(work, [...content.inflight.keys()].map(fromHex));
};

const SWEEP = 'sweep';

/** A release that is wanted again soon after need not be fetched again. */
const SWEEP_AFTER_MS = 10 * 60_000;

/** An instance went, and with it perhaps the last that needed some release. */
export const sweepLater = (work: Work, now: Instant): void => schedules.put(work, now.monoMs + SWEEP_AFTER_MS, SWEEP);

/** Frees what no instance needs; only while nothing is fetched, as a sweep takes files that wait for their release. */
export const sweepIdle = (work: Work, now: Instant): void => {
  const due = schedules.get(work, SWEEP);
  if (due === null || now.monoMs < due || contents.all(work).some(({ value }) => BUSY.has(value.phase))) return;
  schedules.remove(work, SWEEP);
  const keep = new Set(instances.all(work).map(({ value }) => hex(value.lease.release)));
  for (const { key } of contents.all(work)) if (!keep.has(key)) contents.remove(work, key);
  work.emit({ kind: 'files', step: { kind: 'sweep', keep: [...keep].map(fromHex) } });
};

/** At which `sweepIdle` may do what it would not do before. */
export const sweepMoments = (work: Work): number[] => [schedules.get(work, SWEEP) ?? Number.POSITIVE_INFINITY];

/** At which `askLate` may do what it would not do before. What is being fetched is looked after all the time. */
export const lateMoments = (work: Work, board: Board, now: Instant): number[] => [
  ...docWants.all(work).map(({ value }) => value + board.pace.patienceMs),
  ...inPhase(work, 'fetching').map(() => now.monoMs),
];

/** What has not come in time is asked for again, with half the window. */
export const askLate = (work: Work, board: Board, manifestOf: ManifestOf, now: Instant): void => {
  const late = (since: number): boolean => now.monoMs - since > board.pace.patienceMs;
  const lateDocs = docWants.all(work).filter(({ value }) => late(value));
  for (const { key } of lateDocs) docWants.put(work, now.monoMs, key);
  ask(
    work,
    lateDocs.map(({ key }) => fromHex(key)),
  );
  for (const { key, value: content } of inPhase(work, 'fetching')) {
    if (now.monoMs - content.movedMonoMs > STANDSTILL * board.pace.patienceMs) {
      contents.put(work, { ...EMPTY, error: 'missing-content', movedMonoMs: now.monoMs + STANDSTILL * board.pace.patienceMs }, key);
      continue;
    }
    const lost = [...content.inflight].filter(([, { askedMonoMs }]) => late(askedMonoMs));
    if (lost.length > 0) {
      const inflight = new Map(content.inflight);
      for (const [hash, { target }] of lost) inflight.set(hash, { target, askedMonoMs: now.monoMs });
      contents.put(work, { ...content, inflight, window: Math.max(1, content.window >> 1) }, key);
      ask(
        work,
        lost.map(([hash]) => fromHex(hash)),
      );
    }
    pump(work, key, manifestOf, now);
  }
};
