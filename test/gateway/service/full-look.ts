/**
 * What a full look would find at the end of a turn, beside what looking at the touched alone finds. Both look at copies,
 * so that no look mends what the other should see.
 */

import { agendaOf } from '../../../gateway/core/agenda.ts';
import type { Context } from '../../../gateway/core/context.ts';
import { boardsTouched } from '../../../gateway/core/holding.ts';
import { signedSize, sizeOf, vectorOf } from '../../../gateway/core/log.ts';
import { placements } from '../../../gateway/core/placement.ts';
import { replicatedOf } from '../../../gateway/core/replicas.ts';
import { type Candidate, roomsOf } from '../../../gateway/core/rooms.ts';
import { boardSessions, cosigned, nothing, type PeerState, peers, pendings, usageSeen, wanted } from '../../../gateway/core/tables.ts';
import { touchAll, touched } from '../../../gateway/core/touched.ts';
import { sendDesired } from '../../../gateway/service/desired.ts';
import type { Effect, Service } from '../../../gateway/service/events.ts';
import { dropSessions } from '../../../gateway/service/sessions.ts';
import { unpackZstd } from '../../../runtime/adapters/zstd.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { usageNoun } from '../../../runtime/protocol/nouns/board.ts';
import type { Instant } from '../../../runtime/turn/clock.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import type { Range } from '../../../runtime/turn/store.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { OPERATOR } from '../../support/federation.ts';
import { type Node, SILENCE_MS } from '../../support/gateway-world.ts';

type Work = Draft<Effect>;

/** Volatile tables of another draft, as far as they are asked for. */
class Remembered extends Map<string, Map<string, unknown>> {
  readonly #work: Work;

  constructor(work: Work) {
    super();
    this.#work = work;
  }

  override get(table: string): Map<string, unknown> {
    const held = super.get(table) ?? new Map(this.#work.recallAll(table));
    this.set(table, held);
    return held;
  }
}

/** Reads what `work` holds; what is written to it stays in it. */
export const copyOf = (work: Work): Work => {
  const range = ({ from, to, limit, reverse }: Range) => {
    const rows = work.scan(to.slice(0, -1)).filter(({ key }) => key >= from && key < to);
    return (reverse ? rows.reverse() : rows).slice(0, limit).map(({ key, value }) => ({ key, row: { version: 1, value } }));
  };
  return new Draft<Effect>({ get: (key) => ({ version: 1, value: work.get(key) }), range, fetch: () => {} }, new Remembered(work));
};

const emitted = (work: Work): string[] => {
  work.keep();
  return work.effects.map((effect) => JSON.stringify(effect, (_key, value) => (value instanceof Uint8Array ? hex(value) : value))).sort();
};

const contextOf = (node: Node): Context => ({
  ...{ crypto: testCrypto, signer: keyOf(node.name), me: node.id, operator: OPERATOR, silenceMs: SILENCE_MS },
});

export const serviceOf = (node: Node): Service => ({
  ...contextOf(node),
  ...{
    name: node.name,
    region: 'north',
    address: '',
    unpack: unpackZstd,
    entropy: () => new Uint8Array(),
    software: 'test',
    contentBytes: LIMITS.contentBytes,
    ledgerEntries: Number.MAX_SAFE_INTEGER,
  },
});

/** What is found by either look. */
export interface Looks {
  touched: unknown;
  full: unknown;
}

const leased = (work: Work, context: Context, now: Instant): string[] =>
  placements(work, context, touched(work), now).map(({ lease, board, index }) => `${index} on ${board}: ${lease}`);

const placed = (node: Node, work: Work, now: Instant): Looks => {
  const [some, all] = [copyOf(work), copyOf(work)];
  touchAll(all);
  return { touched: leased(some, contextOf(node), now), full: leased(all, contextOf(node), now) };
};

const roomy = (candidate: Candidate): unknown => ({ ...candidate, binding: candidate.binding.version, held: [...candidate.held].sort() });

const rooms = (node: Node, work: Work, now: Instant): Looks => {
  const [some, all] = [copyOf(work), copyOf(work)];
  touchAll(all);
  for (const copy of [some, all]) agendaOf(copy, contextOf(node), touched(copy), now);
  const [a, b] = [some, all].map((copy) => [...roomsOf(copy, contextOf(node), now).emptiest.entries()].map(([, of]) => roomy(of)));
  return { touched: a, full: b };
};

const told = (node: Node, work: Work): Looks => {
  const service = serviceOf(node);
  const [some, all] = [copyOf(work), copyOf(work)];
  const boards = boardsTouched(some, touched(some));
  for (const board of boards) sendDesired(some, service, board);
  dropSessions(some, service, boards);
  for (const { key } of boardSessions.all(all)) sendDesired(all, service, key);
  dropSessions(all, service, null);
  return { touched: emitted(some), full: emitted(all) };
};

/** Boards that could be told of more that is replicated, and were not. */
const unacknowledged = (work: Work): Looks => ({
  touched: [],
  full: boardSessions
    .all(work)
    .filter(({ key, value }) => replicatedOf(work, key) > Number(work.recall('told', value) ?? 0))
    .map(({ key }) => key),
});

/** Peers that lack some of this gateway's own log, as far as it is signed, though nobody means to look at them. */
const unsynced = (node: Node, work: Work): Looks => {
  const lacks = ({ vector, sent }: PeerState): boolean => signedSize(work, node.id) > Math.max(vector[node.id] ?? 0, sent[node.id] ?? 0);
  const behind = peers.all(work).filter(({ value }) => value.up && value.heard && lacks(value));
  return { touched: [], full: behind.map(({ key }) => key).filter((key) => work.recall('asking', key) === undefined) };
};

/** Tables that are called empty and are not. */
const called = (work: Work): Looks => ({
  touched: [],
  full: [
    nothing.get(work, 'pending') === null ? [] : pendings.all(work).map(({ key }) => key),
    nothing.get(work, 'wanted') === null ? [] : wanted.all(work).map(({ key }) => key),
  ].flat(),
});

/** By the logs themselves: a record is held twice if it stands in another's, or below a head that a peer countersigned. */
const replicated = (node: Node, work: Work): Looks => {
  const copied = Math.max(0, ...cosigned.all(work).map(({ value }) => value.size));
  const held = new Map<string, number>();
  for (const author of Object.keys(vectorOf(work)))
    for (const { kind, seq: place, body } of node.world.nodes.find(({ id }) => id === author) === undefined
      ? []
      : node.log(author as Node['id'])) {
      if (kind !== 'usage' || (author === node.id && place >= copied)) continue;
      const { value, hash } = unseal(testCrypto, usageNoun, body);
      if (usageSeen.get(work, value.board, hex(hash)) !== null) held.set(value.board, Math.max(value.seq, held.get(value.board) ?? 0));
    }
  const boards = [...held.keys()].sort();
  return { touched: boards.map((board) => replicatedOf(work, board)), full: boards.map((board) => held.get(board)) };
};

/** Sizes as the rows say them, beside those that are remembered. */
const sizes = (node: Node, work: Work): Looks => {
  const authors = node.world.nodes.map(({ id }) => id);
  return { touched: authors.map((id) => sizeOf(work, id)), full: authors.map((id) => node.log(id).length) };
};

/** At the end of a turn: every look of the touched, beside the full one. */
export const looks = (node: Node): Record<string, Looks> => {
  const now = node.world.clock.now();
  return node.inside((work) => ({
    placed: placed(node, work, now),
    // What was over by a clock that was ahead is not.
    'placed by a clock set back': placed(node, work, { ...now, wallMs: now.wallMs - 3000 }),
    rooms: rooms(node, work, now),
    told: told(node, work),
    acknowledged: unacknowledged(work),
    synced: unsynced(node, work),
    called: called(work),
  }));
};

/** What costs a walk through all logs. */
export const walks = (node: Node): Record<string, Looks> =>
  node.inside((work) => ({ replicated: replicated(node, work), sizes: sizes(node, work) }));
