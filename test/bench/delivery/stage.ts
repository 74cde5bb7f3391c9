/** One gateway as a process, releases of random bytes, boards that are paired: what throughput is measured with. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANY_PRICE, firstOperator, firstPublisher, makeBinding, makeRequest, makeVoucher } from '../../../gateway/cli/ceremony.ts';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { type BoardId, fingerprint, type GatewayId, type TenantId } from '../../../runtime/protocol/ids.ts';
import { encodeAs, payloadOf, seal } from '../../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import { BOARD_NODE_FLAGS } from '../../../sim/harness/board.ts';
import { removeInstances } from '../../../sim/harness/sweep.ts';
import { until } from '../../../sim/harness/wait.ts';
import { timeProcess } from '../measure.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const seedOf = (name: string): Bytes => nodeCrypto.sha256(utf8(`bench ${name}`));
const signerOf = (name: string) => signerFromSeed(seedOf(name));
const PIECE_BYTES = 16 * 1024;
const PIECES_PER_PAGE = 1000;
const PUSHED_AT_ONCE = 8;
const CURRENCY = 'EUR';
const FREE = { wallHour: 0n, cpuSecond: 0n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n };
const LASTING = ['/usr/bin/node', '-e', "process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1000)"];

export interface Payload {
  release: Bytes;
  bytes: number;
  manifest: Bytes;
  pages: Bytes[];
  chunks: Bytes[];
  /** Hex, of its one large file. */
  file: string;
}

export interface Child {
  pid: number;
  end(): Promise<void>;
}

/** With these words before it, such as those that lead into a namespace. */
export const startAs = (before: string[], args: string[]): Child => {
  const [file = '', ...rest] = [...before, process.execPath, ...args];
  const child = spawn(file, rest, {
    stdio: ['ignore', 'ignore', process.env.LICHEN_BENCH_LOG ? 'inherit' : 'ignore'],
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid ?? 0,
    end: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
};

/** While it is made the connections to the gateway are looked after: one that was closed meanwhile must not be asked anything. */
const bundleOf = async (directory: string): Promise<string> => {
  const out = join(directory, 'runtime.mjs');
  await timeProcess(process.execPath, ['build.mjs', 'bundle', '--entry', 'runtime/main.ts', '--outfile', out], { cwd: root });
  return out;
};

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'lichen-bench-'));
  readonly gatewayKey = signerOf('gateway').publicKey;
  readonly #tenant = signerOf('tenant');
  readonly #owner = signerOf('owner');
  readonly #releaseKey = signerOf('release key');
  readonly #before: string[];
  readonly #host: string;
  readonly #port: number;
  readonly #api: number;
  #gateway: Child | null = null;
  #runtime = '';

  /** Where boards reach the gateway; words before its command. */
  constructor(host: string, port = 28_883, before: string[] = []) {
    this.#before = before;
    this.#host = host;
    this.#port = port;
    this.#api = port + 1;
  }

  get address(): string {
    return `${this.#host}:${this.#port}`;
  }

  get gatewayPid(): number {
    return this.#gateway?.pid ?? 0;
  }

  async open(): Promise<void> {
    const data = join(this.directory, 'gateway');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'gateway.key'), seedOf('gateway'), { mode: 0o600 });
    const gateway = fingerprint<GatewayId>(nodeCrypto, this.gatewayKey);
    const entry = { gateway, key: this.gatewayKey, name: 'bench', region: 'bench', address: this.address };
    const { doc, document } = firstOperator(nodeCrypto, [signerOf('root')], {
      threshold: 1,
      name: 'bench',
      gateways: [entry],
      peers: [],
      feePermille: 0,
    });
    const operator = join(this.directory, 'operator.cose');
    writeFileSync(operator, document);
    const args = [
      'gateway',
      'run',
      '--data',
      data,
      '--operator-id',
      doc.operator,
      '--operator',
      operator,
      '--name',
      'bench',
      '--region',
      'bench',
    ];
    const doors = ['--listen', this.address, '--address', this.address, '--api-listen', `127.0.0.1:${this.#api}`];
    this.#gateway = startAs(this.#before, [join(root, 'gateway/lichen.ts'), ...args, ...doors]);
    await until('the gateway to answer', 20_000, () => this.ask('/1/status'));
    await this.#order('/1/admissions', { role: 'tenant', key: hex(this.#tenant.publicKey), name: 'bench' });
    await this.push(this.#publisher.document);
    this.#runtime = await bundleOf(this.directory);
  }

  get #publisher() {
    return firstPublisher(nodeCrypto, [signerOf('publisher root')], { threshold: 1, name: 'bench', keys: [this.#releaseKey.publicKey] });
  }

  async ask(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#api}${path}`);
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  }

  async #order(path: string, body: unknown): Promise<Record<string, unknown>> {
    const token = readFileSync(join(this.directory, 'gateway', 'admin.token'), 'utf8').trim();
    const response = await fetch(`http://127.0.0.1:${this.#api}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}` },
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }

  async push(body: Bytes): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#api}/1/push`, { method: 'POST', body: new Uint8Array(body) });
    if (!response.ok) throw new Error(await response.text());
    await response.arrayBuffer();
  }

  /** Nothing of it can be packed. */
  payload(recipe: string, bytes: number, more: Partial<Manifest> = {}): Payload {
    const chunks = Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, () => new Uint8Array(randomBytes(PIECE_BYTES)));
    const refs = chunks.map((chunk): ChunkRef => [nodeCrypto.sha256(chunk), chunk.length]);
    const hash = nodeCrypto.sha256(new Uint8Array(Buffer.concat(chunks)));
    const whole = { kind: 'file' as const, path: 'blob', executable: false, bytes: chunks.length * PIECE_BYTES, hash };
    const pages: Bytes[] = [];
    for (let at = 0; at < refs.length; at += PIECES_PER_PAGE) {
      const own = refs.slice(at, at + PIECES_PER_PAGE);
      const entry: Entry = at === 0 ? { ...whole, chunks: own } : { kind: 'more', path: 'blob', chunks: own };
      pages.push(encodeAs(pageSchema, { v: 1, entries: [entry] }, 'page'));
    }
    const manifest: Manifest = {
      ...{
        v: 1,
        publisher: this.#publisher.doc.publisher,
        recipe,
        label: '1',
        sequence: 1,
        arch: 'any',
        pages: pages.map((page) => nodeCrypto.sha256(page)),
      },
      ...{ entries: 1, bytes: whole.bytes, args: LASTING, env: {}, engine: 'node', parameters: {}, promises: [], demands: 'dev' },
      limits: { memoryMib: 64, cpuMillis: 500, pids: 32, tmpMib: 1 },
      ...more,
    };
    const document = seal(manifestNoun, manifest, this.#releaseKey);
    return {
      release: nodeCrypto.sha256(payloadOf(manifestNoun, manifest)),
      bytes: whole.bytes,
      manifest: document,
      pages,
      chunks,
      file: hex(hash),
    };
  }

  async pushPayload({ manifest, pages, chunks }: Payload): Promise<void> {
    await this.push(manifest);
    for (const page of pages) await this.push(page);
    const left = [...chunks];
    const worker = async (): Promise<void> => {
      for (let chunk = left.pop(); chunk !== undefined; chunk = left.pop()) await this.push(chunk);
    };
    await Promise.all(Array.from({ length: PUSHED_AT_ONCE }, worker));
  }

  async claim(): Promise<string> {
    return String((await this.#order('/1/claims', { owner: fingerprint(nodeCrypto, this.#owner.publicKey) })).claim);
  }

  async bind(board: BoardId): Promise<void> {
    const terms = { board, payee: 'bench', version: 1, currency: CURRENCY, rates: FREE, policy: { partitions: 8, labels: [] } };
    await this.push(makeBinding(nodeCrypto, this.#owner, terms));
  }

  /** The moment at which it was accepted, ms. */
  async request(name: string, { release }: Pick<Payload, 'release'>, more: Partial<Request> = {}): Promise<number> {
    const voucher = makeVoucher(nodeCrypto, this.#tenant, {
      name,
      serial: 1,
      currency: CURRENCY,
      capMicro: 1_000_000_000n,
      notAfterMs: 4_102_444_800_000,
    });
    await this.push(voucher.document);
    const { document } = makeRequest(nodeCrypto, this.#tenant, {
      ...{ name, sequence: 1, state: 'started', release, replicas: 1, parameters: {}, filter: {}, priceCap: ANY_PRICE, currency: CURRENCY },
      ...{ voucher: voucher.hash, onIsolation: 'continue', patienceMs: 3_600_000, ...more },
    });
    await this.push(document);
    return performance.now();
  }

  tenantId(): TenantId {
    return fingerprint<TenantId>(nodeCrypto, this.#tenant.publicKey);
  }

  /** A board of the bundled runtime, at home and bound. */
  async board(
    name: string,
    before: string[],
    tier: 'dev' | null,
    more = ['--neighbours', 'off'],
  ): Promise<{ id: BoardId; data: string; child: Child }> {
    const data = join(this.directory, name);
    const seed = seedOf(name);
    mkdirSync(data, { mode: 0o711 });
    writeFileSync(join(data, 'board.key'), seed, { mode: 0o600 });
    const id = fingerprint<BoardId>(nodeCrypto, signerFromSeed(seed).publicKey);
    const paces = ['--tick-ms', '1000', '--meter-ms', '60000', '--report-ms', '60000', '--patience-ms', '10000'];
    const args = [
      ...BOARD_NODE_FLAGS,
      this.#runtime,
      '--data',
      data,
      '--claim',
      await this.claim(),
      '--capacity',
      'memory=512,cpu=2000,partitions=8',
      ...paces,
    ];
    const runtime = startAs(before, [...args, ...more, ...(tier === null ? [] : ['--tier', tier])]);
    const end = async (): Promise<void> => {
      await runtime.end();
      // What it ran outlives it.
      await removeInstances(this.#runtime, { data, tier });
    };
    await until('the board to be here', 60_000, async () =>
      ((await this.ask('/1/boards')) as { board: string }[]).some(({ board }) => board === id),
    );
    await this.bind(id);
    return { id, data, child: { pid: runtime.pid, end } };
  }

  async close(): Promise<void> {
    await this.#gateway?.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
