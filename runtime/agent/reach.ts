/**
 * What each instance reaches: worked out anew from the signed documents and from who runs here, and told to the engine
 * when it is not what was told last. So a link comes and goes with the instance at its other end, and a new request
 * changes ports and links, while the instance goes on.
 */
import { documents, type Instance, instances, manifests, type Reach, reaches, runs, wishes } from '../core/tables.ts';
import { openRequest } from '../core/trust.ts';
import type { NetworkPolicy } from '../ports/partitions.ts';
import { hex } from '../protocol/bytes.ts';
import { asLichenError } from '../protocol/errors.ts';
import { type Published, placeOfPort, publishedOf, targetsOf } from '../protocol/nouns/reach.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Of, Work } from './events.ts';

const RETRY_MS = 5_000;

interface Wish {
  targets: ReadonlyMap<string, string>;
  publish: readonly Published[];
}

/** What release and request say together; null as long as one of them is not here. */
const wishOf = (work: Work, board: Board, id: string, { lease, request }: Instance): Wish | null => {
  const of = hex(request);
  const known = wishes.get(work, id);
  if (known?.of === of) return known;
  const manifest = manifests.get(work, id);
  const document = documents.get(work, of);
  if (manifest?.network === undefined || document === null) return null;
  try {
    const signed = openRequest(board.crypto, lease, request, document);
    const wish = { of, targets: targetsOf(manifest, signed), publish: publishedOf(manifest, signed) };
    wishes.put(work, wish, id);
    return wish;
  } catch (thrown) {
    if (asLichenError(thrown).code === 'internal') throw thrown;
    return null;
  }
};

/** Of two that want one port, whoever was leased first has it: the same one, however often it is asked. */
const isBefore = (a: Instance, b: Instance): boolean =>
  a.lease.openedMs < b.lease.openedMs || (a.lease.openedMs === b.lease.openedMs && a.lease.lease < b.lease.lease);

const takenBefore = (work: Work, board: Board, self: Instance): Set<string> =>
  new Set(
    instances.all(work).flatMap(({ key, value }) => {
      const counts = value.wanted !== 'gone' && value.lease.lease !== self.lease.lease && isBefore(value, self);
      return counts ? (wishOf(work, board, key, value)?.publish.map(placeOfPort) ?? []) : [];
    }),
  );

const runningAs = (work: Work, tenant: string, name: string): string | null =>
  instances
    .all(work)
    .find(({ key, value: { lease } }) => lease.tenant === tenant && lease.name === name && runs.get(work, key)?.process === 'running')
    ?.key ?? null;

interface Reached {
  policy: NetworkPolicy;
  /** What the tenant wants and does not have now, for people. */
  lacks: string[];
}

const reachedBy = (work: Work, board: Board, instance: Instance, { network }: Manifest, wish: Wish): Reached | null => {
  if (network === undefined) return null;
  const { ports, grants = [] } = board.offer;
  const taken = takenBefore(work, board, instance);
  const lacks: string[] = [];
  const publish = wish.publish.flatMap(({ name, outside, inside, protocol }) => {
    const isOffered = ports !== undefined && outside >= ports.first && outside <= ports.last;
    const why = isOffered ? 'taken by another instance' : 'not offered by this board';
    if (isOffered && !taken.has(placeOfPort({ outside, protocol }))) return [{ outside, inside, protocol }];
    lacks.push(`port ${outside} for ${name}: ${why}`);
    return [];
  });
  const links = network.links.flatMap(({ name, port, protocol }) => {
    const target = wish.targets.get(name) ?? name;
    const partition = runningAs(work, instance.lease.tenant, target);
    if (partition === null) lacks.push(`link ${name}: no ${target} runs here`);
    return partition === null ? [] : [{ name, partition, port, protocol }];
  });
  return {
    policy: { outbound: network.outbound, dns: network.dns, lan: grants.includes('lan'), links, publish },
    lacks: [...new Set(lacks)],
  };
};

const reachOf = (work: Work, board: Board, id: string, instance: Instance): Reached | null => {
  const manifest = manifests.get(work, id);
  if (manifest?.network === undefined) return null;
  const wish = wishOf(work, board, id, instance);
  return wish === null ? null : reachedBy(work, board, instance, manifest, wish);
};

/** For a start, which tells it with all the rest. */
export const policyOf = (work: Work, board: Board, id: string, instance: Instance): NetworkPolicy | null => {
  const reached = reachOf(work, board, id, instance);
  if (reached === null) return null;
  reaches.put(work, { told: JSON.stringify(reached.policy), busy: false, retryMonoMs: 0, lacks: reached.lacks }, id);
  return reached.policy;
};

const UNTOLD: Reach = { told: '', busy: false, retryMonoMs: 0, lacks: [] };

export const tickReach = (work: Work, board: Board, now: Instant): void => {
  for (const { key: id, value: run } of runs.all(work)) {
    const instance = run.process === 'running' && !run.busy ? instances.get(work, id) : null;
    const reached = instance === null ? null : reachOf(work, board, id, instance);
    if (reached === null) continue;
    const before = reaches.get(work, id) ?? UNTOLD;
    const told = JSON.stringify(reached.policy);
    const isLate = before.busy || now.monoMs < before.retryMonoMs;
    if (told !== before.told && !isLate) {
      reaches.put(work, { told, busy: true, retryMonoMs: 0, lacks: reached.lacks }, id);
      work.emit({ kind: 'partition', step: { kind: 'connect', partition: id, network: reached.policy } });
    } else if (reached.lacks.join() !== before.lacks.join()) reaches.put(work, { ...before, lacks: reached.lacks }, id);
  }
};

/** At which `tickReach` may do what it would not do before. */
export const reachMoments = (work: Work): number[] =>
  reaches.all(work).flatMap(({ value }) => (value.retryMonoMs > 0 ? [value.retryMonoMs] : []));

export const connected = (work: Work, event: Of<'connected'>): void => {
  const reach = reaches.get(work, event.partition);
  if (reach !== null) reaches.put(work, { ...reach, busy: false }, event.partition);
};

/** What was not connected is tried again after a while, as it is wanted then. */
export const unconnected = (work: Work, id: string, now: Instant): void => {
  const reach = reaches.get(work, id);
  if (reach !== null) reaches.put(work, { ...reach, told: '', busy: false, retryMonoMs: now.monoMs + RETRY_MS }, id);
};

export const forgetReach = (work: Work, id: string): void => {
  reaches.remove(work, id);
  wishes.remove(work, id);
};
