/** What stands in the gateways' logs, as far as bills depend on it: each entry once, wherever it is kept. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { closeSchema, pairSchema, type Vector } from '../../runtime/protocol/nouns/log.ts';
import { bindingNoun, requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { believing, orNull } from './archive.ts';
import type { Court } from './court.ts';
import { type EntryGlance, glanceEntry, markOf } from './glance.ts';
import type { Records } from './records.ts';
import type { GatewayCase } from './scene.ts';

export interface Logs {
  kept(atMs: number, gateway: GatewayCase, entry: Bytes): void;
  /** Its disk is as it was at this moment; null: empty. What it wrote since and no other gateway holds stands nowhere, and it may write others there. */
  forgot(gateway: GatewayCase, backToMs: number | null): void;
  /** When a close of this period was first on a disk; null: never. */
  closedMs(period: number): number | null;
  /** The period of the first close that a gateway itself logged from this moment on; null: none. */
  closedBy(gateway: string, sinceMs: number): number | null;
  /** How many gateways have closed this period: of several closes the fullest counts. */
  closersOf(period: number): number;
  /** Since when a gateway's disk holds a request, by its hash; null: it does not. */
  heldSince(request: string, gateway: GatewayCase): number | null;
  /** Some disk held it at some time. */
  wasHeld(request: string): boolean;
  /** `lease/<id>`, `request/<hash>`, `voucher/<hash>`, `binding/<board>/<version>`, `pair/<board>`. */
  counts(name: string, vector: Vector): boolean;
  /** In the log of this one. */
  countsOf(author: string, name: string, vector: Vector): boolean;
}

type Namer = (body: Bytes) => string | null;

export const openLogs = (court: Court, records: Records): Logs => {
  const { archive, scene, docket } = court;
  const trusting = believing(court.crypto);
  /** Author → marks of its entries, and when it wrote them. */
  const authors = new Map<string, (number | undefined)[]>();
  const written = new Map<string, number[]>();
  /** Author → how many of its entries some other gateway holds. */
  const shared = new Map<string, number>();
  const places = new Map<string, [author: string, seq: number][]>();
  /** Author and place of a request → since when which gateways hold it. */
  const holders = new Map<string, Map<GatewayCase, number>>();
  const closes = new Map<number, number>();
  const closers = new Map<number, Set<string>>();
  const own = new Map<string, { period: number; atMs: number }[]>();

  const NAMERS: Record<string, Namer> = {
    lease: (body) => {
      const lease = archive.lease(body);
      return lease === null ? null : `lease/${lease.id}`;
    },
    request: (body) => `request/${hex(unseal(trusting, requestNoun, body).hash)}`,
    voucher: (body) => `voucher/${hex(unseal(trusting, voucherNoun, body).hash)}`,
    binding: (body) => {
      const { board, version } = unseal(trusting, bindingNoun, body).value;
      return `binding/${board}/${version}`;
    },
    pair: (body) => `pair/${decodeAs(pairSchema, body, 'pair').board}`,
  };

  const noteName = ({ author, seq, kind, body }: EntryGlance): void => {
    const name = orNull(() => NAMERS[kind]?.(body) ?? null);
    if (name === null) return;
    const held = places.get(name);
    if (held === undefined) places.set(name, [[author, seq]]);
    else if (!held.some(([other]) => other === author)) held.push([author, seq]);
  };

  /** False: known. */
  const isNew = (atMs: number, { author, seq }: EntryGlance, mark: number): boolean => {
    const marks = authors.get(author) ?? [];
    authors.set(author, marks);
    const known = marks[seq];
    if (known === undefined) {
      marks[seq] = mark;
      const moments = written.get(author) ?? [];
      written.set(author, moments);
      moments[seq] = atMs;
    } else if (known !== mark) {
      const gateway = scene.gateway(author);
      gateway.isOutcast = true;
      if (!gateway.lies && gateway.forgotMs === null)
        docket.accuse('forked-log', atMs, author, `there are two entries at place ${seq} of its log`);
    }
    return known === undefined;
  };

  const countsOf = (author: string, name: string, vector: Vector): boolean =>
    (places.get(name) ?? []).some(([by, seq]) => by === author && seq < (vector[by] ?? 0));

  return {
    kept: (atMs, gateway, bytes) => {
      const entry = glanceEntry(bytes);
      if (entry === null) return;
      const { kind, body } = entry;
      const mark = kind === 'usage' ? records.kept(atMs, gateway, body) : null;
      const first = isNew(atMs, entry, mark ?? markOf(body));
      if (gateway.id !== entry.author) shared.set(entry.author, Math.max(entry.seq + 1, shared.get(entry.author) ?? 0));
      if (kind === 'pair') {
        const board = orNull(() => decodeAs(pairSchema, body, 'pair').board);
        if (board !== null && !gateway.pairs.has(board)) gateway.pairs.set(board, atMs);
      }
      if (kind === 'request') {
        const held = holders.get(`${entry.author} ${entry.seq}`) ?? new Map<GatewayCase, number>();
        holders.set(`${entry.author} ${entry.seq}`, held.set(gateway, atMs));
      }
      if (!first || kind === 'usage') return;
      if (kind === 'close') {
        const period = orNull(() => decodeAs(closeSchema, body, 'close').period);
        if (period === null) return;
        if (!closes.has(period)) closes.set(period, atMs);
        closers.set(period, (closers.get(period) ?? new Set()).add(entry.author));
        own.set(entry.author, [...(own.get(entry.author) ?? []), { period, atMs }]);
      } else noteName(entry);
    },
    forgot: ({ id }, backToMs) => {
      const [marks, moments] = [authors.get(id) ?? [], written.get(id) ?? []];
      let size = shared.get(id) ?? 0;
      while (size < marks.length && (moments[size] ?? 0) <= (backToMs ?? -1)) size++;
      marks.length = Math.min(marks.length, size);
      moments.length = marks.length;
      for (const [name, held] of places)
        places.set(
          name,
          held.filter(([author, seq]) => author !== id || seq < size),
        );
    },
    closedMs: (period) => closes.get(period) ?? null,
    closedBy: (gateway, sinceMs) => own.get(gateway)?.find(({ atMs }) => atMs >= sinceMs)?.period ?? null,
    closersOf: (period) => closers.get(period)?.size ?? 0,
    heldSince: (request, gateway) => {
      const since = (places.get(`request/${request}`) ?? []).flatMap(
        ([author, seq]) => holders.get(`${author} ${seq}`)?.get(gateway) ?? [],
      );
      const kept = since.filter((atMs) => gateway.forgotMs === null || atMs > gateway.forgotMs);
      return kept.length === 0 ? null : Math.min(...kept);
    },
    wasHeld: (request) => places.has(`request/${request}`),
    counts: (name, vector) => Object.keys(vector).some((author) => countsOf(author, name, vector)),
    countsOf,
  };
};
