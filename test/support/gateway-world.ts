/**
 * Gateways as cores with stores in memory, joined by wires that carry real peer frames. Nothing is delivered by itself:
 * a test says which wire moves, which is cut, and when time passes.
 */

import type { ApiAnswer, ApiInput, Effect, Event, Service } from '../../gateway/service/events.ts';
import { gatewayCore } from '../../gateway/service/gateway.ts';
import { heldUnder } from '../../gateway/service/pieces.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import type { DecidedCall } from '../../runtime/protocol/api.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../runtime/protocol/claim.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { GatewayId, OwnerId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { ackNoun } from '../../runtime/protocol/nouns/lease.ts';
import { entrySchema, type LogEntry, type PeerFrame, peerFrame } from '../../runtime/protocol/nouns/log.ts';
import { type Answer, answer as answerSchema, chunk } from '../../runtime/protocol/nouns/messages.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import { keyOf, remembering } from './crypto.ts';
import { GATEWAYS, idOf, OPERATOR, OWNER, signedOperator } from './federation.ts';
import { MemoryDisk, openMemoryStore } from './memory-store.ts';
import { type Driven, drive, type ManualClock, manualClock, seededEntropy } from './world.ts';

export const SILENCE_MS = 3000;

/** The same few documents are verified by every gateway; nobody here asks whether verifying verifies. */
const crypto = remembering(nodeCrypto);

/** Rows that follow from the logs alone, and so must be the same everywhere. */
const SHARED = [
  ...[
    'log/',
    'frontier/',
    'operator/',
    'publisher/',
    'document/',
    'party/',
    'board/',
    'binding/',
    'request/',
    'voucher/',
    'share/',
    'manifest/',
  ],
  ...['lease/', 'lease-of/', 'usage-head/', 'usage-seen/', 'close/'],
];

/** What takes what a gateway sends over one session. */
export interface Client {
  hear(topic: TopicName, payload: Bytes): void;
  dropped(error: LichenError): void;
}

export class Node {
  readonly name: string;
  readonly id: GatewayId;
  readonly world: GatewayWorld;
  disk = new MemoryDisk();
  readonly journal: string[] = [];
  readonly clients = new Map<string, Client>();
  /** Peers that it asks its links to keep up. */
  reached: GatewayEntry[] = [];
  /** Messages settled with an error. */
  readonly unsettled: LichenError[] = [];
  driven: Driven<Event, Effect>;
  #answers = new Map<number, ApiAnswer | LichenError>();
  #pairings = new Map<number, unknown>();
  #count = 0;
  #service: Service;
  #life = 0;
  running = true;
  /** By which its wall clock is ahead of the world's. */
  clockErrorMs = 0;
  #look: (work: Draft<Effect>) => void = () => {};
  /** Its memory bears the fold of so many log entries. */
  set ledgerEntries(entries: number) {
    this.#service.ledgerEntries = entries;
  }
  /** Before each event is decided. */
  before: (work: Draft<Effect>, event: Event, now: Instant) => void = () => {};
  /** Whether it goes on by itself with what takes more than a turn. */
  goesOn = true;
  /** How often it said that it would. */
  goings = 0;

  constructor(world: GatewayWorld, name: string) {
    this.world = world;
    this.name = name;
    this.id = idOf<GatewayId>(name);
    const entropy = seededEntropy(name);
    this.#service = {
      ...{
        crypto,
        signer: keyOf(name),
        me: this.id,
        operator: OPERATOR,
        silenceMs: SILENCE_MS,
        name,
        region: 'north',
        address: `${name}:1`,
      },
      ...{ unpack: unpackZstd, entropy: (length) => entropy.bytes(length), software: 'test', contentBytes: world.contentBytes },
      ledgerEntries: Number.MAX_SAFE_INTEGER,
    };
    this.driven = this.#start();
  }

  #start(): Driven<Event, Effect> {
    const life = ++this.#life;
    const { clock } = this.world;
    const own = { ...clock, now: () => ({ ...clock.now(), wallMs: clock.now().wallMs + this.clockErrorMs }) };
    const store = openMemoryStore({ disk: this.disk });
    const released = (effect: Effect): void => {
      if (this.#life === life) this.#release(effect);
    };
    const plain = gatewayCore(this.#service);
    const core: typeof plain = {
      ...plain,
      decide: (work, event, now) => {
        this.before(work, event, now);
        plain.decide(work, event, now);
      },
      conclude: (work, now) => {
        plain.conclude(work, now);
        this.#look(work);
      },
    };
    const driven = drive<Event, Effect>({ core, store, clock: own, batch: 512, released });
    driven.submit({ kind: 'configured', documents: [this.world.operator] });
    const tick = (): void => {
      if (this.#life !== life) return;
      driven.turn.submit({ kind: 'tick' });
      clock.after(500, tick);
    };
    clock.after(0, tick);
    return driven;
  }

  /** The process ends; sessions and links are gone. */
  stop(): void {
    this.#life++;
    this.running = false;
    this.world.isolate(this);
    for (const client of [...this.clients.values()]) client.dropped(new LichenError('unavailable', 'the gateway ended'));
    this.clients.clear();
  }

  start(): void {
    this.running = true;
    this.driven = this.#start();
  }

  submit(...events: Event[]): void {
    this.driven.submit(...events);
  }

  /** From within an effect, when a turn is not over yet. Nothing reaches a process that has ended. */
  later(event: Event): void {
    if (this.running) this.driven.turn.submit(event);
  }

  #release(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        if (effect.topic === 'ack') this.world.checkAck(this, effect.payload);
        return this.clients.get(effect.session)?.hear(effect.topic, effect.payload);
      case 'give':
        for (const hash of effect.hashes) {
          const bytes = heldUnder({ get: (key) => this.disk.get(key).value }, hash);
          this.clients.get(effect.session)?.hear('chunk', encodeAs(chunk, { v: 1, hash, bytes }, 'chunk'));
        }
        return;
      case 'settle':
        if (effect.error !== null) this.unsettled.push(effect.error);
        return;
      case 'answer-pairing':
        this.#pairings.set(effect.receipt, effect.answer);
        return;
      case 'drop':
        return this.end(effect.session, effect.error);
      case 'reach':
        this.reached = effect.gateways;
        return;
      case 'peer-send':
        return this.world.carry(this, effect.session, effect.frame);
      case 'peer-drop':
        return this.world.cutSession(effect.session);
      case 'reply':
        this.#answers.set(effect.id, effect.answer);
        return;
      case 'go-on':
        this.goings++;
        if (this.goesOn) this.later({ kind: 'go-on' });
        return;
      case 'journal':
        this.journal.push(effect.line);
    }
  }

  /** A session ends, as a broker would end it. */
  end(session: string, error: LichenError): void {
    const client = this.clients.get(session);
    this.clients.delete(session);
    client?.dropped(error);
  }

  session(client: Client): string {
    const session = `${this.name}/${++this.#count}`;
    this.clients.set(session, client);
    return session;
  }

  message(session: string, party: 'board' | 'tenant', id: string, topic: TopicName, payload: Bytes): void {
    this.submit({ kind: 'message', session, party, id, topic, payload, receipt: ++this.#count });
  }

  /** What the API answers, once it does. */
  ask(name: DecidedCall, input: Partial<ApiInput> = {}): () => ApiAnswer | LichenError | null {
    const id = ++this.#count;
    this.submit({ kind: 'call', id, name, input: { params: {}, body: null, ...input } });
    return () => this.#answers.get(id) ?? null;
  }

  /** What the API answers at once. */
  call(name: DecidedCall, input: Partial<ApiInput> = {}): ApiAnswer | LichenError {
    return this.ask(name, input)() ?? new LichenError('internal', 'no answer');
  }

  json(name: DecidedCall, params: Record<string, string> = {}, body: unknown = null): unknown {
    const answer = this.call(name, { params, body: body === null ? null : utf8(JSON.stringify(body)) });
    if (answer instanceof LichenError) throw answer;
    return 'json' in answer ? answer.json : answer.bytes;
  }

  bytes(name: DecidedCall, params: Record<string, string>): Bytes {
    const answer = this.call(name, { params });
    if (answer instanceof LichenError) throw answer;
    return 'bytes' in answer ? answer.bytes : new Uint8Array();
  }

  /** A tenant pushes over its own session and hears what became of it. */
  push(document: Bytes, tenant = 'tenant'): Answer {
    const heard: Answer[] = [];
    const session = this.session({ hear: (_topic, payload) => heard.push(decodeAs(answerSchema, payload, 'answer')), dropped: () => {} });
    const id = idOf(tenant);
    this.submit({ kind: 'connected', session, party: 'tenant', id, key: keyOf(tenant).publicKey });
    this.message(session, 'tenant', id, 'push', document);
    this.submit({ kind: 'disconnected', session, party: 'tenant', id });
    this.clients.delete(session);
    return heard[0] ?? { v: 1, of: new Uint8Array(32), ok: false, code: 'silent', why: '', next: '', missing: [] };
  }

  /** Pushes what must be accepted. */
  accept(...documents: Bytes[]): this {
    for (const document of documents) {
      const { ok, code, why } = this.push(document);
      if (!ok) throw new LichenError('internal', `refused with ${code}: ${why}`);
    }
    return this;
  }

  admit(role: 'tenant' | 'owner' | 'publisher', name: string): this {
    this.json('admit', {}, { role, key: hex(keyOf(name).publicKey), name });
    return this;
  }

  /** A fresh claim's token. */
  claim(owner: OwnerId = OWNER): Bytes {
    return parseClaim((this.json('claim', {}, { owner }) as { claim: string }).claim).token;
  }

  pair(event: Omit<Extract<Event, { kind: 'pairing' }>, 'kind' | 'receipt'>): unknown {
    const receipt = ++this.#count;
    this.submit({ kind: 'pairing', receipt, ...event });
    return this.#pairings.get(receipt);
  }

  read<T>(read: (work: Draft<Effect>) => T): T {
    return read(new Draft<Effect>(openMemoryStore({ disk: this.disk, owner: this.disk.owner }).snapshot(), new Map()));
  }

  /** Looks at the end of a turn of its own, where what is only remembered is there too. */
  inside<T>(look: (work: Draft<Effect>) => T): T {
    const seen: T[] = [];
    this.#look = (work) => void seen.push(look(work));
    this.call('status');
    this.#look = () => {};
    if (seen[0] === undefined) throw new Error('nothing was seen');
    return seen[0];
  }

  /** Of all that it holds, what must be the same everywhere. */
  view(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.disk.dump()).filter(([key]) => SHARED.some((prefix) => key.startsWith(prefix))));
  }

  /** Entries that wait for others. */
  get pending(): string[] {
    return [...this.disk.rows.keys()].filter((key) => key.startsWith('pending/'));
  }

  /** Its copy of an author's log. */
  log(author: GatewayId = this.id): LogEntry[] {
    return [...this.disk.rows.keys()]
      .filter((key) => key.startsWith(`log/${author}/`))
      .sort()
      .map((key) => decodeAs(entrySchema, this.disk.get(key).value ?? new Uint8Array(), 'entry'));
  }
}

/** One direction of a link: frames in order, as TCP keeps them. */
interface Wire {
  from: Node;
  to: Node;
  /** The session's name at the sender. */
  session: string;
  /** And at the receiver. */
  farSession: string;
  frames: Bytes[];
}

const bodies = new WeakMap<Bytes, string>();

export class GatewayWorld {
  readonly clock: ManualClock = manualClock();
  readonly nodes: Node[];
  /** Promises that were broken, in words. */
  readonly violations: string[] = [];
  #wires: Wire[] = [];
  #count = 0;

  /** What every gateway is started with. */
  readonly operator: Bytes;

  /** Of releases each holds at most so much. */
  readonly contentBytes: number;

  constructor(names: string[] = GATEWAYS, operator = signedOperator().body, contentBytes: number = LIMITS.contentBytes) {
    this.operator = operator;
    this.contentBytes = contentBytes;
    this.nodes = names.map((name) => new Node(this, name));
    this.clock.settle();
  }

  node(i: number): Node {
    return this.nodes[i]!;
  }

  get pairs(): [Node, Node][] {
    return this.nodes.flatMap((one, i) => this.nodes.slice(i + 1).map((other): [Node, Node] => [one, other]));
  }

  isLinked(one: Node, other: Node): boolean {
    return this.#wires.some(({ from, to }) => from === one && to === other);
  }

  /** By which `at` knows its link to a peer. */
  sessionOf(at: Node, peer: Node): string {
    return this.#wires.find(({ from, to }) => from === at && to === peer)?.session ?? 'none';
  }

  link(one: Node, other: Node): void {
    if (this.isLinked(one, other)) return;
    const sessions = [`link ${++this.#count}`, `link ${++this.#count}`] as const;
    this.#wires.push({ from: one, to: other, session: sessions[0], farSession: sessions[1], frames: [] });
    this.#wires.push({ from: other, to: one, session: sessions[1], farSession: sessions[0], frames: [] });
    one.submit({ kind: 'peer-up', session: sessions[0], gateway: other.id });
    other.submit({ kind: 'peer-up', session: sessions[1], gateway: one.id });
  }

  linkAll(): this {
    for (const [one, other] of this.pairs) this.link(one, other);
    return this;
  }

  /** What was on its way is lost. */
  cut(one: Node, other: Node): void {
    for (const { from, to, session } of this.#wires.filter((wire) => [wire.from, wire.to].every((end) => end === one || end === other))) {
      this.#wires = this.#wires.filter((wire) => wire.session !== session);
      from.later({ kind: 'peer-down', session, gateway: to.id });
    }
  }

  isolate(node: Node): void {
    for (const other of this.nodes) if (other !== node) this.cut(node, other);
  }

  cutSession(session: string): void {
    const wire = this.#wires.find((one) => one.session === session);
    if (wire !== undefined) this.cut(wire.from, wire.to);
  }

  carry(from: Node, session: string, frame: PeerFrame): void {
    const content = encodeAs(peerFrame, frame, 'peer frame');
    if (content.length > LIMITS.peerFrameBytes) this.violations.push(`${from.name}: a ${frame.kind} frame of ${content.length} bytes`);
    this.#wires.find((wire) => wire.from === from && wire.session === session)?.frames.push(content);
  }

  /** Wires on which something waits. */
  get waiting(): number {
    return this.#wires.filter(({ frames }) => frames.length > 0).length;
  }

  /** Delivers the next frame of the n-th wire on which something waits. */
  deliver(n: number): void {
    const busy = this.#wires.filter(({ frames }) => frames.length > 0);
    const wire = busy[n % Math.max(1, busy.length)];
    const content = wire?.frames.shift();
    if (wire === undefined || content === undefined) return;
    wire.to.submit({
      kind: 'peer-frame',
      session: wire.farSession,
      gateway: wire.from.id,
      frame: decodeAs(peerFrame, content, 'peer frame'),
    });
  }

  /** Delivers until nothing waits. */
  pump(): this {
    this.clock.settle();
    for (let frames = 0; this.waiting > 0; frames++) {
      if (frames > 50_000) throw new Error('the gateways never come to rest');
      this.deliver(0);
    }
    return this;
  }

  /** Time passes; the wires carry what comes up at every tick. */
  pass(ms: number): this {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.pass(Math.min(500, left));
      this.pump();
    }
    return this;
  }

  /** Every link is up, and everybody has heard everything. */
  heal(): this {
    for (let round = 0; round < 20; round++) {
      this.linkAll().pass(1000);
      if (this.pairs.every(([one, other]) => this.isLinked(one, other)) && this.waiting === 0) break;
    }
    return this;
  }

  /** An acknowledgement may call replicated only what stands in the logs of two gateways. */
  checkAck(by: Node, payload: Bytes): void {
    const { board, replicated, stored } = unseal(crypto, ackNoun, payload).value;
    if (replicated > stored.seq) this.violations.push(`${by.name} calls ${replicated} of ${board} replicated and ${stored.seq} stored`);
    if (replicated === 0 || this.nodes.length === 1) return;
    const holders = this.nodes.filter((node) => this.holds(node, board, replicated));
    if (holders.length < 2)
      this.violations.push(`${by.name} calls record ${replicated} of ${board} replicated; it is at ${holders.map(({ name }) => name)}`);
  }

  /** Whether a record stands in any log that the node holds. */
  holds(node: Node, board: string, seq: number): boolean {
    const known = this.records.get(`${board}/${seq}`);
    for (const [key, { value }] of node.disk.rows) {
      if (!key.startsWith('log/') || value === null) continue;
      const name = bodies.get(value) ?? hex(crypto.sha256(decodeAs(entrySchema, value, 'entry').body));
      bodies.set(value, name);
      if (known?.has(name) === true) return true;
    }
    return false;
  }

  /** `board/seq` → hashes of the documents that boards of this world have signed. */
  readonly records = new Map<string, Set<string>>();
}
