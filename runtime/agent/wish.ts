/** Whether the system that the board's home assigns is taken: what its publisher, its owner and the board itself say of it. */
import {
  type SlotsSeen,
  type SystemWish,
  systemFloors,
  systemManifests,
  systemWishes,
  type Update,
  updates,
} from '../core/system-tables.ts';
import { contents, documents } from '../core/tables.ts';
import { mayTryAgain, objectionToWish } from '../core/update.ts';
import { equal, hex } from '../protocol/bytes.ts';
import { asLichenError, type ErrorCode, refuse } from '../protocol/errors.ts';
import type { Part } from '../protocol/image.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { Upkeep } from '../protocol/nouns/upkeep.ts';
import { beginning } from '../protocol/printable.ts';
import { checkManifest } from '../protocol/soundness.ts';
import type { Instant } from '../turn/clock.ts';
import { BUSY } from './content.ts';
import { documentOf, needDocuments } from './documents.ts';
import type { Board, Work } from './events.ts';
import { obeyUpkeep, openUpkeep } from './upkeep.ts';
import { openSigned, publisherChain } from './verified.ts';

interface Named {
  release: Uint8Array;
  publisher: Uint8Array;
  upkeep: Uint8Array;
}

const isHere = (work: Work, board: Board, named: Named, now: Instant): boolean => {
  const { missing } = publisherChain(work, board, named.publisher);
  return needDocuments(work, [named.release, named.upkeep, ...(missing === null ? [] : [missing])], now) && missing === null;
};

const openSystem = (work: Work, board: Board, part: Part, named: Named, { publisher, release }: Upkeep, runs: boolean): Manifest => {
  const manifest = openSigned(work, board, named, documentOf(work, named.release), runs);
  checkManifest(manifest);
  const kind = board.offer.image?.board;
  if (manifest.image === undefined || (manifest.image.part ?? 'system') !== part) refuse('bad-release', `it is no ${part} of a board`);
  if (manifest.image?.board !== kind) refuse('not-offered', `it is for ${manifest.image?.board}, this board is ${kind ?? 'of no kind'}`);
  if (manifest.arch !== board.offer.arch) refuse('not-offered', `it is for ${manifest.arch}, this board is ${board.offer.arch}`);
  if (manifest.publisher !== publisher) refuse('wrong-publisher', "its publisher is not the one of the owner's word");
  if (release !== undefined && !equal(release, named.release)) refuse('unassigned', 'the owner named another one');
  return manifest;
};

const fresh = (named: Named, { publisher, sequence }: Manifest, upkeep: number): Update => ({
  ...{ release: named.release, publisher, sequence, upkeep, phase: 'fetching' },
  ...{ detail: '', lonely: false, attempts: 0, ran: [] },
});

/** What came for another one is in nobody's way; what its door is about, or is being fetched, ends by itself once nobody wants it. */
const forget = (work: Work, release: string): void => {
  systemManifests.remove(work, release);
  if (!BUSY.has(contents.get(work, release)?.phase ?? 'pages')) contents.remove(work, release);
};

const take = (work: Work, board: Board, part: Part, named: Named, upkeep: Upkeep, found: SlotsSeen): void => {
  const release = hex(named.release);
  const manifest = openSystem(work, board, part, named, upkeep, found.state.runningRelease === release);
  obeyUpkeep(work, upkeep);
  systemManifests.put(work, manifest, release);
  const before = updates.get(work, part);
  const isSame = before !== null && hex(before.release) === release;
  if (found.state.runningRelease === release || (isSame && before.phase !== 'failed')) return;
  const wish = { release, publisher: manifest.publisher, sequence: manifest.sequence, upkeep: upkeep.version };
  const floor = systemFloors.get(work, part, manifest.publisher) ?? 0;
  const objection = objectionToWish(wish, floor, before, found.state);
  if (objection !== null) {
    if (isSame) return;
    return refuse('stale', objection);
  }
  if (before !== null) forget(work, hex(before.release));
  systemManifests.put(work, manifest, release);
  updates.put(work, fresh(named, manifest, upkeep.version), part);
  work.emit({ kind: 'journal', line: `${part}: ${manifest.label} (${release}) is wanted` });
};

const tryAgain = (work: Work, part: Part, release: Uint8Array, found: SlotsSeen, now: Instant): void => {
  const before = updates.get(work, part);
  if (before === null || !equal(before.release, release) || !mayTryAgain(before, now.monoMs - found.sinceMonoMs)) return;
  updates.put(work, { ...before, phase: 'fetching' }, part);
};

/** What no other board of this kind would take either. */
const UNFIT: ReadonlySet<ErrorCode> = new Set(['bad-release', 'not-offered']);

/** A wish that is refused is refused once; its home may name it again. */
export const adoptWish = (work: Work, board: Board, part: Part, found: SlotsSeen, now: Instant): void => {
  const wish = systemWishes.get(work, part);
  if (wish === null || wish.refused !== '') return;
  if (wish.looked) return tryAgain(work, part, wish.release, found, now);
  let word: SystemWish['word'] = null;
  try {
    if (!isHere(work, board, wish, now)) return;
    const upkeep = openUpkeep(work, board, wish.upkeep);
    if (upkeep.publisher === null) refuse('not-offered', 'its owner lets its system be');
    word = { version: upkeep.version, bakeMs: upkeep.rollout?.bakeMs ?? 0, windows: upkeep.windows };
    take(work, board, part, wish, upkeep, found);
    systemWishes.put(work, { ...wish, looked: true, word }, part);
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `${part}: ${hex(wish.release)} is not taken: ${error.message}` });
    // What another signed may stand in its place.
    for (const document of [wish.release, wish.upkeep]) documents.remove(work, hex(document));
    const refused = beginning(error.message, LIMITS.textBytes / 8);
    systemWishes.put(work, { ...wish, looked: true, word, refused, unfit: UNFIT.has(error.code) }, part);
  }
};
