/** Whose content a gateway has to hold: what requests in force, what runs and boards' systems may have to be fetched from. */
import { hex } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { isWithdrawn } from './apply-demand.ts';
import type { Rows } from './context.ts';
import { currentLease } from './leased.ts';
import { idle, manifests, releases, requests, upkeeps } from './tables.ts';

type Row = ReturnType<typeof manifests.all>[number];

/** Of the same software, the highest sequence first. */
const families = (rows: Row[], familyOf: (doc: Manifest) => string): Row[][] => {
  const found = new Map<string, Row[]>();
  for (const row of rows) found.set(familyOf(row.value.doc), [...(found.get(familyOf(row.value.doc)) ?? []), row]);
  return [...found.values()].map((family) => family.sort((a, b) => b.value.doc.sequence - a.value.doc.sequence));
};

/** Named by a request, as what it falls back to as well, or by the lease under which one of its instances may still run. */
const requested = (rows: Rows): string[] =>
  requests.all(rows).flatMap(({ key, value: { doc } }) => {
    if (doc.state === 'destroyed') return [];
    const leased = Array.from({ length: doc.replicas }, (_, index) => currentLease(rows, key, index));
    const running = leased.flatMap((held) => (held === null || held.closed ? [] : [held.doc.release]));
    return [doc.release, ...(doc.fallback === undefined ? [] : [doc.fallback.release]), ...running].map(hex);
  });

/** What any board may be given as its system: what its owner names, or the newest that is whole, of whom he follows. */
const followed = (rows: Rows): string[] => {
  const words = upkeeps.all(rows).map(({ value: { doc } }) => doc);
  const hasWaves = words.some(({ rollout }) => rollout !== undefined);
  const publishers = new Set<string>(words.flatMap(({ publisher }) => publisher ?? []));
  const images = manifests.all(rows).filter(({ key, value: { doc } }) => {
    const isWhole = releases.get(rows, key)?.missing === 0;
    return doc.image !== undefined && publishers.has(doc.publisher) && isWhole && !isWithdrawn(rows, key);
  });
  const newest = families(images, ({ publisher, image }) => `${publisher} ${image?.board} ${image?.part ?? 'system'}`);
  return [
    ...words.flatMap(({ release }) => (release === undefined ? [] : [hex(release)])),
    // While it goes from wave to wave, the one before is still given to those behind.
    ...newest.flatMap((family) => family.slice(0, hasWaves ? 2 : 1)).map(({ key }) => key),
  ];
};

export const neededReleases = (rows: Rows): Set<string> => new Set([...requested(rows), ...followed(rows)]);

/** The newest of each recipe: one that was just pushed may be asked for next, and the one before be gone back to. */
const newestReleases = (rows: Rows): Set<string> => {
  const held = manifests.all(rows).filter(({ key }) => {
    const release = releases.get(rows, key);
    return release !== null && release.gone !== true && release.refused === '';
  });
  const newest = families(held, ({ publisher, recipe }) => `${publisher} ${recipe}`).map((family) => family.slice(0, LIMITS.keptReleases));
  return new Set(newest.flat().map(({ key }) => key));
};

export interface Look {
  /** Nobody needs them, and has not for long enough. */
  go: string[];
  /** They went, and are needed again. */
  back: string[];
}

/** Notes since when each is needed by nobody. `isShort`: there is little room, so that only what is needed is kept. */
export const lookForNeeds = (rows: Rows, nowMs: number, isShort: boolean): Look => {
  const needed = neededReleases(rows);
  const newest = newestReleases(rows);
  const graceMs = isShort ? LIMITS.contentShortGraceMs : LIMITS.contentGraceMs;
  const look: Look = { go: [], back: [] };
  for (const { key } of manifests.all(rows)) {
    const held = releases.get(rows, key);
    if (held === null) continue;
    const since = idle.get(rows, key);
    if (needed.has(key)) {
      if (since !== null) idle.remove(rows, key);
      if (held.gone === true) look.back.push(key);
    } else if (held.gone !== true) {
      if (since === null || since.sinceMs > nowMs) idle.put(rows, { sinceMs: nowMs }, key);
      const isOver = since !== null && nowMs - since.sinceMs >= graceMs;
      // An old one that is not here is known from peers' logs, and gone there as well: nobody is about to push it.
      if (newest.has(key) ? isShort && isOver : isOver || held.missing > 0) look.go.push(key);
    }
  }
  return look;
};
