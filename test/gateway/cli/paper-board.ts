/** A board that only talks: what the API shows of boards, leases and usage needs one that says it, not one that runs anything. */
import { identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { pair } from '../../../runtime/adapters/pair.ts';
import { ALPN, type Dialled, dial } from '../../../runtime/adapters/tls.ts';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../../runtime/protocol/claim.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import type { BoardId } from '../../../runtime/protocol/ids.ts';
import { encodeAs, seal, unseal } from '../../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, reportNoun } from '../../../runtime/protocol/nouns/board.ts';
import { desiredNoun, type Lease, leaseNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { type Claim, usageBatch } from '../../../runtime/protocol/nouns/messages.ts';
import { testCrypto } from '../../support/crypto.ts';
import { idOf, type Point, usageChain } from '../../support/federation.ts';
import { TestSession } from '../broker/world.ts';

const TIMEOUT_MS = 10_000;
const OFFER = {
  tier: 'reduced' as const,
  arch: 'x64' as const,
  memoryMib: 512,
  cpuMillis: 2000,
  partitions: 4,
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: false, deadline: true },
  engine: 'paper',
  model: 'Paper Board',
};

export class PaperBoard {
  readonly id: BoardId;
  readonly #name: string;
  readonly #claim: Claim;
  #session: TestSession | null = null;

  private constructor(name: string, claim: Claim) {
    this.#name = name;
    this.#claim = claim;
    this.id = idOf<BoardId>(name);
  }

  /** The claim names the door as its operator lists it, which a test on a free port is not. */
  static async pair(name: string, line: string, port: number): Promise<PaperBoard> {
    const board = new PaperBoard(name, { ...parseClaim(line), address: `127.0.0.1:${port}` });
    await pair({ claim: board.#claim, identity: board.#identity, boardId: board.id, timeoutMs: TIMEOUT_MS });
    return board;
  }

  get #identity() {
    return identityFromSeed(testCrypto.sha256(utf8(this.#name)), this.id);
  }

  async hello(): Promise<void> {
    const { address, key, gateway } = this.#claim;
    const identity = this.#identity;
    const { stream } = await new Promise<Dialled>((resolve, reject) => {
      dial({ address, alpn: ALPN.mqtt, identity, expectKey: key, timeoutMs: TIMEOUT_MS }, (result) =>
        result instanceof LichenError ? reject(result) : resolve(result),
      );
    });
    const session = await TestSession.open({
      stream,
      party: 'board',
      id: this.id,
      clientId: this.id,
      keepaliveS: 60,
      timeoutMs: TIMEOUT_MS,
    });
    this.#session = session;
    const home = seal(homeNoun, { v: 1, board: this.id, tenure: 1, gateway }, identity.signer);
    const head = { seq: 0, hash: new Uint8Array(32) };
    const hello = {
      v: 1 as const,
      board: this.id,
      speaks: { min: 1, max: 1 },
      software: 'paper',
      bootId: 'boot',
      nonce: new Uint8Array(16),
      home,
      head,
      offer: OFFER,
    };
    await session.publish('hello', seal(helloNoun, hello, identity.signer));
  }

  get #open(): TestSession {
    if (this.#session === null) throw new Error('the board has not said hello');
    return this.#session;
  }

  /** The first lease that the gateway gives it. */
  async lease(): Promise<Lease> {
    const leases = (payload: Uint8Array) => unseal(testCrypto, desiredNoun, payload).value.leases;
    const desired = await this.#open.heard.next(({ topic, payload }) => topic === 'desired' && leases(payload).length > 0);
    return unseal(testCrypto, leaseNoun, leases(desired.payload)[0]!.lease).value;
  }

  /** Says that the lease's instance runs; the publish is answered once the gateway has taken it in. */
  async report(lease: Lease['lease']): Promise<void> {
    const instance = { lease, state: 'running' as const, promise: 'held' as const, restarts: 2, address: '[fd00::1]:8080', detail: '' };
    const report = { v: 1 as const, board: this.id, bootId: 'boot', monoMs: 1, instances: [instance] };
    await this.#open.publish('report', seal(reportNoun, report, this.#identity.signer));
  }

  /** Reports usage and waits until the gateway has stored it. */
  async usage(points: Point[]): Promise<void> {
    const records = usageChain(this.#name, points).map(({ body }) => body);
    await this.#open.publish('usage', encodeAs(usageBatch, { v: 1, records }, 'usage'));
    await this.#open.heard.next(({ topic }) => topic === 'ack');
  }

  close(): void {
    this.#session?.close();
  }
}
