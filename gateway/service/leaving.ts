/**
 * What nobody needs goes: looked for now and then, and taken back page by page, a few at each tick. What a page alone
 * named goes with it, in one commit, so that a power cut leaves neither content without mention nor mention without content.
 */

import { hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, type LichenError } from '../../runtime/protocol/errors.ts';
import { openPage } from '../../runtime/protocol/pages.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { lookForNeeds } from '../core/needed.ts';
import { blobs, counted, idle, leaving, mentions, nothing, releases, wanted } from '../core/tables.ts';
import { awaitRelease, forgetWanted, mentionAll, refuseRelease } from './content.ts';
import type { Service, Work } from './events.ts';
import { drop, isWeighed, plainOf, stockOf, weigh } from './pieces.ts';

/** Between two looks, and while there is little room. */
const LOOK_MS = 3_600_000;
const SHORT_LOOK_MS = 60_000;
/** In a look, so that a turn is short; each page names at most some 1,500 chunks. */
const PAGES_AT_ONCE = 2;
/** From this part on there is little room. */
const SHORT_PERMILLE = 900;

const looked = volatileTable<number>('needs-looked');

const isShort = (work: Work, { contentBytes }: Service): boolean => stockOf(work) * 1000 > contentBytes * SHORT_PERMILLE;

const unmention = (work: Work, key: string): void => {
  const left = (mentions.get(work, key) ?? 1) - 1;
  if (left > 0) return mentions.put(work, left, key);
  mentions.remove(work, key);
  // Waited for to be mended, by nobody any more.
  if (wanted.get(work, key) !== null) wanted.remove(work, key);
  if (blobs.get(work, key) !== null) drop(work, key);
};

/** Of a page that cannot be read any more nobody knows what it named: that stays. */
const chunksOf = (work: Work, service: Service, page: string): string[] => {
  try {
    const bytes = plainOf(work, service, page);
    if (bytes !== null) return openPage(bytes).flatMap((entry) => ('chunks' in entry ? entry.chunks.map(([hash]) => hex(hash)) : []));
  } catch (thrown) {
    if (asLichenError(thrown).code === 'internal') throw thrown;
  }
  work.emit({ kind: 'journal', line: `storage-broken: page ${page} cannot be read; what it names is not thrown out` });
  return [];
};

const takeBack = (work: Work, service: Service): void => {
  if (nothing.get(work, 'leaving') !== null) return;
  const [release] = leaving.page(work, '', 1);
  if (release === undefined) return nothing.put(work, true, 'leaving');
  const below = `${release.key}/`;
  const pages = counted.page(work, below, PAGES_AT_ONCE).filter(({ key }) => key.startsWith(below));
  for (const { key, value } of pages) {
    const page = key.slice(below.length);
    if (value.chunks) for (const chunk of chunksOf(work, service, page)) unmention(work, chunk);
    unmention(work, page);
    counted.remove(work, release.key, page);
  }
  if (pages.length < PAGES_AT_ONCE) leaving.remove(work, release.key);
};

const letGo = (work: Work, release: string): void => {
  const held = releases.get(work, release);
  if (held === null) return;
  forgetWanted(work, release);
  releases.put(work, { ...held, missing: Math.max(1, held.missing), gone: true }, release);
  idle.remove(work, release);
  leaving.put(work, {}, release);
  work.emit({ kind: 'journal', line: `release ${release}: nobody needs it any more; its content goes` });
};

/** What is wrong with it was not known when it was let go: its pages may be here, as another release's, and make no tree. */
const orRefuse = (work: Work, release: string, act: () => void): void => {
  try {
    act();
  } catch (thrown) {
    const error: LichenError = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    refuseRelease(work, release, error);
  }
};

/** Waits for the content of a release that was let go. False: what it had is still going. */
export const takeUpAgain = (work: Work, service: Service, release: string): boolean => {
  if (leaving.get(work, release) !== null) return false;
  releases.remove(work, release);
  awaitRelease(work, service, release);
  return true;
};

export const tickNeeds = (work: Work, service: Service, now: Instant): void => {
  takeBack(work, service);
  const short = isShort(work, service);
  if (now.monoMs - (looked.get(work, 'at') ?? Number.NEGATIVE_INFINITY) < (short ? SHORT_LOOK_MS : LOOK_MS)) return;
  looked.put(work, now.monoMs, 'at');
  const { go, back } = lookForNeeds(work, now.wallMs, short);
  for (const release of go) letGo(work, release);
  for (const release of back) orRefuse(work, release, () => takeUpAgain(work, service, release));
};

/** A store of before has content that nobody counted. */
export const countContent = (work: Work, service: Service): void => {
  if (isWeighed(work) || blobs.page(work, '', 1).length === 0) return;
  for (const { key, value } of releases.all(work)) if (value.gone !== true) countRelease(work, service, key);
  weigh(work);
};

/** What of it cannot be read is not counted, and so never thrown out. */
const countRelease = (work: Work, service: Service, release: string): void => {
  try {
    mentionAll(work, service, release);
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `release ${release}: ${error.message}` });
  }
};
