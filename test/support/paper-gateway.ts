/** A gateway as a script: it answers a board with documents that are really sealed, and does nothing by itself. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId } from '../../runtime/protocol/ids.ts';
import { decodeAs, encodeAs, payloadOf, seal, unseal } from '../../runtime/protocol/noun.ts';
import { type Hello, helloNoun, homeNoun, type Report, reportNoun, type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { type Grant, grantNoun, type Renewal, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import { ackNoun, type ChainPoint, type Desired, desiredNoun, type Now, nowNoun } from '../../runtime/protocol/nouns/lease.ts';
import { type Bring, bring, chunk, usageBatch, want } from '../../runtime/protocol/nouns/messages.ts';
import { type Shared, sharedNoun } from '../../runtime/protocol/nouns/share.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import { keyOf, testCrypto } from './crypto.ts';
import { idOf } from './federation.ts';

export interface Assigned {
  lease: Bytes;
  request: Bytes;
  shares?: Bytes[];
}

export type Answer = (topic: TopicName, payload: Bytes) => void;

const START: ChainPoint = { seq: 0, hash: new Uint8Array(32) };

/** What it holds of boards' usage; several gateways may share one. */
export interface Shelf {
  /** Signed documents and content by the hex of what they are asked for by. */
  held: Map<string, Bytes>;
  /** Records in the order of their numbers. */
  records: Usage[];
  known: ChainPoint;
  /** The signed record that `known` names. */
  proof: Bytes | null;
  /** Hashes of the records. */
  hashes: Set<string>;
}

export const newShelf = (): Shelf => ({ held: new Map(), records: [], known: START, proof: null, hashes: new Set() });

export class PaperGateway {
  readonly name: string;
  readonly id: GatewayId;
  readonly shelf: Shelf;
  up = true;
  /** Says nothing to a hello. */
  silent = false;
  /** Up to which record it claims that peers hold them too; null: all that it stored. */
  replicated: number | null = null;
  /** Of usage it takes nothing, as if its store were busy. */
  deaf = false;
  assigned: Assigned[] = [];
  seq = 1;
  operators: Bytes[] = [];
  skewMs = 0;
  /** Guardians whose grants it brings at once. */
  granters: string[] = [];
  readonly renewals: Renewal[] = [];
  readonly hellos: Hello[] = [];
  readonly reports: Report[] = [];
  readonly shared: Shared[] = [];
  /** Batches as they came: numbers of their records. */
  readonly batches: number[][] = [];
  readonly brought: Bring[] = [];
  readonly heard: TopicName[] = [];
  readonly wanted: string[][] = [];
  /** Changes what it would say next; for lies. */
  forge: { now?: Partial<Now>; desired?: Partial<Desired>; by?: string } = {};
  readonly #nowMs: () => number;

  constructor(name: string, nowMs: () => number, shelf: Shelf = newShelf()) {
    this.name = name;
    this.id = idOf<GatewayId>(name);
    this.#nowMs = nowMs;
    this.shelf = shelf;
  }

  hear(topic: TopicName, payload: Bytes, answer: Answer): void {
    this.heard.push(topic);
    if (topic === 'hello') this.#hello(payload, answer);
    else if (topic === 'bring') this.brought.push(decodeAs(bring, payload, 'bring'));
    else if (topic === 'want') this.#want(payload, answer);
    else if (topic === 'usage') this.#usage(payload, answer);
    else if (topic === 'renew') this.#renew(payload, answer);
    else if (topic === 'shared') this.shared.push(unseal(testCrypto, sharedNoun, payload).value);
    else if (topic === 'report') this.reports.push(unseal(testCrypto, reportNoun, payload).value);
  }

  #hello(payload: Bytes, answer: Answer): void {
    const { value, signer } = unseal(testCrypto, helloNoun, payload);
    const home = unseal(testCrypto, homeNoun, value.home);
    if (!equal(home.signer, signer) || home.value.gateway !== this.id) throw new Error('a hello for another gateway');
    this.hellos.push(value);
    if (this.silent) return;
    const now: Now = {
      ...{
        v: 1,
        board: value.board,
        gateway: this.id,
        nonce: value.nonce,
        speaks: 1,
        wallMs: this.#nowMs() + this.skewMs,
        known: this.shelf.known,
        proof: this.shelf.proof,
      },
      operators: this.operators,
      ...this.forge.now,
    };
    answer('now', seal(nowNoun, now, this.#signer()));
    answer('desired', this.desired(value.board, home.value.tenure));
  }

  /** The present assignment. */
  desired(board: BoardId, tenure: number): Bytes {
    const desired: Desired = { v: 1, board, gateway: this.id, tenure, seq: this.seq, leases: this.assigned, ...this.forge.desired };
    return seal(desiredNoun, desired, this.#signer());
  }

  #signer() {
    return keyOf(this.forge.by ?? this.name);
  }

  #renew(payload: Bytes, answer: Answer): void {
    const renewal = unseal(testCrypto, renewalNoun, payload).value;
    this.renewals.push(renewal);
    for (const name of this.granters) answer('grant', grantOf(renewal, name));
  }

  #want(payload: Bytes, answer: Answer): void {
    const { hashes } = decodeAs(want, payload, 'want');
    this.wanted.push(hashes.map(hex));
    for (const hash of hashes) answer('chunk', encodeAs(chunk, { v: 1, hash, bytes: this.shelf.held.get(hex(hash)) ?? null }, 'chunk'));
  }

  #usage(payload: Bytes, answer: Answer): void {
    const batch = decodeAs(usageBatch, payload, 'usage');
    const records = batch.records.map((body) => unseal(testCrypto, usageNoun, body));
    this.batches.push(records.map(({ value }) => value.seq));
    if (this.deaf) return;
    for (const { value, hash, bytes } of records) {
      if (this.shelf.hashes.has(hex(hash))) continue;
      if (value.prev.some((byte) => byte > 0) && !this.shelf.hashes.has(hex(value.prev))) break;
      this.shelf.hashes.add(hex(hash));
      this.shelf.records.push(value);
      this.shelf.known = { seq: value.seq, hash };
      this.shelf.proof = bytes;
    }
    this.acknowledge(records[0]!.value.board, answer);
  }

  acknowledge(board: BoardId, answer: Answer): void {
    const stored = this.shelf.known;
    answer('ack', seal(ackNoun, { v: 1, board, gateway: this.id, stored, replicated: this.replicated ?? stored.seq }, this.#signer()));
  }

  /** Has a document under the hash of its payload. */
  hold(...documents: [hash: Bytes, bytes: Bytes][]): void {
    for (const [hash, bytes] of documents) this.shelf.held.set(hex(hash), bytes);
  }
}

/** All that was asked for, granted by a gateway. */
export const grantOf = ({ board, nonce, leases }: Renewal, name: string, changes: Partial<Grant> = {}): Bytes =>
  seal(grantNoun, { v: 1, board, guardian: idOf<GatewayId>(name), nonce, leases, ...changes }, keyOf(name));

/** A record as the board that signed it would hash it. */
export const recordHash = (usage: Usage): Bytes => testCrypto.sha256(payloadOf(usageNoun, usage));
