/**
 * A gateway that says whatever a test wants it to: the real door, real keys, and documents that are properly signed by
 * whoever signs them. The boards it lies to find it where their operator's document says it is.
 */
import { type Door, openDoor } from '../../gateway/broker/door.ts';
import type { FrontEvent, PeerEvent } from '../../gateway/service/doors.ts';
import { identityFromSeed } from '../../runtime/adapters/certificate.ts';
import { openClock } from '../../runtime/adapters/clock.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { formatClaim } from '../../runtime/protocol/claim.ts';
import { open1, openMany, typOf } from '../../runtime/protocol/cose.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId, LeaseId, OwnerId } from '../../runtime/protocol/ids.ts';
import { decodeAs, encodeAs, seal, unseal } from '../../runtime/protocol/noun.ts';
import { type Hello, helloNoun, type Report, reportNoun, type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import {
  type Ack,
  ackNoun,
  type Desired,
  desiredNoun,
  type Lease,
  leaseIdOf,
  leaseNoun,
  type Now,
  nowNoun,
  type Terms,
} from '../../runtime/protocol/nouns/lease.ts';
import { chunk, usageBatch, want } from '../../runtime/protocol/nouns/messages.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import { Trace } from '../gateway/broker/world.ts';
import { owner, publisher, type Release, requestOf, voucherOf } from './documents.ts';
import { type Federation, tenant } from './gateway.ts';
import { type Person, person } from './person.ts';

type Heard = Extract<FrontEvent, { kind: 'message' }>;

export interface Assigned {
  lease: Bytes;
  request: Bytes;
}

export class Liar {
  readonly entry: GatewayEntry;
  readonly key: Person;
  readonly federation: Federation;
  readonly events = new Trace<FrontEvent | PeerEvent>();
  readonly notes = new Trace<LichenError>();
  readonly reports = new Trace<Report>();
  readonly usage = new Trace<Usage>();
  /** What it gives to whoever asks for this hash. */
  readonly store = new Map<string, Bytes>();
  /** What it gives in the place of what it has; undefined: that. */
  gives: (hash: string) => Bytes | null | undefined = () => undefined;
  /** Hashes that it was asked for, in order. */
  readonly wanted: string[] = [];
  /** Versions of the operator's document that it shows at pairing, and the newest that it shows in `now`. */
  operators: Bytes[];
  newest: Bytes[];
  /** Changes to the honest answer to `hello`. */
  nowLies: Partial<Now> = {};
  /** For whom it says that its claims were made. */
  owner: OwnerId | null = null;
  /** False: usage is taken and never acknowledged. */
  acknowledges = true;
  /** Said right behind each answer to `hello`. */
  afterHello: () => void = () => {};
  session = '';
  hello: Hello | null = null;
  #door: Door | null = null;
  #seq = 0;

  private constructor(federation: Federation, entry: GatewayEntry, key: Person) {
    this.federation = federation;
    this.entry = entry;
    this.key = key;
    this.operators = [federation.document];
    this.newest = [federation.document];
  }

  static async open(federation: Federation, name: string, key = person(`gateway ${name}`)): Promise<Liar> {
    const entry = federation.entries.find((candidate) => candidate.name === name);
    if (entry === undefined) throw new Error(`no gateway ${name}`);
    const liar = new Liar(federation, entry, key);
    liar.#door = await openDoor({
      ...{ host: '127.0.0.1', port: Number(entry.address.split(':')[1]), identity: identityFromSeed(key.seed, entry.gateway) },
      gatekeeper: (_party, id) => ({ id: id ?? '' }),
      listener: (event) => liar.#heard(event),
      ...{ crypto: nodeCrypto, clock: openClock(), entropy: kernelEntropy, note: liar.notes.add },
    });
    return liar;
  }

  get claim(): string {
    return Liar.claimOf(this.federation, this.entry);
  }

  static claimOf(federation: Federation, { gateway, key, address }: GatewayEntry): string {
    return formatClaim({ v: 1, token: nodeCrypto.sha256(key), gateway, key, address, operator: federation.doc.operator });
  }

  get board(): BoardId {
    if (this.hello === null) throw new Error('no board has said hello');
    return this.hello.board;
  }

  close(): Promise<void> {
    return this.#door?.close() ?? Promise.resolve();
  }

  send(topic: 'now' | 'desired' | 'chunk' | 'ack', payload: Bytes): void {
    this.#door?.front.send(this.session, topic, payload);
  }

  hangUp(error: LichenError): void {
    this.#door?.front.drop(this.session, error);
  }

  /** The next hello from here on. */
  async greeted(from = this.events.all.length): Promise<Hello> {
    const event = await this.events.next((one): one is Heard => one.kind === 'message' && one.topic === 'hello', from);
    return unseal(nodeCrypto, helloNoun, event.payload).value;
  }

  welcome(lies: Partial<Now> = {}): void {
    const { board, nonce } =
      this.hello ??
      (() => {
        throw new Error('no hello');
      })();
    const now: Now = {
      ...{
        v: 1,
        board,
        gateway: this.entry.gateway,
        nonce,
        speaks: 1,
        wallMs: Date.now(),
        known: { seq: 0, hash: new Uint8Array(32) },
        proof: null,
      },
      ...{ operators: this.newest, ...this.nowLies, ...lies },
    };
    this.send('now', seal(nowNoun, now, this.key.signer));
  }

  lease(name: string, release: Release, more: Partial<Lease> = {}, signer = this.key.signer): Bytes {
    const request = more.request ?? requestIdOf(nodeCrypto, tenant.id, name);
    const [index, term, guardian] = [more.index ?? 0, more.term ?? 1, more.guardian ?? this.entry.gateway];
    const terms: Terms = {
      ...{ v: 1, term, guardian, operator: this.federation.doc.operator },
      ...{ request, index, name, tenant: tenant.id, board: this.board, owner: owner.id, binding: 1, release: release.hash },
      ...{ publisher: nodeCrypto.sha256(payloadIn(publisher.document)), limits: release.manifest.limits, currency: 'XTS', feePermille: 80 },
      rates: { wallHour: 1n, cpuSecond: 1n, memoryMibHour: 1n, netMib: 1n, diskMib: 1n, dataMibHour: 1n },
      ...{
        capMicro: 1_000_000n,
        voucher: voucherOf(tenant, { name }).hash,
        onIsolation: 'continue',
        openedMs: 1_763_856_000_000,
        ...more,
      },
    };
    return seal(leaseNoun, { ...terms, lease: leaseIdOf(nodeCrypto, terms) }, signer);
  }

  /** Everything that an honest gateway would have for this request, put on the shelf. */
  honest(name: string, release: Release, more: Partial<Lease> = {}, request = requestOf(name, release.hash)): Assigned {
    this.shelve(
      request.document,
      voucherOf(tenant, { name }).document,
      publisher.document,
      release.document,
      ...release.pages,
      ...release.chunks,
    );
    return { lease: this.lease(name, release, more), request: nodeCrypto.sha256(payloadIn(request.document)) };
  }

  shelve(...bodies: Bytes[]): void {
    for (const body of bodies) this.store.set(hex(nodeCrypto.sha256(payloadIn(body))), body);
  }

  assign(leases: Assigned[], more: Partial<Desired> = {}, signer = this.key.signer): void {
    this.#seq = more.seq ?? this.#seq + 1;
    const tenure = more.tenure ?? this.tenure;
    const desired: Desired = { v: 1, board: this.board, gateway: this.entry.gateway, tenure, seq: this.#seq, leases, ...more };
    this.send('desired', seal(desiredNoun, desired, signer));
  }

  /** A runtime of its own for the board, as an owner's word has it. */
  assignRuntime(release: Release, word: Bytes, signedBy: Bytes = publisher.document): void {
    this.shelve(release.document, ...release.pages, ...release.chunks, word, signedBy);
    const [named, upkeep] = [signedBy, word].map((document) => nodeCrypto.sha256(payloadIn(document))) as [Bytes, Bytes];
    this.assign([], { runtime: { release: release.hash, publisher: named, upkeep } });
  }

  get seq(): number {
    return this.#seq;
  }

  tenure = 1;

  ack(more: Partial<Ack> = {}, signer = this.key.signer): void {
    const last = this.usage.all.at(-1);
    const stored = { seq: last?.seq ?? 0, hash: new Uint8Array(32) };
    const ack: Ack = { v: 1, board: this.board, gateway: this.entry.gateway, stored, replicated: stored.seq, ...more };
    this.send('ack', seal(ackNoun, ack, signer));
  }

  /** The board's word that the lease of this name does so. */
  reported(lease: Bytes, fits: (instance: Report['instances'][number]) => boolean, from = 0): Promise<Report> {
    const id = leaseIn(lease);
    return this.reports.next(({ instances }) => instances.some((instance) => instance.lease === id && fits(instance)), from);
  }

  /** The board accepted it: its zero record. */
  async opened(lease: Bytes): Promise<Usage> {
    const id = leaseIn(lease);
    return this.usage.next((record) => record.lease === id && record.kind === 'open');
  }

  #heard(event: FrontEvent | PeerEvent): void {
    if (event.kind === 'pairing') {
      const of = this.owner === null ? {} : { owner: this.owner };
      const answer = { v: 1 as const, gateway: this.entry.gateway, wallMs: Date.now(), operators: [this.operators], ...of };
      this.#door?.front.answerPairing(event.receipt, answer);
    }
    if (event.kind === 'message') this.#message(event);
    this.events.add(event);
  }

  #message({ topic, payload, receipt, session }: Heard): void {
    this.#door?.front.settle(receipt, null);
    if (topic === 'hello') {
      this.session = session;
      this.hello = unseal(nodeCrypto, helloNoun, payload).value;
      this.welcome();
      this.afterHello();
    } else if (topic === 'report') this.reports.add(unseal(nodeCrypto, reportNoun, payload).value);
    else if (topic === 'want') this.#give(payload);
    else if (topic === 'usage') {
      for (const record of decodeAs(usageBatch, payload, 'usage').records) this.usage.add(unseal(nodeCrypto, usageNoun, record).value);
      if (this.acknowledges) this.ack();
    }
  }

  #give(payload: Bytes): void {
    for (const hash of decodeAs(want, payload, 'want').hashes) {
      const key = hex(hash);
      this.wanted.push(key);
      const lie = this.gives(key);
      const bytes = lie === undefined ? (this.store.get(key) ?? null) : lie;
      this.send('chunk', encodeAs(chunk, { v: 1, hash, bytes }, 'chunk'));
    }
  }
}

/** What a document's hash is taken of; content is its own. */
export const payloadIn = (body: Bytes): Bytes => {
  if (body[0] !== 0xd2 && body[0] !== 0xd8) return body;
  const typ = typOf(body) ?? '';
  return body[0] === 0xd2 ? open1(nodeCrypto, typ, body).payload : openMany(nodeCrypto, typ, body, 32).payload;
};

export const leaseIn = (lease: Bytes): LeaseId => unseal(nodeCrypto, leaseNoun, lease).value.lease;
