/**
 * Others on the board's own network that hold the same releases: what is shared with them, and what comes from them. A piece is
 * believed by its hash alone; one that is something else is refused, whoever gave it is left, and the gateway is asked for it.
 */
import { allowances, askings, names, neighbours, sharings } from '../core/neighbour-tables.ts';
import { slotsSeen, upkeepWishes } from '../core/system-tables.ts';
import { contents, fetches, ONE, pairings } from '../core/tables.ts';
import type { Shared } from '../ports/neighbours.ts';
import { equal, fromHex, hex } from '../protocol/bytes.ts';
import { PARTS } from '../protocol/image.ts';
import { LIMITS } from '../protocol/limits.ts';
import { neighbourKey } from '../protocol/nouns/neighbours.ts';
import type { Instant } from '../turn/clock.ts';
import { type ManifestOf, placeChunk, pump } from './content.ts';
import { isShunned } from './doubts.ts';
import type { Board, Of, Work } from './events.ts';
import { answered, dropNeighbour, forgetNeighbours, gaveRight, hasNot, IDLE, shareAnew, shunNeighbour } from './sources.ts';

/** Whether its machine has the door, and its owner lets it; a word of the owner that is still to be read may say no. */
const mayShare = (work: Work, board: Board): boolean =>
  board.neighbours &&
  pairings.get(work, ONE) !== null &&
  upkeepWishes.get(work, ONE)?.looked !== false &&
  allowances.get(work, ONE)?.allowed !== false;

/** The release of which something is to come, if others can have it, too. */
const wanted = (work: Work): string | null => {
  for (const { key, value } of contents.all(work)) {
    if (value.phase === 'fetching' || (value.phase === 'gathering' && value.files.length > 0)) return key;
  }
  return null;
};

const WHOLE: ReadonlySet<string> = new Set(['planting', 'held']);

/** Releases in its slots, whole: what runs, and what is started next. */
const inSlots = (work: Work): string[] =>
  PARTS.flatMap((part) => {
    const state = slotsSeen.get(work, part)?.state;
    return [state?.runningRelease ?? [], (state?.idle === 'armed' ? state.idleRelease : null) ?? []].flat();
  });

/**
 * What of is given: of content that is here, and of such as comes. A system that nobody assigns any more, or that is on trial, has no
 * manifest here, so nothing is given of it.
 */
const sharedOf = (work: Work, board: Board, manifestOf: ManifestOf): Shared[] => {
  const coming = contents.all(work).flatMap(({ key, value: { phase } }) => {
    const whole = WHOLE.has(phase);
    return whole || phase === 'gathering' || phase === 'fetching' ? [{ key, whole }] : [];
  });
  return [...coming, ...inSlots(work).map((key) => ({ key, whole: true }))].flatMap(({ key, whole }) => {
    const manifest = manifestOf(work, key);
    return manifest === null ? [] : [{ release: fromHex(key), key: neighbourKey(board.crypto, manifest), whole }];
  });
};

const nameOf = (work: Work, board: Board): string => {
  const known = names.get(work, ONE) ?? hex(board.entropy.bytes(8));
  names.put(work, known, ONE);
  return known;
};

const NOTHING = '';

const share = (work: Work, board: Board, manifestOf: ManifestOf): void => {
  const releases = mayShare(work, board) ? sharedOf(work, board, manifestOf) : [];
  const told = releases.map(({ release, whole }) => `${hex(release)}${whole ? '' : ' in part'}`).join();
  if (told === (sharings.get(work, ONE)?.told ?? NOTHING)) return;
  sharings.put(work, { told }, ONE);
  work.emit({ kind: 'neighbours', step: { kind: 'share', who: nameOf(work, board), releases } });
};

/** At once for what is wanted anew, then now and then: boards are switched on, and come by what they had not. */
const look = (work: Work, release: string, now: Instant): void => {
  const last = askings.get(work, ONE);
  if (last?.release === release && now.monoMs - last.atMonoMs < LIMITS.neighbourLookMs) return;
  // Those of another release are none of this one.
  if (last?.release !== release) forgetNeighbours(work);
  askings.put(work, { release, atMonoMs: now.monoMs }, ONE);
  work.emit({ kind: 'neighbours', step: { kind: 'look', release: fromHex(release) } });
};

export const tickNeighbours = (work: Work, board: Board, manifestOf: ManifestOf, now: Instant): void => {
  share(work, board, manifestOf);
  const release = wanted(work);
  if (mayShare(work, board)) {
    if (release !== null && manifestOf(work, release) !== null) look(work, release, now);
    return;
  }
  if (release !== null) for (const { key } of neighbours.all(work)) dropNeighbour(work, release, key, now);
  forgetNeighbours(work);
};

/** At which `tickNeighbours` may do what it would not do before. */
export const neighbourMoments = (work: Work): number[] => {
  const last = askings.get(work, ONE);
  return last !== null && wanted(work) === last.release ? [last.atMonoMs + LIMITS.neighbourLookMs] : [];
};

export const seen = (work: Work, board: Board, event: Of<'neighbour-seen'>, manifestOf: ManifestOf, now: Instant): void => {
  const { neighbour, whole } = event;
  const release = hex(event.release);
  if (!mayShare(work, board) || wanted(work) !== release || isShunned(work, neighbour, now) || neighbour === names.get(work, ONE)) return;
  const known = neighbours.get(work, neighbour);
  if (known?.whole === whole || (known === null && neighbours.all(work).length >= LIMITS.neighbours)) return;
  const fresh = { owed: [], owedAt: 0, tried: [], triedAt: 0, inflight: new Map(), vain: 0, untilMonoMs: 0, heardMonoMs: now.monoMs };
  neighbours.put(work, { ...(known ?? fresh), untilMonoMs: 0, gaveMonoMs: now.monoMs, whole }, neighbour);
  shareAnew(work, release, now);
  pump(work, release, manifestOf, now);
};

export const gave = (work: Work, board: Board, event: Of<'neighbour-gave'>, manifestOf: ManifestOf, now: Instant): void => {
  const { neighbour, hash, bytes } = event;
  const [release, key] = [hex(event.release), hex(hash)];
  const fetch = fetches.get(work, release);
  const chunk = fetch?.targets.numberOf(hash) ?? null;
  if (fetch === null || chunk === null || !answered(work, neighbour, key, now)) return;
  if (bytes === null && neighbours.get(work, neighbour)?.whole === true) {
    fetches.put(work, { ...fetch, queue: [...fetch.queue, chunk] }, release);
    shunNeighbour(work, release, neighbour, 'it has not all that it says', IDLE * board.pace.patienceMs, now);
  } else if (bytes === null) hasNot(work, release, neighbour, key, now);
  else if (bytes.length !== fetch.targets.lengthOf(chunk) || !equal(board.crypto.sha256(bytes), hash)) {
    fetches.put(work, { ...fetch, queue: [...fetch.queue, chunk] }, release);
    shunNeighbour(work, release, neighbour, `bad-signature: chunk ${key} is not what it says`, LIMITS.liarMs, now);
  } else {
    gaveRight(work, neighbour, now);
    placeChunk(work, release, { ...fetch, lentBytes: fetch.lentBytes + bytes.length }, hash, bytes);
  }
  pump(work, release, manifestOf, now);
};

export const lost = (work: Work, board: Board, event: Of<'neighbour-lost'>, manifestOf: ManifestOf, now: Instant): void => {
  const release = wanted(work);
  if (release === null) return;
  shunNeighbour(work, release, event.neighbour, event.error.message, board.pace.patienceMs, now);
  pump(work, release, manifestOf, now);
};
