/**
 * A day in a small federation, told to a judge fact by fact: three gateways, boards, one tenant. Left alone it breaks no
 * promise; a test bends it at one place.
 */

import { absorb, newBook } from '../../../gateway/core/book.ts';
import { closePeriod as closeBooks, newLedger } from '../../../gateway/core/ledger.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId } from '../../../runtime/protocol/ids.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { decodeStatement, encodeStatement, type Statement } from '../../../runtime/protocol/nouns/billing.ts';
import { helloNoun, homeNoun, type Offer, type Registers, reportNoun, type Usage } from '../../../runtime/protocol/nouns/board.ts';
import { ackNoun, type ChainPoint, desiredNoun, type Lease, nowNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { type Close, closeSchema, type EntryKind, entryBytes, type LogEntry } from '../../../runtime/protocol/nouns/log.ts';
import { usageBatch } from '../../../runtime/protocol/nouns/messages.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import type { JudgeLimits } from '../../../sim/oracle/bounds.ts';
import { createJudge } from '../../../sim/oracle/judge.ts';
import type { Counted, EndReason, Judge } from '../../../sim/oracle/physics.ts';
import { keyOf, remembering, testCrypto } from '../../support/crypto.ts';
import {
  type Fact,
  GATEWAYS,
  groundwork,
  idOf,
  type LeaseChoice,
  lease,
  type Point,
  pair,
  payloadHash,
  RELEASE,
  signedBinding,
  signedLease,
  signedRequest,
  usageChain,
} from '../../support/federation.ts';

export const START_MS = 1_700_000_000_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const ARGS = ['/usr/bin/node'];
export const PACE: Partial<JudgeLimits> = {
  recordMs: 10 * MINUTE,
  meterMs: MINUTE,
  startsMs: START_MS,
  silenceMs: 3 * MINUTE,
  settleMs: 5 * MINUTE,
};

const crypto = remembering(testCrypto);
const MIB = 1_048_576n;
const ENFORCES = { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true };
const OFFER: Offer = {
  tier: 'full',
  arch: 'x64',
  memoryMib: 512,
  cpuMillis: 4000,
  partitions: 8,
  enforces: ENFORCES,
  grants: ['gpio'],
  engine: 'crun',
  model: '',
};

/** Each program uses a tenth of a core, 16 MiB, and 1 byte in, 2 out and 3 to disk for each ms. */
export const usedIn = (ms: number): Counted => {
  const time = BigInt(ms);
  return { cpuMicros: 100n * time, memoryByteMs: 16n * MIB * time, netInBytes: time, netOutBytes: 2n * time, diskBytes: 3n * time };
};

const registersAfter = (ms: number): Registers => {
  const { cpuMicros, memoryByteMs, netInBytes, netOutBytes, diskBytes } = usedIn(ms);
  return { ...ZERO, wallMs: BigInt(ms), cpuMicros, memoryMibS: memoryByteMs / (MIB * 1000n), netInBytes, netOutBytes, diskBytes };
};

export class DayBoard {
  readonly name: string;
  readonly id: BoardId;
  readonly #day: Day;
  /** Where the chain ends. */
  end: ChainPoint = { seq: 0, hash: new Uint8Array(32) };
  /** Written and not brought anywhere. */
  outbox: Fact[] = [];
  home = '';
  #seq = 0;
  #tenure = 0;
  readonly #runs = new Map<string, number>();
  /** What a lease's registers stand for, ms. */
  readonly metered = new Map<string, number>();

  constructor(day: Day, name: string) {
    this.#day = day;
    this.name = name;
    this.id = idOf<BoardId>(name);
  }

  get #at(): number {
    return this.#day.atMs;
  }

  get #judge(): Judge {
    return this.#day.judge;
  }

  power(on: boolean): this {
    this.#judge.powered(this.#at, this.id, on);
    return this;
  }

  reach(can: boolean): this {
    this.#judge.reachable(this.#at, this.id, can);
    return this;
  }

  card(what: Parameters<Judge['cardFault']>[2]): this {
    this.#judge.cardFault(this.#at, this.id, what);
    return this;
  }

  say(topic: string, payload: Bytes, gateway = this.home): this {
    this.#judge.heard(this.#at, this.id, idOf(gateway), topic, payload);
    return this;
  }

  hear(topic: string, payload: Bytes, gateway = this.home): this {
    this.#judge.heard(this.#at, idOf(gateway), this.id, topic, payload);
    return this;
  }

  hello(gateway: string, offer: Partial<Offer> = {}): this {
    const id = idOf<GatewayId>(gateway);
    if (gateway !== this.home) this.#tenure++;
    this.#seq = gateway === this.home ? this.#seq : 0;
    this.home = gateway;
    const home = seal(homeNoun, { v: 1, board: this.id, tenure: this.#tenure, gateway: id }, keyOf(this.name));
    const parts = { speaks: { min: 1, max: 1 }, software: 'test', bootId: 'boot', nonce: new Uint8Array(16), head: this.end };
    return this.say('hello', seal(helloNoun, { v: 1, board: this.id, ...parts, home, offer: { ...OFFER, ...offer } }, keyOf(this.name)));
  }

  /** Finds a home. */
  welcome(gateway = 'gateway a', offer: Partial<Offer> = {}): this {
    this.hello(gateway, offer);
    const now = { nonce: new Uint8Array(16), speaks: 1, wallMs: START_MS + this.#at, known: this.end, proof: null, operators: [] };
    return this.hear('now', seal(nowNoun, { v: 1, board: this.id, gateway: idOf<GatewayId>(gateway), ...now }, keyOf(gateway)));
  }

  /** What is not named is taken away. */
  assign(leases: Lease[], asked: Fact = signedRequest(), by = this.home): this {
    const desired = {
      ...{ v: 1 as const, board: this.id, gateway: idOf<GatewayId>(by), tenure: Math.max(1, this.#tenure), seq: ++this.#seq },
      leases: leases.map((one) => ({ lease: this.#day.leased(one), request: payloadHash(asked.body) })),
    };
    return this.hear('desired', seal(desiredNoun, desired, keyOf(by)), by);
  }

  report(): this {
    return this.say(
      'report',
      seal(reportNoun, { v: 1, board: this.id, bootId: 'boot', monoMs: this.#at, instances: [] }, keyOf(this.name)),
    );
  }

  /** Signs a record and keeps it. */
  write(of: Lease, kind: Usage['kind'], changes: Partial<Point> = {}): Fact {
    const registers = registersAfter(this.metered.get(of.lease) ?? 0);
    const point: Point = { lease: of.lease, kind, wallMs: START_MS + this.#at, monoMs: this.#at, registers, ...changes };
    const [record] = usageChain(this.name, [point], this.end);
    if (record === undefined) throw new Error('no record');
    this.end = { seq: this.end.seq + 1, hash: payloadHash(record.body) };
    this.outbox.push(record);
    if (this.#day.tellsWrites) this.#judge.wrote(this.#at, this.id, record.body);
    return record;
  }

  begin(of: Lease, content: Bytes = RELEASE, args: string[] = ARGS): this {
    this.#runs.set(of.lease, this.#at);
    this.#judge.began(this.#at, this.id, of.lease, content, args);
    return this;
  }

  /** Accepts a lease, and its program begins. */
  open(of: Lease): this {
    this.write(of, 'open');
    return this.begin(of);
  }

  /** The registers are as the counters now. */
  meter(of: Lease): this {
    const beganMs = this.#runs.get(of.lease);
    const before = this.metered.get(of.lease) ?? 0;
    if (beganMs !== undefined) this.metered.set(of.lease, before + this.#at - beganMs);
    this.#runs.set(of.lease, this.#at);
    this.#day.running.set(of.lease, (this.#day.running.get(of.lease) ?? 0) + this.#at - (beganMs ?? this.#at));
    return this;
  }

  record(of: Lease): this {
    this.meter(of).write(of, 'point');
    return this;
  }

  /** The program is over; what it used since the last `meter` is counted, and metered unless the power went. */
  finish(of: Lease, why: EndReason): this {
    const beganMs = this.#runs.get(of.lease) ?? this.#at;
    this.#runs.delete(of.lease);
    const ms = (this.#day.running.get(of.lease) ?? 0) + this.#at - beganMs;
    this.#day.running.delete(of.lease);
    if (why !== 'power') this.metered.set(of.lease, (this.metered.get(of.lease) ?? 0) + this.#at - beganMs);
    this.#judge.ended(this.#at, this.id, of.lease, why, usedIn(ms));
    return this;
  }

  close(of: Lease): this {
    this.finish(of, 'stopped').write(of, 'close');
    return this;
  }

  /** Brings its outbox to a gateway, which keeps it and passes it on to those that hear it. */
  deliver(gateway = this.home, keepers = this.#day.alive): this {
    const records = this.outbox;
    this.outbox = [];
    if (records.length === 0) return this;
    this.say('usage', encodeAs(usageBatch, { v: 1, records: records.map(({ body }) => body) }, 'usage'), gateway);
    for (const { body } of records) this.#day.log(gateway, 'usage', body, keepers);
    return this;
  }

  ack(storedSeq = this.end.seq, replicated = this.end.seq, gateway = this.home): this {
    const stored = { seq: storedSeq, hash: this.end.hash };
    return this.hear(
      'ack',
      seal(ackNoun, { v: 1, board: this.id, gateway: idOf<GatewayId>(gateway), stored, replicated }, keyOf(gateway)),
      gateway,
    );
  }
}

export class Day {
  readonly judge: Judge;
  atMs = 0;
  /** Whether the world tells what boards write before anybody hears it. */
  tellsWrites = true;
  alive = [...GATEWAYS];
  readonly logs = new Map<string, LogEntry[]>();
  readonly #ledger = newLedger(newBook());
  readonly #absorbed = new Map<string, number>();
  readonly #leases = new Map<string, Bytes>();
  #closes = 0;
  statements: Bytes[] = [];
  /** ms that the present run of a lease has been counted for. */
  readonly running = new Map<string, number>();

  constructor(limits: Partial<JudgeLimits> = {}) {
    this.judge = createJudge({ crypto, limits: { ...PACE, ...limits } });
    for (const gateway of GATEWAYS) this.judge.gateway(0, idOf(gateway), 'up');
    for (const { kind, body } of groundwork([])) {
      this.judge.signed(body);
      this.log('gateway a', kind, body);
    }
  }

  pass(ms: number): this {
    this.atMs += ms;
    return this;
  }

  log(author: string, kind: EntryKind, body: Bytes, keepers = this.alive): this {
    const log = this.logs.get(author) ?? [];
    this.logs.set(author, log);
    const entry: LogEntry = { v: 1, author: idOf<GatewayId>(author), seq: log.length, wallMs: START_MS + this.atMs, kind, body };
    log.push(entry);
    const bytes = entryBytes(entry);
    for (const keeper of keepers) this.judge.kept(this.atMs, idOf(keeper), bytes);
    return this;
  }

  sign(fact: Fact, gateway = 'gateway a'): Fact {
    this.judge.signed(fact.body);
    this.log(gateway, fact.kind, fact.body);
    return fact;
  }

  /** A board with power and a home. */
  board(name: string, can: Partial<Parameters<Judge['built']>[2]> = {}): DayBoard {
    const board = new DayBoard(this, name);
    this.judge.built(this.atMs, board.id, { tier: 'full', grants: ['links', 'gpio'], ...ENFORCES, ...can });
    this.log('gateway a', 'pair', pair(name).body);
    this.sign(signedBinding(name));
    board.power(true).welcome();
    return board;
  }

  lease(choice: LeaseChoice): Lease {
    const made = lease(choice);
    const { guardianName = 'gateway a' } = choice;
    const document = signedLease(made, guardianName).body;
    this.#leases.set(made.lease, document);
    this.log(guardianName, 'lease', document);
    return made;
  }

  leased(of: Lease): Bytes {
    return this.#leases.get(of.lease) ?? signedLease(of).body;
  }

  dies(gateway: string): this {
    this.alive = this.alive.filter((one) => one !== gateway);
    this.judge.gateway(this.atMs, idOf(gateway), 'dead');
    return this;
  }

  forgets(gateway: string, backToMs: number | null = null): this {
    this.judge.forgot(this.atMs, idOf(gateway), backToMs);
    return this;
  }

  /** Closes a period over everything that these logs hold. `bend` makes another statement of the right one. */
  closePeriod(bend: (statement: Statement) => Statement = (statement) => statement, by = this.alive[0] ?? ''): this {
    const vector = Object.fromEntries([...this.logs].map(([author, log]) => [idOf(author), log.length]));
    const close: Close = { v: 1, period: ++this.#closes, vector, closedMs: START_MS + this.atMs };
    for (const [author, log] of this.logs) {
      for (const entry of log.slice(this.#absorbed.get(author) ?? 0)) absorb(crypto, this.#ledger.book, entry);
      this.#absorbed.set(author, log.length);
    }
    const { bytes } = closeBooks(crypto, this.#ledger, close);
    const previous = this.statements.at(-1);
    const stated = decodeStatement(bytes);
    this.statements.push(
      encodeStatement(bend({ ...stated, previous: previous === undefined ? stated.previous : crypto.sha256(previous) })),
    );
    return this.log(by, 'close', encodeAs(closeSchema, close, 'close'));
  }

  /** The end; every living gateway states the same, unless told otherwise. */
  settle(statements: Map<string, Bytes[]> = new Map(this.alive.map((name) => [idOf(name), this.statements]))): this {
    this.judge.settled(this.atMs, statements);
    return this;
  }

  get stated(): Statement[] {
    return this.statements.map(decodeStatement);
  }

  get codes(): string[] {
    return [...new Set(this.judge.violations.map(({ code }) => code))].sort();
  }

  get found(): string[] {
    return this.judge.violations.map(({ code, what }) => `${code}: ${what}`);
  }
}

/** A request as the tenant signed it, told and logged. */
export const asked = (day: Day, changes: Partial<Request>): Fact => day.sign(signedRequest(changes));
