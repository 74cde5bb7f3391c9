/**
 * Two boards never run one instance: real guardians and a board's own reckoning, with clocks that go as wrong as they may,
 * messages that come as late as they like, guardians that restart, and logs that come when they come.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Context } from '../../../gateway/core/context.ts';
import { beginGrants, grantAll } from '../../../gateway/core/grants.ts';
import { boards, leaseIndex, leases, operators, requests } from '../../../gateway/core/tables.ts';
import { holdsUntil } from '../../../runtime/core/hold.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { Draft, type Memory } from '../../../runtime/turn/draft.ts';
import { ordinal } from '../../../runtime/turn/table.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { GATEWAYS, hashOf, idOf, lease, OPERATOR, OWNER, operatorDoc, request } from '../../support/federation.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';
import { runs } from '../../support/properties.ts';

const MILLION = 1_000_000;
const BOARDS = ['board 1', 'board 2'];
const leasesOf = (guardians: number): Lease[] =>
  BOARDS.map((on, i) => {
    const guarded = { leaseMs: LIMITS.leaseMs, guardians: GATEWAYS.slice(0, guardians).map((name) => idOf<GatewayId>(name)) };
    return lease({ on, term: i + 1, onIsolation: 'stop', guarded });
  });

/** A guardian's core over its store; its clock begins with each of its lives, and goes wrong. */
class Guardian {
  readonly context: Context;
  #disk = new MemoryDisk();
  readonly #ppm: number;
  #memory: Memory = new Map();
  #beganMs = 0;
  #lives = 0;

  constructor(name: string, ppm: number) {
    this.context = { crypto: testCrypto, signer: keyOf(name), me: idOf<GatewayId>(name), operator: OPERATOR, silenceMs: 1 };
    this.#ppm = ppm;
    this.lose(0);
  }

  /** With an empty store, into which the logs have come again. */
  lose(atMs: number): void {
    this.#disk = new MemoryDisk();
    this.restart(atMs);
    this.#turn(atMs, (rows) => {
      const doc = operatorDoc();
      operators.put(rows, { doc, documents: [], listed: doc.gateways.map(({ gateway, key }) => ({ gateway, key })) }, OPERATOR);
      const asked = request({ onIsolation: 'stop' });
      requests.put(rows, { doc: asked, hash: hashOf(requestNoun, asked) }, lease({ on: 'board 1' }).request);
      for (const on of BOARDS) {
        const board = { key: keyOf(on).publicKey, keyVersion: 0, formerKeys: [], owner: OWNER, home: null, offer: null };
        boards.put(rows, { ...board, here: true, sinceMs: 0, quarantined: false }, idOf(on));
      }
    });
  }

  /** A lease comes with a log. */
  learn(doc: Lease, atMs: number): void {
    this.#turn(atMs, (rows) => {
      leases.put(rows, { doc, document: new Uint8Array(), signer: keyOf('gateway a').publicKey, opened: true, closed: false }, doc.lease);
      leaseIndex.put(rows, {}, doc.request, ordinal(doc.index), ordinal(doc.term), doc.lease);
    });
  }

  grants(doc: Lease, atMs: number): boolean {
    return this.#turn(atMs, (rows, now) => grantAll(rows, this.context, doc.board, [doc.lease], now)).length > 0;
  }

  restart(atMs: number): void {
    this.#memory = new Map();
    this.#beganMs = atMs;
    this.#lives++;
    this.#turn(atMs, (rows, now) => beginGrants(rows, now));
  }

  #turn<T>(atMs: number, act: (rows: Draft<never>, now: { wallMs: number; monoMs: number }) => T): T {
    const owner = `life ${this.#lives}`;
    const store = openMemoryStore({ disk: this.#disk, owner });
    const draft = new Draft<never>(store.snapshot(), this.#memory);
    // Nobody may go by the wall clock.
    const result = act(draft, { wallMs: 0, monoMs: (atMs - this.#beganMs) * (1 + this.#ppm / MILLION) });
    draft.keep();
    if (draft.hasRows()) store.commit(draft.toCommit(owner), () => {});
    return result;
  }
}

type Deed =
  | { kind: 'ask'; board: number; guardian: number; thereMs: number; backMs: number }
  | { kind: 'restart'; guardian: number }
  | { kind: 'lose'; guardian: number }
  | { kind: 'learn'; guardian: number };

const guardian = fc.nat(2);
/** A second, or most of a minute. */
const delay = fc.oneof({ weight: 4, arbitrary: fc.nat(1000) }, { weight: 1, arbitrary: fc.nat(50_000) });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 40, arbitrary: fc.record({ kind: fc.constant('ask' as const), board: fc.nat(1), guardian, thereMs: delay, backMs: delay }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), guardian }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), guardian }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('learn' as const), guardian }) },
);
const ppm = fc.integer({ min: -LIMITS.clockPpm, max: LIMITS.clockPpm });

/** What a board believes: for each guardian when the renewal that it granted was sent, by the board's own clock. */
interface Believer {
  doc: Lease;
  ppm: number;
  asked: Map<string, number>;
  /** True moments at which it may run, each up to when all of it is over. */
  spans: { fromMs: number; toMs: number }[];
}

interface Later {
  atMs: number;
  act: () => void;
}

/** What it hears of first is the older lease. */
const bereave = (guardian: Guardian | undefined, believers: Believer[], atMs: number): void => {
  guardian?.lose(atMs);
  guardian?.learn(believers[0]!.doc, atMs);
};

const play = (guardians: Guardian[], believers: Believer[], deeds: (Deed & { afterMs: number })[]): void => {
  const queue: Later[] = [];
  let atMs = 0;
  for (const one of deeds) {
    atMs += one.afterMs;
    const beganMs = atMs;
    if (one.kind === 'restart') queue.push({ atMs, act: () => guardians[one.guardian]?.restart(beganMs) });
    else if (one.kind === 'lose') queue.push({ atMs, act: () => bereave(guardians[one.guardian], believers, beganMs) });
    else if (one.kind === 'learn') queue.push({ atMs, act: () => guardians[one.guardian]?.learn(believers[1]!.doc, beganMs) });
    else {
      const [by, of] = [guardians[one.guardian], believers[one.board]!];
      const [thereMs, backMs] = [atMs + one.thereMs, atMs + one.thereMs + one.backMs];
      if (by === undefined) continue;
      queue.push({
        atMs: thereMs,
        act: () => {
          if (!by.grants(of.doc, thereMs)) return;
          queue.push({ atMs: backMs, act: () => believe(of, by.context.me, beganMs, backMs) });
        },
      });
    }
  }
  while (queue.length > 0) {
    queue.sort((a, b) => a.atMs - b.atMs);
    queue.shift()?.act();
  }
};

const believe = (believer: Believer, by: string, askedMs: number, nowMs: number): void => {
  const { asked, doc, spans } = believer;
  const quartz = 1 + believer.ppm / MILLION;
  asked.set(by, Math.max(asked.get(by) ?? Number.NEGATIVE_INFINITY, askedMs * quartz));
  const untilMs = holdsUntil(doc.guarded!, asked) / quartz;
  if (untilMs > nowMs) spans.push({ fromMs: nowMs, toMs: untilMs + LIMITS.killMs });
};

test('whatever happens [guardians-7]', () => {
  const deeds = fc.array(
    fc.tuple(deed, delay).map(([one, afterMs]) => ({ ...one, afterMs })),
    { minLength: 60, maxLength: 120 },
  );
  let ranBoth = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.tuple(ppm, ppm, ppm), fc.tuple(ppm, ppm), deeds, (count, ppms, quartzes, script) => {
      const [one, two] = leasesOf(count) as [Lease, Lease];
      const guardians = GATEWAYS.slice(0, count).map((name, i) => new Guardian(name, ppms[i] ?? 0));
      for (const each of guardians) each.learn(one, 0);
      const believers = [one, two].map((doc, i): Believer => ({ doc, ppm: quartzes[i] ?? 0, asked: new Map(), spans: [] }));
      play(guardians, believers, script);
      const [a, b] = believers as [Believer, Believer];
      const overlaps = a.spans.filter((x) => b.spans.some((y) => x.fromMs < y.toMs && y.fromMs < x.toMs));
      if (a.spans.length > 0 && b.spans.length > 0) ranBoth++;
      expect(overlaps).toEqual([]);
    }),
    runs(400),
  );
  // It was tried: often enough both of them ran, one after the other.
  expect(ranBoth).toBeGreaterThan(5);
});
