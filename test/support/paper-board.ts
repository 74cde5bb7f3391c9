/** A board as a script, for gateways: it signs what a board signs, keeps its outbox, and does nothing by itself. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId, GatewayId, LeaseId } from '../../runtime/protocol/ids.ts';
import { ZERO } from '../../runtime/protocol/money.ts';
import { encodeAs, payloadOf, seal, sealMany, unseal } from '../../runtime/protocol/noun.ts';
import {
  helloNoun,
  homeNoun,
  type Offer,
  type Outcome,
  outcomeNoun,
  pairingNoun,
  reportNoun,
  type Usage,
  usageNoun,
} from '../../runtime/protocol/nouns/board.ts';
import { grantNoun, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import {
  type Ack,
  ackNoun,
  type ChainPoint,
  type Desired,
  desiredNoun,
  type Lease,
  leaseNoun,
  type Now,
  nowNoun,
} from '../../runtime/protocol/nouns/lease.ts';
import { type Bring, bring, type Paired, usageBatch } from '../../runtime/protocol/nouns/messages.ts';
import { rotationNoun } from '../../runtime/protocol/nouns/request.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import { keyOf } from './crypto.ts';
import { idOf } from './federation.ts';
import type { Client, GatewayWorld, Node } from './gateway-world.ts';

export const OFFER: Offer = {
  ...{ tier: 'full', arch: 'x64', memoryMib: 512, cpuMillis: 4000, partitions: 8, engine: 'paper', model: 'paper' },
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true },
};

const START: ChainPoint = { seq: 0, hash: new Uint8Array(32) };

export class PaperBoard implements Client {
  readonly name: string;
  readonly id: BoardId;
  signer: Signer;
  keyVersion = 0;
  tenure = 0;
  home: GatewayId | null = null;
  offer: Offer = OFFER;
  /** Records not known to be replicated, and the end of the chain. */
  outbox: { seq: number; body: Bytes }[] = [];
  /** Leases that it has opened. */
  readonly opened = new Set<LeaseId>();
  end: ChainPoint = START;
  replicated = 0;
  node: Node | null = null;
  /** Before each hello. */
  brings: Bring[] = [];
  session = '';
  readonly heard: { topic: TopicName; payload: Bytes }[] = [];
  readonly drops: LichenError[] = [];
  #nonces = 0;
  #world: GatewayWorld | null = null;

  constructor(name: string) {
    this.name = name;
    this.id = idOf<BoardId>(name);
    this.signer = keyOf(name);
  }

  pairingOf(token: Bytes, changes: { signer?: Signer; board?: BoardId } = {}) {
    const signer = changes.signer ?? this.signer;
    const document = seal(pairingNoun, { v: 1, board: changes.board ?? this.id, token, exporter: new Uint8Array(32) }, signer);
    return { key: this.signer.publicKey, exporter: new Uint8Array(32), pairing: unseal(nodeCrypto, pairingNoun, document) };
  }

  pair(node: Node, token: Bytes = node.claim()): Paired | LichenError {
    return node.pair(this.pairingOf(token)) as Paired | LichenError;
  }

  homeDocument(tenure: number, gateway: GatewayId): Bytes {
    return seal(homeNoun, { v: 1, board: this.id, tenure, gateway }, this.signer);
  }

  /** Opens a session and says hello, with a higher tenure if this is another home. */
  connect(node: Node): this {
    this.disconnect();
    if (this.home !== node.id) this.tenure++;
    this.home = node.id;
    this.node = node;
    this.#world = node.world;
    this.session = node.session(this);
    node.submit({ kind: 'connected', session: this.session, party: 'board', id: this.id, key: this.signer.publicKey });
    for (const one of this.brings) this.say('bring', encodeAs(bring, one, 'bring'));
    this.say('hello', this.hello());
    return this;
  }

  hello(changes: { home?: Bytes; speaks?: { min: number; max: number }; signer?: Signer; board?: BoardId } = {}): Bytes {
    const nonce = new Uint8Array(16).fill(++this.#nonces);
    const home = changes.home ?? this.homeDocument(this.tenure, this.home ?? idOf<GatewayId>('nobody'));
    const value = {
      ...{
        v: 1 as const,
        board: changes.board ?? this.id,
        speaks: changes.speaks ?? { min: 1, max: 1 },
        software: 'paper',
        bootId: 'boot',
      },
      ...{ nonce, home, head: this.end, offer: this.offer },
    };
    return seal(helloNoun, value, changes.signer ?? this.signer);
  }

  say(topic: TopicName, payload: Bytes): void {
    this.node?.message(this.session, 'board', this.id, topic, payload);
  }

  disconnect(): void {
    const { node, session } = this;
    this.node = null;
    if (node === null) return;
    node.clients.delete(session);
    node.submit({ kind: 'disconnected', session, party: 'board', id: this.id });
  }

  dropped(error: LichenError): void {
    this.drops.push(error);
    const { node, session } = this;
    this.node = null;
    node?.later({ kind: 'disconnected', session, party: 'board', id: this.id });
  }

  hear(topic: TopicName, payload: Bytes): void {
    this.heard.push({ topic, payload });
    if (topic === 'now') this.#welcomed(unseal(nodeCrypto, nowNoun, payload).value);
    else if (topic === 'ack') this.#acknowledged(unseal(nodeCrypto, ackNoun, payload).value);
  }

  #welcomed({ known }: Now): void {
    this.#send(this.outbox.filter(({ seq }) => seq > known.seq));
  }

  #acknowledged({ replicated }: Ack): void {
    this.replicated = Math.max(this.replicated, replicated);
    this.outbox = this.outbox.filter(({ seq }) => seq > replicated);
  }

  #send(records: { body: Bytes }[]): void {
    if (records.length === 0 || this.node === null) return;
    const { node, session, id } = this;
    const payload = encodeAs(usageBatch, { v: 1, records: records.map(({ body }) => body) }, 'usage');
    // From within an effect: the turn that released it is not over yet.
    node.later({ kind: 'message', session, party: 'board', id, topic: 'usage', payload, receipt: 0 });
  }

  /** Signs the next record and sends all that is not acknowledged. */
  use(lease: Pick<Lease, 'lease'> | LeaseId, changes: Partial<Usage> = {}): Usage {
    const seq = changes.seq ?? this.end.seq + 1;
    const usage: Usage = {
      ...{
        v: 1,
        board: this.id,
        seq,
        prev: this.end.hash,
        lease: typeof lease === 'string' ? lease : lease.lease,
        kind: 'point',
        bootId: 'boot',
      },
      ...{ monoMs: seq, wallMs: 1_790_000_000_000 + seq * 60_000, quality: 'exact', tier: 'full', amnesia: false },
      registers: { ...ZERO, wallMs: BigInt(seq * 60_000), cpuMicros: BigInt(seq * 6_000_000) },
      ...changes,
    };
    const body = seal(usageNoun, usage, this.signer);
    this.end = { seq, hash: nodeCrypto.sha256(payloadOf(usageNoun, usage)) };
    this.outbox.push({ seq, body });
    const names = this.#world?.records.get(`${this.id}/${seq}`) ?? new Set<string>();
    this.#world?.records.set(`${this.id}/${seq}`, names.add(hex(nodeCrypto.sha256(body))));
    this.#send(this.outbox);
    this.#world?.clock.settle();
    return usage;
  }

  /** Asks its guardians for these; answers with who has granted which of them so far. */
  renew(...leases: Lease[]): () => Map<string, LeaseId[]> {
    const nonce = new Uint8Array(16).fill(++this.#nonces);
    this.say('renew', seal(renewalNoun, { v: 1, board: this.id, nonce, leases: leases.map(({ lease }) => lease) }, this.signer));
    return () => {
      const grants = this.heard.flatMap(({ topic, payload }) => (topic === 'grant' ? [unseal(nodeCrypto, grantNoun, payload).value] : []));
      const own = grants.filter((grant) => equal(grant.nonce, nonce));
      return new Map(own.map((grant) => [grant.guardian, grant.leases]));
    };
  }

  report(lease: Lease, state: 'running' | 'stopped' = 'running', connection?: string): void {
    const told = { lease: lease.lease, state, promise: 'held' as const, restarts: 0, address: 'fd00::1', detail: '' };
    const instances = [connection === undefined ? told : { ...told, connection }];
    this.say('report', seal(reportNoun, { v: 1, board: this.id, bootId: 'boot', monoMs: 1, instances }, this.signer));
  }

  /** Tells how the release of a lease did on trial. */
  tells(
    lease: Lease,
    result: Outcome['result'],
    sequence: number,
    why = result === 'passed' ? '' : 'answers did not hold within 3 s',
  ): void {
    const outcome = seal(
      outcomeNoun,
      { v: 1, board: this.id, lease: lease.lease, release: lease.release, sequence, result, why },
      this.signer,
    );
    const told = {
      lease: lease.lease,
      state: 'running' as const,
      promise: 'held' as const,
      restarts: 0,
      address: null,
      detail: '',
      outcome,
    };
    this.say('report', seal(reportNoun, { v: 1, board: this.id, bootId: 'boot', monoMs: 1, instances: [told] }, this.signer));
  }

  /** Hands over to a new key if the document by which it does is taken. */
  rotate(to: string, take: (document: Bytes) => boolean): boolean {
    const next = keyOf(to);
    const change = {
      kind: 'board' as const,
      subject: this.id,
      version: this.keyVersion + 1,
      from: this.signer.publicKey,
      to: next.publicKey,
    };
    const document = sealMany(rotationNoun, { v: 1, ...change }, [this.signer, next]);
    if (!take(document)) return false;
    this.keyVersion++;
    this.signer = next;
    return true;
  }

  /** The newest assignment heard, or null. */
  get desired(): Desired | null {
    const last = this.heard.findLast(({ topic }) => topic === 'desired');
    return last === undefined ? null : unseal(nodeCrypto, desiredNoun, last.payload).value;
  }

  get leases(): Lease[] {
    return (this.desired?.leases ?? []).map(({ lease }) => unseal(nodeCrypto, leaseNoun, lease).value);
  }

  get welcome(): Now | null {
    const last = this.heard.findLast(({ topic }) => topic === 'now');
    return last === undefined ? null : unseal(nodeCrypto, nowNoun, last.payload).value;
  }

  get acks(): Ack[] {
    return this.heard.flatMap(({ topic, payload }) => (topic === 'ack' ? [unseal(nodeCrypto, ackNoun, payload).value] : []));
  }
}
