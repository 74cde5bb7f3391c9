/**
 * Fetching a release: what of its files is here already is gathered, each chunk that is not is asked for once, a bounded
 * number at a time, and written to all its places. What was written survives whatever interrupts it.
 */

import { chunksOf, fileKey, findPlaces, placed, releaseIn } from '../core/content.ts';
import { askings, gains } from '../core/neighbour-tables.ts';
import type { FilePieces } from '../core/pieces.ts';
import { type Content, contents, documents, type Fetch, fetches, type Instance, instances, lefts, ONE } from '../core/tables.ts';
import { Targets } from '../core/targets.ts';
import type { ContentStep } from '../ports/slots.ts';
import { type Bytes, fromHex, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { decodeAs, unseal } from '../protocol/noun.ts';
import { chunk as chunkSchema } from '../protocol/nouns/messages.ts';
import { type Manifest, manifestNoun, type Place } from '../protocol/nouns/release.ts';
import { contentIn } from '../protocol/packing.ts';
import { entriesOf } from '../protocol/pages.ts';
import { programsOf } from '../protocol/program.ts';
import type { Instant } from '../turn/clock.ts';
import { ask, gotDocument, needDocuments, online } from './documents.ts';
import { doubt, doubtOf, isDoubted, trust, withheld } from './doubts.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { askNeighbours, forgetNeighbours, leaveLate, shareAnew } from './sources.ts';

const EMPTY: Content = {
  door: 'files',
  phase: 'pages',
  files: [],
  rootPath: null,
  error: '',
  lacks: false,
  belied: false,
  movedMonoMs: 0,
};

/** One release at a time has the link's window and the card's attention. */
export const BUSY: ReadonlySet<Content['phase']> = new Set(['checking', 'gathering', 'fetching', 'planting']);
/** A chunk that took less than this part of the board's patience came soon. */
const SOON = 4;
/** Without a chunk for this many patiences, a release gives way for as long. */
const STANDSTILL = 10;
/** Asked for is when this part of the window is free: one message asks for many, and is answered by few. */
const TOGETHER = 4;

/** Releases whose content an instance needs, or may need at once. */
export const neededBy = ({ lease, fallback }: Instance): string[] =>
  [lease.release, ...(fallback === null ? [] : [fallback.release])].map(hex);

const pagesOf = (work: Work, manifest: Manifest): Bytes[] =>
  manifest.pages.map((page) => documents.get(work, hex(page)) ?? refuse('missing-content', `page ${hex(page)}`));

/** One step further towards a release whose root is planted. */
export const fetchRelease = (work: Work, manifest: Manifest, release: Bytes, now: Instant): void => {
  const key = hex(release);
  const content = contents.get(work, key) ?? emptyFor(doorFor(manifest));
  // What is not here will not be here before there is a link.
  if (content.lacks && !online(work)) return;
  if (content.phase !== 'pages' || now.monoMs < content.movedMonoMs || !needDocuments(work, manifest.pages, now)) return;
  if (contents.all(work).some(({ value }) => BUSY.has(value.phase))) return;
  const pages = pagesOf(work, manifest);
  const { tree, files } = releaseIn(manifest, pages);
  programsOf(manifest, tree);
  contents.put(work, { ...content, phase: 'checking', movedMonoMs: now.monoMs, files }, key);
  if (content.door === 'files') return work.emit({ kind: 'files', step: { kind: 'check', files: files.map(({ file }) => file) } });
  work.emit({ kind: 'slots', part: content.door, step: { kind: 'receive', release, entries: entriesOf(manifest, pages) } });
};

const emptyFor = (door: Content['door']): Content => ({ ...EMPTY, door });

/** What a system's slot and the files of programs are both asked for. */
const emit = (work: Work, door: Content['door'], step: ContentStep): void =>
  work.emit(door === 'files' ? { kind: 'files', step } : { kind: 'slots', part: door, step });

const doorFor = ({ image }: Manifest): Content['door'] => (image === undefined ? 'files' : (image.part ?? 'system'));

const inPhase = (work: Work, phase: Content['phase']): { key: string; value: Content }[] =>
  contents.all(work).filter(({ value }) => value.phase === phase);

/** That of a release which some instance wants. */
export type ManifestOf = (work: Work, release: string) => Manifest | null;

/** Files of another release whose pages are held. Nothing is believed of it: what a place holds is looked at. */
const filesHeldOf = (work: Work, board: Board, release: string): FilePieces[] => {
  const document = documents.get(work, release);
  if (document === null) return [];
  const manifest = unseal(board.crypto, manifestNoun, document).value;
  const isWhole = manifest.pages.every((page) => documents.get(work, hex(page)) !== null);
  return isWhole ? releaseIn(manifest, pagesOf(work, manifest)).files : [];
};

/** Where chunks of these files lie: in others of the same release, and in releases that were planted before. */
const placesFor = (
  work: Work,
  board: Board,
  release: string,
  missing: readonly FilePieces[],
  held: readonly FilePieces[],
): Map<string, Place> => {
  const wanted = chunksOf(missing);
  const most = wanted.size;
  const places = new Map<string, Place>();
  findPlaces(held, wanted, places);
  const others = new Set([...instances.all(work).flatMap(({ value }) => neededBy(value)), ...contents.all(work).map(({ key }) => key)]);
  others.delete(release);
  for (const other of others) if (places.size < most) findPlaces(filesHeldOf(work, board, other), wanted, places);
  return places;
};

/** `check` answers for the one release that is being checked. */
export const checked = (work: Work, board: Board, event: Of<'checked'>, manifestOf: ManifestOf, now: Instant): void => {
  const [found] = inPhase(work, 'checking');
  const manifest = found === undefined ? null : manifestOf(work, found.key);
  if (found === undefined) return;
  // Nobody wants it any more; the next release may be checked.
  if (manifest === null) return contents.remove(work, found.key);
  const missing = new Set(event.missing.map(fileKey));
  const { door, files: all } = found.value;
  const [lost = [], held = []] = [true, false].map((is) => all.filter(({ file }) => missing.has(fileKey(file)) === is));
  // What the running slot has the door finds by itself.
  const places = door !== 'files' ? new Map<string, Place>() : placesFor(work, board, found.key, lost, held);
  const files = placed(lost, places);
  contents.put(work, { ...found.value, phase: 'gathering', movedMonoMs: now.monoMs, files }, found.key);
  emit(work, door, { kind: 'gather', files });
};

/** What is still to be fetched; what is not is sealed at once. */
export const gathered = (work: Work, event: Of<'gathered'>, manifestOf: ManifestOf, now: Instant): void => {
  const [gathering] = inPhase(work, 'gathering');
  if (gathering === undefined) return;
  const { files } = gathering.value;
  const targets = new Targets(files, event.lacks);
  // Others may be all here: they are not to wait for a link as well.
  if (targets.numbers.length > 0 && !online(work)) return giveWay(work, gathering.key, now.monoMs);
  const { lacking } = targets;
  const whole = files.filter(({ file }) => !lacking.has(fileKey(file)));
  contents.put(work, { ...gathering.value, phase: 'fetching', movedMonoMs: now.monoMs, files: [] }, gathering.key);
  const begun = { cursor: 0, inflight: new Map(), writing: 0, window: LIMITS.wantWindow, movedMonoMs: now.monoMs, lentBytes: 0 };
  const asksMonoMs = targets.numbers.length === 0 ? now.monoMs : asksFrom(work, gathering.key, now);
  const found = new Set(whole.map(({ file }) => fileKey(file)));
  fetches.put(work, { ...begun, targets, queue: targets.numbers, found, unsealed: files.length, asksMonoMs }, gathering.key);
  for (const { file, bytes } of files) lefts.put(work, { chunks: lacking.get(fileKey(file)) ?? 0, bytes }, fileKey(file));
  for (const { file, bytes } of whole) emit(work, gathering.value.door, { kind: 'seal', file, bytes });
  shareAnew(work, gathering.key, now);
  pump(work, gathering.key, manifestOf, now);
};

/** Others on the network that were just asked are waited for a moment. */
const asksFrom = (work: Work, release: string, now: Instant): number => {
  const asking = askings.get(work, ONE);
  const fromMonoMs = asking?.release === release ? asking.atMonoMs + LIMITS.neighbourWaitMs : now.monoMs;
  if (fromMonoMs > now.monoMs) work.emit({ kind: 'wake', afterMs: Math.ceil(fromMonoMs - now.monoMs) });
  return fromMonoMs;
};

/** What is fetched; what nobody wants any more, or is held by now, is none of it. */
const fetching = (work: Work): { key: string; door: Content['door']; fetch: Fetch }[] =>
  fetches.all(work).flatMap(({ key, value: fetch }) => {
    const content = contents.get(work, key);
    if (content?.phase === 'fetching') return [{ key, door: content.door, fetch }];
    endFetch(work, key);
    return [];
  });

const endFetch = (work: Work, key: string): void => {
  const lentBytes = fetches.get(work, key)?.lentBytes ?? 0;
  // Once a fetch, not with each piece: it is a write to the card.
  if (lentBytes > 0) gains.put(work, { bytes: (gains.get(work, ONE)?.bytes ?? 0) + lentBytes }, ONE);
  fetches.remove(work, key);
  forgetNeighbours(work);
  for (const { key: file } of lefts.all(work)) lefts.remove(work, file);
};

const giveWay = (work: Work, key: string, untilMonoMs: number): void => {
  endFetch(work, key);
  contents.put(work, { ...emptyFor(doorOf(work, key)), error: 'missing-content', lacks: true, movedMonoMs: untilMonoMs }, key);
};

const doorOf = (work: Work, key: string): Content['door'] => contents.get(work, key)?.door ?? 'files';

/** Null: nobody wants it any more, and whatever came of it, the next may be fetched. */
const wantedManifest = (work: Work, key: string, manifestOf: ManifestOf): Manifest | null => {
  const manifest = manifestOf(work, key);
  if (manifest !== null) return manifest;
  endFetch(work, key);
  contents.remove(work, key);
  return null;
};

/** Fills the windows; when nothing is left to fetch or seal, the root is planted. */
export const pump = (work: Work, key: string, manifestOf: ManifestOf, now: Instant): void => {
  const [content, fetch] = [contents.get(work, key), fetches.get(work, key)];
  if (content === null || fetch === null || content.phase !== 'fetching') return;
  askNeighbours(work, fromHex(key), fetch, now);
  const asks = fetch.unsealed > 0 && online(work) && now.monoMs >= fetch.asksMonoMs;
  const next = asks ? nextOf(work, fetch, now) : [];
  // Whether anybody still wants it is read from the store: not with each piece that is written, but before more is asked for, and with each look.
  if (fetch.unsealed > 0 && next.length === 0) return;
  const manifest = wantedManifest(work, key, manifestOf);
  if (manifest === null) return;
  if (fetch.unsealed === 0) {
    endFetch(work, key);
    return plantRoot(work, key, content, manifest);
  }
  const inflight = new Map(fetch.inflight);
  for (const chunk of next) inflight.set(chunk, now.monoMs);
  fetches.put(work, { ...fetch, inflight, cursor: fetch.cursor + next.length }, key);
  askFor(work, fetch, next);
};

const askFor = (work: Work, { targets }: Fetch, chunks: readonly number[]): void =>
  ask(
    work,
    chunks.map((chunk) => targets.hashOf(chunk)),
  );

/** A wide window is that of a long way: most of its bytes are there, and not in this board's memory. */
const bytesOf = (window: number): number => LIMITS.wantBytes * Math.max(1, window / LIMITS.wantWindowMost);

/** What is asked for next; nothing, while too little of the window is free. */
const nextOf = (work: Work, { targets, queue, cursor, inflight, writing, window }: Fetch, now: Instant): number[] => {
  const most = bytesOf(window);
  let bytes = 0;
  for (const chunk of inflight.keys()) bytes += targets.lengthOf(chunk);
  const places = window - inflight.size - writing;
  if (inflight.size > 0 && (places * TOGETHER < window || (most - bytes) * TOGETHER < most)) return [];
  const next: number[] = [];
  for (let at = cursor; at < queue.length && next.length < places && bytes < most; at++) {
    const chunk = queue[at] ?? 0;
    // Behind it in the queue is only what is doubted as well, and later.
    if (isDoubted(work, targets.keyOf(chunk), now)) break;
    bytes += targets.lengthOf(chunk);
    next.push(chunk);
  }
  return next;
};

const plantRoot = (work: Work, key: string, content: Content, manifest: Manifest): void => {
  // A slot that is written is looked at by whoever starts it.
  if (content.door !== 'files') return contents.put(work, { ...emptyFor(content.door), phase: 'held' }, key);
  contents.put(work, { ...content, phase: 'planting' }, key);
  work.emit({ kind: 'files', step: { kind: 'plant', release: fromHex(key), entries: releaseIn(manifest, pagesOf(work, manifest)).tree } });
};

/**
 * One more for each that came soon, so that a way which is long but not slow is filled; on a slow one all of them only wait longer. A way that
 * is long and loses something holds all that comes behind it back until it was sent again, and the asking with it: so more of it has to be asked for.
 */
const widened = (window: number, tookMs: number, { pace }: Board): number =>
  tookMs < pace.patienceMs / SOON ? Math.min(tookMs < LIMITS.wantFarMs ? LIMITS.wantWindowMost : LIMITS.wantWindowFar, window + 1) : window;

/** All others go on; this one is asked for when they have come, and not at once. */
const refused = (work: Work, board: Board, release: string, chunk: number, hash: Bytes, now: Instant): void => {
  const [content, fetch] = [contents.get(work, release), fetches.get(work, release)];
  const key = hex(hash);
  doubt(work, board, hash, `bad-signature: chunk ${key} is not what it says`, now);
  if (content === null || fetch === null) return;
  const inflight = new Map(fetch.inflight);
  inflight.delete(chunk);
  fetches.put(work, { ...fetch, inflight, queue: [...fetch.queue, chunk] }, release);
  contents.put(work, { ...content, error: doubtOf(work, key) }, release);
};

export const gotChunk = (work: Work, board: Board, payload: Bytes, now: Instant): void => {
  const { hash, bytes: came } = decodeAs(chunkSchema, payload, 'chunk');
  if (gotDocument(work, board, hash, came, now)) return;
  for (const { key: release, fetch } of fetching(work)) {
    const chunk = fetch.targets.numberOf(hash);
    if (chunk === null || !fetch.inflight.has(chunk) || came === null) continue;
    const length = fetch.targets.lengthOf(chunk);
    const bytes = contentIn(board.crypto, board.unpack, hash, came, length);
    if (bytes === null || bytes.length !== length) return refused(work, board, release, chunk, hash, now);
    trust(work, hex(hash));
    const inflight = new Map(fetch.inflight);
    const tookMs = now.monoMs - (inflight.get(chunk) ?? 0);
    inflight.delete(chunk);
    return placeChunk(work, release, { ...fetch, inflight, window: widened(fetch.window, tookMs, board) }, hash, bytes);
  }
};

/** A chunk that is right goes to all its places, whoever gave it. */
export const placeChunk = (work: Work, release: string, fetch: Fetch, hash: Bytes, bytes: Bytes): void => {
  const places = fetch.targets.placesOf(hash);
  fetches.put(work, { ...fetch, writing: fetch.writing + places.length }, release);
  for (const { file, offset } of places) emit(work, doorOf(work, release), { kind: 'write', file, offset, bytes });
};

export const written = (work: Work, event: Of<'written'>, manifestOf: ManifestOf, now: Instant): void => {
  const file = fileKey(event.file);
  for (const { key, door, fetch } of fetching(work)) {
    const { chunks, bytes } = lefts.get(work, file) ?? { chunks: 0, bytes: 0 };
    if (chunks === 0) continue;
    lefts.put(work, { chunks: chunks - 1, bytes }, file);
    fetches.put(work, { ...fetch, writing: Math.max(0, fetch.writing - 1), movedMonoMs: now.monoMs }, key);
    if (chunks === 1) emit(work, door, { kind: 'seal', file: event.file, bytes });
    pump(work, key, manifestOf, now);
    return;
  }
};

export const sealed = (work: Work, event: Of<'file-sealed'>, manifestOf: ManifestOf, now: Instant): void => {
  for (const { key, fetch } of fetching(work)) {
    // One of a release that gave way meanwhile.
    if (lefts.get(work, fileKey(event.file)) === null) continue;
    fetches.put(work, { ...fetch, unsealed: fetch.unsealed - 1 }, key);
    pump(work, key, manifestOf, now);
    return;
  }
};

export const planted: Handler<Of<'planted'>> = (work, _board, event) => {
  const key = hex(event.release);
  const content = contents.get(work, key);
  if (content !== null) contents.put(work, { ...EMPTY, phase: 'held', rootPath: event.rootPath }, key);
};

/** All its chunks were right and the whole is not: its pages lie, and would again; or the card turned one over in between, which is seen when it is gathered once more. */
const isBelied = (fetch: Fetch | null, { step, error }: Of<'files-refused'>): boolean =>
  step.kind === 'seal' && error.code === 'missing-content' && fetch?.found.has(fileKey(step.file)) === true;

/** What turned out wrong is gathered again, and of it what is wrong fetched; a full card is told and tried again later. */
export const filesRefused: Handler<Of<'files-refused'>> = (work, board, event, now) => {
  const movedMonoMs = now.monoMs + board.pace.patienceMs;
  for (const { key, value } of contents.all(work)) {
    if (value.phase === 'held' || value.phase === 'refused') continue;
    const empty = emptyFor(value.door);
    const told = event.error.code === 'storage-full' ? event.error.message : event.error.code;
    const fetch = fetches.get(work, key);
    if (fetch !== null) endFetch(work, key);
    const belied = isBelied(fetch, event);
    if (belied && value.belied) contents.put(work, { ...empty, phase: 'refused', error: `bad-release: ${event.error.detail}` }, key);
    else contents.put(work, { ...empty, belied, error: told, movedMonoMs }, key);
  }
  work.emit({ kind: 'journal', line: `files ${event.step.kind}: ${event.error.message}` });
};

/** After a new session: whatever was on its way may be lost, and what was not to be had may be. */
export const askChunks = (work: Work, now: Instant): void => {
  for (const { key, fetch } of fetching(work)) {
    const inflight = new Map([...fetch.inflight.keys()].map((chunk) => [chunk, now.monoMs]));
    fetches.put(work, { ...fetch, inflight, movedMonoMs: now.monoMs }, key);
    askFor(work, fetch, [...inflight.keys()]);
  }
  for (const { key, value } of inPhase(work, 'pages')) if (value.lacks) contents.put(work, { ...value, movedMonoMs: now.monoMs }, key);
};

/** What is being fetched is looked after all the time. */
export const isFetching = (work: Work): boolean => fetches.any(work);

/** What has not come in time is asked for again, with half the window. Until a fetch gives way that is less than `wantsWaiting`. */
export const askLateChunks = (work: Work, board: Board, manifestOf: ManifestOf, now: Instant): void => {
  const { patienceMs } = board.pace;
  for (const { key, fetch } of fetching(work)) {
    if (wantedManifest(work, key, manifestOf) === null) continue;
    if (now.monoMs - fetch.movedMonoMs > STANDSTILL * patienceMs) {
      if (fetch.inflight.size > 0) withheld(work, now);
      giveWay(work, key, now.monoMs + STANDSTILL * patienceMs);
      continue;
    }
    const lost = [...fetch.inflight].flatMap(([chunk, askedMonoMs]) => (now.monoMs - askedMonoMs > patienceMs ? [chunk] : []));
    if (lost.length > 0) {
      // Of a wide window a part, and the rest when its turn comes: a gateway that cannot send counts what it is asked for, each time.
      const again = lost.slice(0, LIMITS.wantWindowMost);
      const inflight = new Map(fetch.inflight);
      for (const chunk of again) inflight.delete(chunk);
      for (const chunk of [...lost.slice(again.length), ...again]) inflight.set(chunk, now.monoMs);
      fetches.put(work, { ...fetch, inflight, window: Math.max(1, fetch.window >> 1) }, key);
      askFor(work, fetch, again);
    }
    leaveLate(work, board, key, now);
    pump(work, key, manifestOf, now);
  }
};

/** Something that was waited for may be over. */
export const goOn = (work: Work, manifestOf: ManifestOf, now: Instant): void => {
  for (const { key } of fetching(work)) pump(work, key, manifestOf, now);
};
