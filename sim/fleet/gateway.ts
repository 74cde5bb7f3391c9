/** A gateway of the virtual world: the real service around the real turn, over virtual doors. It can be killed and lose its disk. */

import type { Shelf } from '../../gateway/service/doors.ts';
import type { ApiAnswer, ApiInput, Effect, Event, Service } from '../../gateway/service/events.ts';
import { admitSession } from '../../gateway/service/gatekeeper.ts';
import { gatewayCore } from '../../gateway/service/gateway.ts';
import { contentShelf } from '../../gateway/service/hot.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import type { DecidedCall } from '../../runtime/protocol/api.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import type { Commit } from '../../runtime/turn/store.ts';
import { startTurn, type Turn } from '../../runtime/turn/turn.ts';
import type { Carrier } from '../net/doors.ts';
import type { GatewaySpec, PaceSpec } from '../scenario/scenario.ts';
import { Causes } from '../world/causes.ts';
import { type Chance, entropyOf } from '../world/chance.ts';
import { machineClock, type VirtualClock, whileAlive } from '../world/clock.ts';
import { Disk, openStore, readOnly } from '../world/store.ts';
import type { Lie } from './liar.ts';
import { type People, PORT } from './people.ts';

export interface GatewaySurroundings {
  clock: VirtualClock;
  chance: Chance;
  people: People;
  carrier: Carrier;
  pace: PaceSpec;
  startsMs: number;
  /** Its process came or went. */
  listens(id: string, listens: boolean): void;
  kept(id: string, commit: Commit): void;
  noted(id: string, line: string): void;
  /** All of them, whose disks hold much of the same. */
  gateways(): readonly { disk: Disk }[];
}

/** How long a commit takes on the disk of a small server. */
const COMMIT_MS = 2;

/** Releases are small here: so little that some is kept at hand, some is not, and what was goes again. */
const HOT_BYTES = 64 * 1024;
const HOT_ASKS = 64;

/** One bit of the last byte, so that it is still as long as it was. */
const turned = (bytes: Bytes): Bytes => bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1);

export class VirtualGateway {
  readonly spec: GatewaySpec;
  readonly id: GatewayId;
  readonly signer: Signer;
  disk: Disk;
  running = false;
  /** Never comes back. */
  dead = false;
  /** A copy of its disk, made each hour where a scenario needs one. */
  backup: { atMs: number; disk: Disk } | null = null;
  /** What it says to peers instead of the truth; null: the truth. */
  lie: Lie | null = null;
  /** Causes for which boards that ask it for content are given something else. */
  givesFalse = 0;
  /** Commits take so many ms longer. */
  readonly slower = new Causes();
  /** Its wall clock is wrong by so much. */
  wrongMs = 0;
  readonly #around: GatewaySurroundings;
  readonly #replies = new Map<number, (answer: ApiAnswer | LichenError) => void>();
  #turn: Turn<Event> | null = null;
  #life = 0;
  #calls = 0;

  constructor(spec: GatewaySpec, around: GatewaySurroundings) {
    this.spec = spec;
    this.signer = around.people.signerOf(`gateway ${spec.name}`);
    this.id = around.people.gateways.find(({ name }) => name === spec.name)?.gateway ?? fail(spec.name);
    this.#around = around;
    this.disk = new Disk(around.gateways);
  }

  loseDisk(): void {
    this.disk = new Disk(this.#around.gateways);
  }

  start(): void {
    const { clock, chance, people, carrier, pace, startsMs } = this.#around;
    const life = ++this.#life;
    const alive = (): boolean => this.#life === life;
    const owner = `gateway ${this.id} ${life}`;
    const bootedMs = clock.nowMs;
    // A wall clock tells whole ms.
    const hands = (atMs: number) => ({ wallMs: Math.floor(startsMs + atMs + this.wrongMs), monoMs: atMs - bootedMs });
    const own = machineClock(clock, hands, whileAlive(alive));
    const entropy = entropyOf(chance.fork(`life ${life}`));
    const service: Service = {
      ...{
        crypto: people.keys.crypto,
        unpack: unpackZstd,
        signer: this.signer,
        me: this.id,
        operator: people.operator,
        silenceMs: pace.silenceMs,
      },
      ...{ name: this.spec.name, region: this.spec.region, address: `${this.spec.name}.example:${PORT}`, software: 'simulated' },
      contentBytes: this.spec.contentBytes,
      ledgerEntries: Number.MAX_SAFE_INTEGER,
      entropy: (length) => entropy.bytes(length),
    };
    const store = openStore(
      this.disk,
      {
        fate: () => ({ kind: 'durable', afterMs: COMMIT_MS + (this.slower.worst ?? 0) }),
        kept: (commit) => this.#around.kept(this.id, commit),
        after: (ms, call) => void own.after(ms, call),
      },
      owner,
    );
    /** session → peer. */
    const peers = new Map<string, string>();
    const doors = carrier.gateway({
      ...{ id: this.id, at: this.id, signer: this.signer, clock: own, entropy, alive, silenceMs: pace.silenceMs, address: service.address },
      gatekeeper: (party, id, key) => admitSession(new Draft(store.snapshot(), new Map()), service, party, id, key),
      listener: (event) => {
        if (!alive()) return;
        if (event.kind === 'peer-up') peers.set(event.session, event.gateway);
        turn.submit(event);
      },
      note: () => {},
    });
    const kept = contentShelf((key) => this.disk.get(key).value, service, HOT_BYTES, HOT_ASKS);
    const shelf: Shelf = (hash) => {
      const bytes = kept(hash);
      return bytes !== null && this.givesFalse > 0 ? turned(bytes) : bytes;
    };
    const release = (effect: Effect): void => {
      switch (effect.kind) {
        case 'send':
          return doors.front.send(effect.session, effect.topic, effect.payload);
        case 'give':
          return doors.front.give(effect.session, effect.hashes, shelf);
        case 'settle':
          return doors.front.settle(effect.receipt, effect.error);
        case 'drop':
          return doors.front.drop(effect.session, effect.error);
        case 'reach':
          return doors.peers.reach(effect.gateways);
        case 'peer-send':
          return doors.peers.send(effect.session, this.lie?.(effect.frame, peers.get(effect.session) ?? '') ?? effect.frame);
        case 'peer-drop':
          return doors.peers.drop(effect.session, effect.error);
        case 'answer-pairing':
          return this.#reply(effect.receipt, effect.answer instanceof LichenError ? effect.answer : { json: effect.answer });
        case 'reply':
          return this.#reply(effect.id, effect.answer);
        case 'go-on':
          return void own.after(0, () => turn.submit({ kind: 'go-on' }));
        case 'journal':
          return this.#around.noted(this.id, effect.line);
      }
    };
    const turn = startTurn<Event, Effect>({
      ...{ store, clock: own, core: gatewayCore(service), release, owner, batch: 512, conflictsMax: 3 },
      failed: (error) => this.#around.noted(this.id, `store: ${error.message}`),
      defect: (thrown) => {
        throw thrown;
      },
    });
    this.#turn = turn;
    this.running = true;
    this.#around.listens(this.id, true);
    turn.submit({ kind: 'configured', documents: [people.operatorDocument] });
    const tick = (): void => {
      turn.submit({ kind: 'tick' });
      own.after(pace.gatewayTickMs, tick);
    };
    tick();
  }

  /** So much of its pages and chunks is not any more what was written: of how many. */
  rot(permille: number, chance: Chance): number {
    const content = [...this.disk.entries('blob/')].filter(() => chance.bool(permille));
    this.disk.write(new Map(content.map(([key, bytes]) => [key, turned(bytes)])));
    return content.length;
  }

  /** Its process is killed; the machine goes on and closes its sockets. */
  kill(): void {
    if (!this.running) return;
    this.#life++;
    this.running = false;
    this.#turn = null;
    this.#replies.clear();
    this.#around.listens(this.id, false);
    this.#around.carrier.end(this.id, 'killed');
  }

  #reply(id: number, answer: ApiAnswer | LichenError): void {
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    reply?.(answer);
  }

  /** A person's call; whoever asks a gateway that is dead, or dies meanwhile, hears nothing. */
  call(name: DecidedCall, input: Partial<ApiInput>, answered: (answer: ApiAnswer | LichenError) => void): void {
    if (this.#turn === null) return;
    const id = --this.#calls;
    this.#replies.set(id, answered);
    this.#turn.submit({ kind: 'call', id, name, input: { params: {}, body: null, ...input } });
  }

  json(name: DecidedCall, body: unknown, answered: (answer: ApiAnswer | LichenError) => void): void {
    this.call(name, { body: utf8(JSON.stringify(body)) }, answered);
  }

  pair(event: Omit<Extract<Event, { kind: 'pairing' }>, 'kind' | 'receipt'>, answered: (answer: ApiAnswer | LichenError) => void): void {
    if (this.#turn === null) return;
    const receipt = --this.#calls;
    this.#replies.set(receipt, answered);
    this.#turn.submit({ kind: 'pairing', receipt, ...event });
  }

  /** Reads what is committed. */
  read<T>(look: (rows: Draft<Effect>) => T): T {
    return look(new Draft<Effect>(readOnly(this.disk), new Map()));
  }

  /** Its copy of an author's log. */
  *log(author: string): Generator<Bytes> {
    for (const [, entry] of this.disk.entries(`log/${author}/`)) yield entry;
  }
}

const fail = (name: string): never => {
  throw new LichenError('internal', `gateway ${name} is in no operator's document`);
};
