/** A board that only talks, over the same sockets as a real one: what it says can be wrong in any way. */
import type { Duplex } from 'node:stream';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { pair } from '../../runtime/adapters/pair.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../runtime/protocol/claim.ts';
import type { BoardId, LeaseId, OwnerId } from '../../runtime/protocol/ids.ts';
import { ZERO } from '../../runtime/protocol/money.ts';
import { encodeAs, payloadOf, seal, unseal } from '../../runtime/protocol/noun.ts';
import { type Hello, helloNoun, homeNoun, type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import {
  ackNoun,
  type ChainPoint,
  type Desired,
  desiredNoun,
  type Lease,
  leaseNoun,
  type Now,
  nowNoun,
} from '../../runtime/protocol/nouns/lease.ts';
import { type Claim, type Paired, usageBatch } from '../../runtime/protocol/nouns/messages.ts';
import { TestSession } from '../gateway/broker/world.ts';
import { type Gateway, PATIENCE_MS } from './gateway.ts';
import { type Person, person } from './person.ts';

export const OFFER: Hello['offer'] = {
  ...{ tier: 'reduced', arch: 'x64', memoryMib: 512, cpuMillis: 2000, partitions: 8, engine: 'paper', model: 'Paper Board' },
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: false, deadline: true },
};

export const START: ChainPoint = { seq: 0, hash: new Uint8Array(32) };

export const claimAt = async (gateway: Gateway, ownerId: OwnerId): Promise<Claim> =>
  parseClaim((await gateway.order<{ claim: string }>('/1/claims', { owner: ownerId })).claim);

export const show = (claim: Claim, one: Person): Promise<Paired> =>
  pair({ claim, identity: one.identity, boardId: one.id as BoardId, timeoutMs: PATIENCE_MS });

export class PaperBoard {
  readonly gateway: Gateway;
  readonly id: BoardId;
  /** Signs and shows its certificate; another one after a rotation. */
  key: Person;
  tenure = 1;
  #session: TestSession | null = null;

  private constructor(gateway: Gateway, key: Person) {
    this.gateway = gateway;
    this.key = key;
    this.id = key.id as BoardId;
  }

  static async pair(gateway: Gateway, name: string, ownerId: OwnerId): Promise<PaperBoard> {
    const board = new PaperBoard(gateway, person(name));
    await show(await claimAt(gateway, ownerId), board.key);
    return board;
  }

  get session(): TestSession {
    if (this.#session === null) throw new Error('the board is not connected');
    return this.#session;
  }

  /** MQTT, connected and subscribed; no word of Lichen yet. */
  async connect(at = this.gateway): Promise<TestSession> {
    const { stream } = await at.dial('mqtt', { ...this.key, identity: { ...this.key.identity, id: this.id } });
    return this.over(stream);
  }

  async over(stream: Duplex): Promise<TestSession> {
    this.#session = await TestSession.open({
      stream,
      party: 'board',
      id: this.id,
      clientId: this.id,
      keepaliveS: 60,
      timeoutMs: PATIENCE_MS,
    });
    return this.#session;
  }

  sayHello(more: Partial<Hello> = {}, at = this.gateway): Promise<void> {
    const home = seal(homeNoun, { v: 1, board: this.id, tenure: this.tenure, gateway: at.entry.gateway }, this.key.signer);
    const hello: Hello = {
      ...{
        v: 1,
        board: this.id,
        speaks: { min: 1, max: 1 },
        software: 'paper',
        bootId: 'boot',
        nonce: new Uint8Array(16),
        home,
        head: START,
      },
      ...{ offer: OFFER, ...more },
    };
    return this.session.publish('hello', seal(helloNoun, hello, this.key.signer));
  }

  /** Connected and welcomed. */
  async arrive(more: Partial<Hello> = {}, at = this.gateway): Promise<Now> {
    await this.connect(at);
    void this.sayHello(more, at);
    return this.now();
  }

  async now(from = 0): Promise<Now> {
    const { payload } = await this.session.heard.next(({ topic }) => topic === 'now', from);
    return unseal(nodeCrypto, nowNoun, payload).value;
  }

  /** The first assignment that fits. */
  async desired(fits: (desired: Desired) => boolean = () => true): Promise<Desired> {
    const open = (payload: Bytes): Desired => unseal(nodeCrypto, desiredNoun, payload).value;
    const { payload } = await this.session.heard.next((heard) => heard.topic === 'desired' && fits(open(heard.payload)));
    return open(payload);
  }

  /** The lease of a request by its name, once it is assigned. */
  async lease(name: string): Promise<Lease> {
    const named = (desired: Desired): Lease | undefined =>
      desired.leases.map(({ lease }) => unseal(nodeCrypto, leaseNoun, lease).value).find((lease) => lease.name === name);
    const found = named(await this.desired((desired) => named(desired) !== undefined));
    if (found === undefined) throw new Error(`no lease of ${name}`);
    return found;
  }

  /** A record of this board's on top of `after`. */
  record(lease: LeaseId, after: ChainPoint, more: Partial<Usage> = {}): { document: Bytes; point: ChainPoint } {
    const seq = after.seq + 1;
    const usage: Usage = {
      ...{ v: 1, board: this.id, seq, prev: after.hash, lease, kind: seq === 1 ? 'open' : 'point', bootId: 'boot', monoMs: seq },
      ...{ wallMs: 1_763_856_000_000 + seq, quality: 'exact', tier: 'reduced', amnesia: false, registers: { ...ZERO }, ...more },
    };
    const document = seal(usageNoun, usage, this.key.signer);
    return { document, point: { seq: usage.seq, hash: nodeCrypto.sha256(payloadOf(usageNoun, usage)) } };
  }

  send(...records: Bytes[]): Promise<void> {
    return this.session.publish('usage', encodeAs(usageBatch, { v: 1, records }, 'usage'));
  }

  /** Sends, and waits to hear that all up to this number is stored. */
  async report(seq: number, ...records: Bytes[]): Promise<void> {
    const from = this.session.heard.all.length;
    void this.send(...records);
    const isStored = (payload: Bytes): boolean => unseal(nodeCrypto, ackNoun, payload).value.stored.seq === seq;
    await this.session.heard.next(({ topic, payload }) => topic === 'ack' && isStored(payload), from);
  }

  close(): void {
    this.#session?.close();
  }
}
