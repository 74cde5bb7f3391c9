/**
 * Clients of a fan-out, in a process of their own: what they cost is the same whoever serves them, and none of it is the server's. It is told
 * what to do by its parent, and answers each word with one of its own.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { parser } from 'mqtt-packet';
import { identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { publishBytes, writePublishHead } from '../../../runtime/adapters/mqtt-header.ts';
import { MqttSession } from '../../../runtime/adapters/mqtt-session.ts';
import { pair } from '../../../runtime/adapters/pair.ts';
import { ALPN, type Dialled, dial } from '../../../runtime/adapters/tls.ts';
import { type Bytes, fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../../runtime/protocol/claim.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { decodeAs, encodeAs, payloadOf, seal } from '../../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, type Usage, usageNoun } from '../../../runtime/protocol/nouns/board.ts';
import { chunk, usageBatch, want } from '../../../runtime/protocol/nouns/messages.ts';
import { topicOf } from '../../../runtime/protocol/topics.ts';

export type Order =
  | { kind: 'arrive'; address: string; gateway: string; gatewayKey: string; names: string[]; claims: string[] }
  /** Everyone asks for content, as a board does whose window has become as wide as it may. */
  | { kind: 'ask'; hashes: string[]; frame: number }
  /** Everyone has a record acknowledged, again and again; from now on as often as this says. */
  | { kind: 'use'; everyMs: number }
  /** As many clients of a server that sends by itself. They say as much as boards do that ask for such frames: who serves is what differs. */
  | { kind: 'bare'; port: number; clients: number; frame: number }
  | { kind: 'count' };

export interface Count {
  bytes: number;
  waitedMs: number;
}

const TIMEOUT_MS = 60_000;
const AT_ONCE = 20;
const NOWHERE = 'a'.repeat(32);
/** Asked for together: a board asks anew when a quarter of its window has come. */
const TOGETHER = LIMITS.wantWindowMost / 4;
/** Which a client has ready, and says in turn. */
const WORDS = 16;

const bytesOf = (payload: string | Buffer): Bytes => (typeof payload === 'string' ? utf8(payload) : new Uint8Array(payload));

class Client {
  readonly identity;
  readonly id: BoardId;
  bytes = 0;
  #waitMsMax = 0;
  #session: MqttSession | null = null;
  #stream: Duplex | null = null;
  #seq = 0;
  #prev: Bytes = new Uint8Array(32);
  #sentMs = 0;

  constructor(name: string) {
    const seed = nodeCrypto.sha256(utf8(name));
    const { signer } = identityFromSeed(seed, 'x');
    this.id = fingerprint<BoardId>(nodeCrypto, signer.publicKey);
    this.identity = identityFromSeed(seed, this.id);
  }

  async arrive({ address, gateway, gatewayKey }: Extract<Order, { kind: 'arrive' }>, claim: string): Promise<void> {
    await pair({ claim: parseClaim(claim), identity: this.identity, boardId: this.id, timeoutMs: TIMEOUT_MS });
    const target = { address, alpn: ALPN.mqtt, identity: this.identity, expectKey: fromHex(gatewayKey), timeoutMs: TIMEOUT_MS };
    const { stream } = await new Promise<Dialled>((resolve, reject) =>
      dial(target, (result) => (result instanceof LichenError ? reject(result) : resolve(result))),
    );
    this.#stream = stream;
    await new Promise<void>((resolve, reject) => {
      this.#session = new MqttSession(
        { stream, party: 'board', id: this.id, clientId: this.id, keepaliveS: 60, timeoutMs: TIMEOUT_MS },
        {
          ready: () => this.#hello(gateway),
          message: (topic) => {
            if (topic === 'now') resolve();
            else if (topic === 'ack') this.#acknowledged();
          },
          ended: reject,
        },
      );
    });
  }

  #hello(gateway: string): void {
    const { signer } = this.identity;
    const home = seal(homeNoun, { v: 1, board: this.id, tenure: 1, gateway: gateway as never }, signer);
    const enforces = { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true };
    const room = { memoryMib: 1, cpuMillis: 1, partitions: 1 };
    const offer = { tier: 'dev' as const, arch: 'x64' as const, ...room, enforces, engine: 'none', model: 'none' };
    const hello = {
      ...{ v: 1 as const, board: this.id, speaks: { min: 1, max: 1 }, software: 'bench', bootId: 'boot', nonce: new Uint8Array(16) },
      ...{ home, head: { seq: 0, hash: new Uint8Array(32) }, offer },
    };
    this.#session?.publish('hello', seal(helloNoun, hello, signer));
  }

  /**
   * From here on only bytes are counted, as in the bare client, and for so many frames' length of them as many chunks are asked for: what is
   * measured is the gateway, and not how a client takes messages apart or puts them together: it has a processor of its own, and that is not to
   * be what the gateway waits for.
   */
  ask(hashes: Bytes[], frame: number, isWitness: boolean): void {
    const stream = this.#stream;
    if (stream === null) return;
    const topic = utf8(topicOf('want', this.id));
    const some = (): Bytes => hashes[Math.floor(Math.random() * hashes.length)] ?? new Uint8Array(32);
    const wordFor = (count: number): Bytes => {
      const payload = encodeAs(want, { v: 1, hashes: Array.from({ length: count }, some) }, 'want');
      const word = new Uint8Array(publishBytes(topic, payload.length, 0));
      word.set(payload, writePublishHead(word, 0, topic, payload.length));
      return word;
    };
    const words = Array.from({ length: WORDS }, () => wordFor(TOGETHER));
    stream.unpipe();
    stream.removeAllListeners('data');
    if (isWitness) this.#hold(stream);
    let asked = LIMITS.wantWindowMost;
    stream.on('data', (data: Uint8Array) => {
      this.bytes += data.length;
      for (; this.bytes / frame > asked + TOGETHER - LIMITS.wantWindowMost; asked += TOGETHER)
        stream.write(words[(asked / TOGETHER) % WORDS] ?? '');
    });
    stream.resume();
    stream.write(wordFor(LIMITS.wantWindowMost));
  }

  /** What comes fast must be what was asked for, too. */
  #hold(stream: Duplex): void {
    const reader = parser({ protocolVersion: 4 });
    reader.on('packet', (packet) => {
      if (packet.cmd !== 'publish') return;
      const { hash, bytes } = decodeAs(chunk, bytesOf(packet.payload), 'chunk');
      if (bytes === null || hex(nodeCrypto.sha256(bytes)) !== hex(hash)) throw new Error('the gateway gave something else');
    });
    stream.on('data', (data: Buffer) => reader.parse(data));
  }

  /** One record, if the one before was acknowledged. */
  use(): void {
    if (this.#sentMs > 0) return;
    const seq = ++this.#seq;
    const usage: Usage = {
      ...{ v: 1, board: this.id, seq, prev: this.#prev, lease: NOWHERE as never, kind: 'point', bootId: 'boot', monoMs: seq },
      ...{ wallMs: seq, quality: 'exact', tier: 'dev', amnesia: false, registers: { ...ZERO, wallMs: BigInt(seq) } },
    };
    this.#prev = nodeCrypto.sha256(payloadOf(usageNoun, usage));
    this.#sentMs = performance.now();
    this.#session?.publish('usage', encodeAs(usageBatch, { v: 1, records: [seal(usageNoun, usage, this.identity.signer)] }, 'usage'));
  }

  #acknowledged(): void {
    if (this.#sentMs === 0) return;
    this.#waitMsMax = Math.max(this.#waitMsMax, performance.now() - this.#sentMs);
    this.#sentMs = 0;
  }

  /** What it waits for still counts as waited for. */
  get waitedMs(): number {
    return Math.max(this.#waitMsMax, this.#sentMs === 0 ? 0 : performance.now() - this.#sentMs);
  }
}

let clients: Client[] = [];
let bareBytes = 0;
let using: NodeJS.Timeout | undefined;

const arrive = async (order: Extract<Order, { kind: 'arrive' }>): Promise<void> => {
  clients = order.names.map((name) => new Client(name));
  for (let at = 0; at < clients.length; at += AT_ONCE) {
    const some = clients.slice(at, at + AT_ONCE);
    await Promise.all(some.map((client, i) => client.arrive(order, order.claims[at + i] ?? '')));
  }
};

const bare = async ({ port, clients: count, frame }: Extract<Order, { kind: 'bare' }>): Promise<void> => {
  const hashes = Array.from({ length: TOGETHER }, () => new Uint8Array(32));
  const word = encodeAs(want, { v: 1, hashes }, 'want');
  const sockets = Array.from({ length: count }, () => {
    let [bytes, asked] = [0, 0];
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    socket.on('error', () => {});
    socket.on('data', (data) => {
      bareBytes += data.length;
      bytes += data.length;
      for (; bytes / frame > asked + TOGETHER; asked += TOGETHER) socket.write(word);
    });
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')));
};

const counted = (): Count => ({
  bytes: bareBytes + clients.reduce((total, { bytes }) => total + bytes, 0),
  waitedMs: Math.max(0, ...clients.map(({ waitedMs }) => waitedMs)),
});

const obey = async (order: Order): Promise<Count> => {
  if (order.kind === 'arrive') await arrive(order);
  else if (order.kind === 'bare') await bare(order);
  else if (order.kind === 'ask') {
    const hashes = order.hashes.map(fromHex);
    for (const [at, client] of clients.entries()) client.ask(hashes, order.frame, at === 0);
  } else if (order.kind === 'use') {
    clearInterval(using);
    using = setInterval(() => {
      for (const client of clients) client.use();
    }, order.everyMs);
  }
  return counted();
};

process.on('message', (order: Order) => void obey(order).then((count) => process.send?.(count)));
process.on('disconnect', () => process.exit());
