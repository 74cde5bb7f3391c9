/** One gateway process that serves many boards at once, against a bare TLS server that sends frames of the same length to as many clients. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { MqttSession } from '../../../runtime/adapters/mqtt-session.ts';
import { pair } from '../../../runtime/adapters/pair.ts';
import { ALPN, type Dialled, dial } from '../../../runtime/adapters/tls.ts';
import { type Bytes, utf8 } from '../../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../../runtime/protocol/claim.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint } from '../../../runtime/protocol/ids.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { encodeAs, payloadOf, seal } from '../../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, type Usage, usageNoun } from '../../../runtime/protocol/nouns/board.ts';
import { usageBatch, want } from '../../../runtime/protocol/nouns/messages.ts';
import { topicOf } from '../../../runtime/protocol/topics.ts';
import { pause } from '../../../sim/harness/wait.ts';
import { type Payload, Stage } from './stage.ts';

const TIMEOUT_MS = 60_000;
const WINDOW = 8;
/** They ask for nothing but to have their usage acknowledged. */
const QUIET = 20;
const RECORD_EVERY_MS = 200;
/** Of a message of MQTT with one chunk: topic, CBOR, headers. */
const FRAME_OVERHEAD = 110;
const BARE_PORT = 28_990;

const NOWHERE = 'a'.repeat(32);

/** QoS 0; below 128 bytes its length is one byte. */
const wantPacket = (board: string, hash: Bytes): Uint8Array => {
  const topic = utf8(topicOf('want', board));
  const payload = encodeAs(want, { v: 1, hashes: [hash] }, 'want');
  const length = 2 + topic.length + payload.length;
  const lengths = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
  return Buffer.concat([Buffer.from([0x30, ...lengths, topic.length >> 8, topic.length & 255]), topic, payload]);
};

class Client {
  readonly identity;
  readonly id: BoardId;
  bytes = 0;
  waitMsMax = 0;
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

  async arrive(stage: Stage, gateway: string): Promise<void> {
    const claim = parseClaim(await stage.claim());
    await pair({ claim, identity: this.identity, boardId: this.id, timeoutMs: TIMEOUT_MS });
    const target = { address: stage.address, alpn: ALPN.mqtt, identity: this.identity, expectKey: stage.gatewayKey, timeoutMs: TIMEOUT_MS };
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
    const offer = {
      tier: 'dev' as const,
      arch: 'x64' as const,
      memoryMib: 1,
      cpuMillis: 1,
      partitions: 1,
      enforces,
      engine: 'none',
      model: 'none',
    };
    const hello = {
      v: 1 as const,
      board: this.id,
      speaks: { min: 1, max: 1 },
      software: 'bench',
      bootId: 'boot',
      nonce: new Uint8Array(16),
      home,
      head: { seq: 0, hash: new Uint8Array(32) },
      offer,
    };
    this.#session?.publish('hello', seal(helloNoun, hello, signer));
  }

  /**
   * From here on only bytes are counted, as in the bare client, and for each frame's length of them another chunk is asked for: what is
   * measured is the gateway, and not how a client takes messages apart.
   */
  ask(hashes: Bytes[], frame: number): void {
    const stream = this.#stream;
    if (stream === null) return;
    const askFor = (count: number): void => {
      for (let i = 0; i < count; i++)
        stream.write(wantPacket(this.id, hashes[Math.floor(Math.random() * hashes.length)] ?? new Uint8Array(32)));
    };
    stream.unpipe();
    stream.removeAllListeners('data');
    let counted = 0;
    stream.on('data', (data: Uint8Array) => {
      this.bytes += data.length;
      const whole = Math.floor(this.bytes / frame);
      askFor(whole - counted);
      counted = whole;
    });
    stream.resume();
    askFor(WINDOW);
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
    this.waitMsMax = Math.max(this.waitMsMax, performance.now() - this.#sentMs);
    this.#sentMs = 0;
  }

  /** What it waits for still counts as waited for. */
  get waitedMs(): number {
    return Math.max(this.waitMsMax, this.#sentMs === 0 ? 0 : performance.now() - this.#sentMs);
  }

  leave(): void {
    this.#stream?.destroy();
  }
}

/** Bytes a second of all together. */
const rate = async (seconds: number, bytesOf: () => number): Promise<number> => {
  await pause(1000);
  const [before, began] = [bytesOf(), performance.now()];
  await pause(seconds * 1000);
  return ((bytesOf() - before) / (performance.now() - began)) * 1000;
};

/** Frames as long as those that the gateway sends, to whoever connects, as fast as he takes them. */
const BARE = (frame: number): string => `
const tls = require('node:tls');
const [cert, key] = [process.env.BENCH_CERT, process.env.BENCH_KEY];
const frame = Buffer.alloc(${frame}, 1);
tls.createServer({ cert, key, minVersion: 'TLSv1.3' }, (socket) => {
  const fill = () => { while (socket.write(frame)); };
  socket.on('error', () => {});
  socket.on('drain', fill);
  fill();
}).listen(${BARE_PORT}, '127.0.0.1', () => console.log('ready'));
`;

const bare = async (boards: number, frame: number, seconds: number): Promise<number> => {
  const { certificatePem, privateKeyPem } = identityFromSeed(nodeCrypto.sha256(utf8('bare')), 'bare');
  const env = { ...process.env, BENCH_CERT: certificatePem, BENCH_KEY: privateKeyPem };
  const server: ChildProcess = spawn(process.execPath, ['-e', BARE(frame)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  await once(server.stdout ?? server, 'data');
  let bytes = 0;
  const sockets = Array.from({ length: boards }, () => {
    const socket = connect({ host: '127.0.0.1', port: BARE_PORT, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    socket.on('error', () => {});
    socket.on('data', (data) => {
      bytes += data.length;
    });
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')));
  const measured = await rate(seconds, () => bytes);
  for (const socket of sockets) socket.destroy();
  server.kill('SIGTERM');
  await once(server, 'exit');
  return measured;
};

export interface FanOut {
  ours: number;
  bare: number;
  ackWaitMsMax: number;
}

export const fanOut = async (boards: number, seconds: number): Promise<FanOut> => {
  const stage = new Stage('127.0.0.1', 28_970);
  try {
    await stage.open();
    const payload: Payload = stage.payload('blob', 16 * 1024 * 1024);
    await stage.pushPayload(payload);
    const hashes = payload.chunks.map((chunk) => nodeCrypto.sha256(chunk));
    const gateway = fingerprint(nodeCrypto, stage.gatewayKey);
    const all = Array.from({ length: boards + QUIET }, (_, at) => new Client(`board ${at}`));
    for (let at = 0; at < all.length; at += QUIET)
      await Promise.all(all.slice(at, at + QUIET).map((client) => client.arrive(stage, gateway)));
    const frame = (payload.chunks[0]?.length ?? 0) + FRAME_OVERHEAD;
    const [busy, quiet] = [all.slice(0, boards), all.slice(boards)];
    for (const [at, client] of busy.entries()) client.ask(hashes.slice(at % WINDOW), frame);
    const records = setInterval(() => {
      for (const client of quiet) client.use();
    }, RECORD_EVERY_MS);
    const ours = await rate(seconds, () => busy.reduce((total, { bytes }) => total + bytes, 0));
    clearInterval(records);
    const ackWaitMsMax = Math.max(...quiet.map(({ waitedMs }) => waitedMs));
    for (const client of all) client.leave();
    return { ours, ackWaitMsMax, bare: await bare(boards, frame, seconds) };
  } finally {
    await stage.close();
  }
};
