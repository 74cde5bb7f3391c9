/**
 * One gateway process that serves many boards at once, against a bare TLS server that sends frames of the same length to as many clients. Whoever
 * serves has one core, and the clients another.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { fingerprint } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { pause } from '../../../sim/harness/wait.ts';
import { median } from '../measure.ts';
import type { Count, Order } from './fan-clients.ts';
import { type Payload, Stage } from './stage.ts';

/** They ask for nothing but to have their usage acknowledged. */
const QUIET = 20;
/**
 * Each record that comes alone is a commit, for whose sync the one thread of a gateway waits, which a bare server never does. So there are two
 * loads: as many records a second as 9,000 boards of two leases make, and five times as many.
 */
const [RECORD_EVERY_MS, PRESSED_EVERY_MS] = [1000, 200];
/** Of a message of MQTT with one chunk: topic, CBOR, headers. */
const FRAME_OVERHEAD = 110;
const BARE_PORT = 28_990;
/** The first second or two of either is that of code that is not optimised yet, and of connections that open up. */
const SETTLE_MS = 3000;
/** All boards ask for any of it at any time: twice what a gateway keeps at hand, so that half of it comes from its store. */
const CONTENT_BYTES = 2 * LIMITS.hotBytes;
const ROUNDS = 3;
const [SERVER_CORE, CLIENT_CORE] = ['0', '1'];
const JIFFIES_PER_S = 100;

const pinned = (core: string): string[] => ['taskset', '-c', core];

class Clients {
  readonly #child: ChildProcess;

  constructor() {
    const [file = '', ...words] = [...pinned(CLIENT_CORE), process.execPath, join(import.meta.dirname, 'fan-clients.ts')];
    this.#child = spawn(file, words, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  async do(order: Order): Promise<Count> {
    this.#child.send(order);
    const failed = once(this.#child, 'exit').then(() => Promise.reject(new Error(`the clients ended at "${order.kind}"`)));
    const [count] = (await Promise.race([once(this.#child, 'message'), failed])) as [Count];
    return count;
  }

  async end(): Promise<void> {
    this.#child.disconnect();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

/** Of user and kernel, of all its threads. */
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / JIFFIES_PER_S;
};

interface Served {
  bytesPerS: number;
  /** Of the server's time. */
  bytesPerCpuS: number;
}

const measured = async (clients: Clients, pid: number, seconds: number): Promise<Served> => {
  await pause(SETTLE_MS);
  const [before, cpu, began] = [await clients.do({ kind: 'count' }), cpuSeconds(pid), performance.now()];
  await pause(seconds * 1000);
  const bytes = (await clients.do({ kind: 'count' })).bytes - before.bytes;
  return { bytesPerS: (bytes / (performance.now() - began)) * 1000, bytesPerCpuS: bytes / (cpuSeconds(pid) - cpu) };
};

/**
 * Frames as long as those that the gateway sends, to all as fast as they take them, once all are there: handshakes would wait for ever. What
 * clients say is read and thrown away.
 */
const BARE = (frame: number, boards: number): string => `
const tls = require('node:tls');
const [cert, key] = [process.env.BENCH_CERT, process.env.BENCH_KEY];
const frame = Buffer.alloc(${frame}, 1);
const sockets = [];
tls.createServer({ cert, key, minVersion: 'TLSv1.3' }, (socket) => {
  socket.on('error', () => {}).resume();
  if (sockets.push(socket) < ${boards}) return;
  for (const one of sockets) {
    const fill = () => { while (one.write(frame)); };
    one.on('drain', fill);
    fill();
  }
}).listen(${BARE_PORT}, '127.0.0.1', () => console.log('ready'));
`;

const bare = async (boards: number, frame: number, seconds: number): Promise<Served> => {
  const { certificatePem, privateKeyPem } = identityFromSeed(nodeCrypto.sha256(utf8('bare')), 'bare');
  const env = { ...process.env, BENCH_CERT: certificatePem, BENCH_KEY: privateKeyPem };
  const [file = '', ...words] = [...pinned(SERVER_CORE), process.execPath, '-e', BARE(frame, boards)];
  const server = spawn(file, words, { stdio: ['ignore', 'pipe', 'inherit'], env });
  await once(server.stdout, 'data');
  const clients = new Clients();
  try {
    await clients.do({ kind: 'bare', port: BARE_PORT, clients: boards, frame });
    return await measured(clients, server.pid ?? 0, seconds);
  } finally {
    await clients.end();
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
};

const namesOf = (what: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${what} ${at}`);

const arrived = async (stage: Stage, names: string[]): Promise<Clients> => {
  const clients = new Clients();
  const claims: string[] = [];
  for (const _ of names) claims.push(await stage.claim());
  const gateway = fingerprint(nodeCrypto, stage.gatewayKey);
  await clients.do({ kind: 'arrive', address: stage.address, gateway, gatewayKey: hex(stage.gatewayKey), names, claims });
  return clients;
};

export interface FanOut {
  ours: Served;
  /** While five times as many records come. */
  pressed: Served;
  bare: Served;
  ackWaitMsMax: number;
}

/** Once around with the gateway, with the bare server before and after it: who else is at work on the machine meets both. */
const once_ = async (stage: Stage, payload: Payload, round: number, boards: number, seconds: number): Promise<FanOut> => {
  const frame = (payload.chunks[0]?.length ?? 0) + FRAME_OVERHEAD;
  const before = await bare(boards, frame, seconds / 2);
  const [busy, quiet] = [await arrived(stage, namesOf(`busy ${round}`, boards)), await arrived(stage, namesOf(`quiet ${round}`, QUIET))];
  try {
    await busy.do({ kind: 'ask', hashes: payload.chunks.map((chunk) => hex(nodeCrypto.sha256(chunk))), frame });
    await quiet.do({ kind: 'use', everyMs: RECORD_EVERY_MS });
    const ours = await measured(busy, stage.gatewayPid, seconds / 2);
    await quiet.do({ kind: 'use', everyMs: PRESSED_EVERY_MS });
    const pressed = await measured(busy, stage.gatewayPid, seconds / 2);
    const { waitedMs } = await quiet.do({ kind: 'count' });
    await Promise.all([busy.end(), quiet.end()]);
    const after = await bare(boards, frame, seconds / 2);
    const mean = (of: (served: Served) => number): number => (of(before) + of(after)) / 2;
    return {
      ...{ ours, pressed },
      bare: { bytesPerS: mean(({ bytesPerS }) => bytesPerS), bytesPerCpuS: mean(({ bytesPerCpuS }) => bytesPerCpuS) },
      ackWaitMsMax: waitedMs,
    };
  } finally {
    await Promise.allSettled([busy.end(), quiet.end()]);
  }
};

export const fanOut = async (boards: number, seconds: number): Promise<FanOut> => {
  const stage = new Stage('127.0.0.1', 28_970, pinned(SERVER_CORE));
  try {
    await stage.open();
    const payload = stage.payload('blob', CONTENT_BYTES);
    await stage.pushPayload(payload);
    const rounds: FanOut[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await once_(stage, payload, round, boards, seconds));
    const middle = (of: (round: FanOut) => Served): Served => ({
      bytesPerS: median(rounds.map((round) => of(round).bytesPerS)),
      bytesPerCpuS: median(rounds.map((round) => of(round).bytesPerCpuS)),
    });
    return {
      ours: middle(({ ours }) => ours),
      pressed: middle(({ pressed }) => pressed),
      bare: middle(({ bare }) => bare),
      ackWaitMsMax: Math.max(...rounds.map(({ ackWaitMsMax }) => ackWaitMsMax)),
    };
  } finally {
    await stage.close();
  }
};
