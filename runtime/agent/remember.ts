/** What a board goes by long after what taught it that is gone: nothing older comes back. Of each kind it is a bounded number. */
import { systemManifests, systemWishes, updates } from '../core/system-tables.ts';
import { instances, manifests, obeyedRequests, obeyedShares, publishers } from '../core/tables.ts';
import { hasBegun } from '../core/trial.ts';
import { type Newest, newestOf } from '../core/trust.ts';
import { hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { MultiSealed } from '../protocol/noun.ts';
import type { PublisherDoc } from '../protocol/nouns/trust.ts';
import type { Table } from '../turn/table.ts';
import type { Work } from './events.ts';

interface Ordered {
  order: number;
}

/** The order of a row that is put now. Where there are too many, the one put first makes room, but for those that are needed. */
const nextOrder = <T extends Ordered>(work: Work, rows: Table<T>, key: string, needed: () => Set<string>): number => {
  const others = rows
    .all(work)
    .filter((other) => other.key !== key)
    .sort((a, b) => a.value.order - b.value.order);
  const over = others.length + 1 - LIMITS.remembered;
  if (over > 0) {
    const stay = needed();
    for (const other of others.filter((one) => !stay.has(one.key)).slice(0, over)) rows.remove(work, other.key);
  }
  return (others.at(-1)?.value.order ?? 0) + 1;
};

/** Of what is here or on its way. */
const publishersHere = (work: Work): Set<string> =>
  new Set([...manifests.all(work), ...systemManifests.all(work), ...updates.all(work)].map(({ value }) => value.publisher));

/** What was not begun yet, nor armed, is held against the newer version. */
const lookAgain = (work: Work, publisher: string): void => {
  for (const { key, value } of manifests.all(work)) {
    const instance = instances.get(work, key);
    if (value.publisher === publisher && (instance === null || !hasBegun(instance))) manifests.remove(work, key);
  }
  for (const { key: part, value: wish } of systemWishes.all(work)) {
    const release = hex(wish.release);
    if (systemManifests.get(work, release)?.publisher !== publisher) continue;
    systemManifests.remove(work, release);
    systemWishes.put(work, { ...wish, looked: false }, part);
  }
};

/** The newest version of their publisher that is known, once these are. Nothing is older than the first, so that is not kept. */
export const newestKnown = (work: Work, versions: MultiSealed<PublisherDoc>[]): Newest => {
  const { publisher } = versions[0]?.value ?? refuse('unknown-key', 'no trust document of the publisher');
  const known = publishers.get(work, publisher);
  const newest = newestOf(known, versions);
  if (newest === known || newest.version === 1) return newest;
  publishers.put(work, { ...newest, order: nextOrder(work, publishers, publisher, () => publishersHere(work)) }, publisher);
  lookAgain(work, publisher);
  return newest;
};

interface Obeyed extends Ordered {
  sequence: number;
}

const note = (work: Work, rows: Table<Obeyed>, key: string, sequence: number, needed: () => Set<string>): void => {
  if (sequence > (rows.get(work, key)?.sequence ?? 0)) rows.put(work, { sequence, order: nextOrder(work, rows, key, needed) }, key);
};

/** The highest sequence of a request that was obeyed here, whichever lease it was for; 0: none was. */
export const sequenceKnown = (work: Work, request: string): number => obeyedRequests.get(work, request)?.sequence ?? 0;

/** From now on no older one is obeyed. */
export const noteObeyed = (work: Work, request: string, sequence: number): void =>
  note(work, obeyedRequests, request, sequence, () => new Set(instances.all(work).map(({ value }) => value.lease.request)));

/** As of requests, of the shares of one. */
export const shareKnown = (work: Work, share: string): number => obeyedShares.get(work, share)?.sequence ?? 0;

export const noteShare = (work: Work, share: string, sequence: number): void =>
  note(
    work,
    obeyedShares,
    share,
    sequence,
    () => new Set(instances.all(work).flatMap(({ value }) => value.shares.map((one) => one.share))),
  );
