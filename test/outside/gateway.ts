/**
 * A real gateway as others meet it: its doors on loopback, its HTTP API, its journal. It runs in this process, and
 * nothing here looks inside it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { firstOperator } from '../../gateway/cli/ceremony.ts';
import { openPush, type Push } from '../../gateway/cli/mqtt-push.ts';
import { type RunningGateway, runGateway } from '../../gateway/main.ts';
import { PEER_TIMINGS } from '../../gateway/peers/links.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Alpn, type Dialled, dial } from '../../runtime/adapters/tls.ts';
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { ERRORS, type ErrorCode, LichenError, type Told } from '../../runtime/protocol/errors.ts';
import type { GatewayId, OperatorId, TenantId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { entrySchema, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import type { Answer } from '../../runtime/protocol/nouns/messages.ts';
import type { GatewayEntry, OperatorDoc } from '../../runtime/protocol/nouns/trust.ts';
import { freePorts } from '../../sim/harness/ports.ts';
import { until } from '../../sim/harness/wait.ts';
import { type Person, person } from './person.ts';

/** A peer that was away is dialled again by then, on a machine that is busy, too. */
export const PATIENCE_MS = PEER_TIMINGS.backoffCapMs + 15_000;
export const root = person('operator root');
export const tenant = person<TenantId>('tenant');

/** What gateways of this process wrote to their journals, in order. */
const journal: string[] = [];
let listeners = 0;
const write = process.stderr.write.bind(process.stderr);

/** A gateway's journal is its process's stderr, which here is the tests' own. */
const capture = (): void => {
  if (listeners++ > 0) return;
  process.stderr.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
    const text = String(chunk);
    if (!text.startsWith('{"at":')) return write(chunk, ...rest);
    journal.push(...text.trimEnd().split('\n'));
    return true;
  }) as typeof process.stderr.write;
};

const release = (): void => {
  if (--listeners === 0) process.stderr.write = write;
};

export const entryOf = (one: Person, name: string, port: number): GatewayEntry => ({
  gateway: one.id as GatewayId,
  key: one.key,
  name,
  region: 'upland',
  address: `127.0.0.1:${port}`,
});

export interface Federation {
  doc: OperatorDoc;
  document: Bytes;
  entries: GatewayEntry[];
}

/** One operator with gateways of these names, on ports that are free. */
export const federate = async (...names: string[]): Promise<Federation> => {
  const ports = await freePorts(names.length);
  const entries = names.map((name, at) => entryOf(person(`gateway ${name}`), name, ports[at] ?? 0));
  const terms = { threshold: 1, name: 'alder', gateways: entries, peers: [], feePermille: 80 };
  return { ...firstOperator(nodeCrypto, [root.signer], terms), entries };
};

/** Of everything that the API shows, what must not change when something is refused. */
export interface State {
  vector: Record<string, number>;
  [part: string]: unknown;
}

interface Reply {
  status: number;
  body: unknown;
}

export class Gateway {
  readonly entry: GatewayEntry;
  readonly operator: OperatorId;
  readonly dir: string;
  #running: RunningGateway;
  readonly #pushes: Push[] = [];
  /** What is in a log stays. */
  readonly #read: LogEntry[] = [];

  private constructor(entry: GatewayEntry, operator: OperatorId, dir: string, running: RunningGateway) {
    this.entry = entry;
    this.operator = operator;
    this.dir = dir;
    this.#running = running;
  }

  /** `key`: another than the one it was born with. `dir`: of a life before. */
  static async open(
    federation: Federation,
    name: string,
    more: { key?: Person; dir?: string; documents?: Bytes[] } = {},
  ): Promise<Gateway> {
    const entry = federation.entries.find((candidate) => candidate.name === name);
    if (entry === undefined) throw new Error(`no gateway ${name}`);
    capture();
    const dir = more.dir ?? mkdtempSync(join(tmpdir(), 'lichen-outside-'));
    mkdirSync(dir, { recursive: true });
    rmSync(join(dir, 'gateway.key'), { force: true });
    writeFileSync(join(dir, 'gateway.key'), (more.key ?? person(`gateway ${name}`)).seed, { mode: 0o600 });
    const operatorDocs = (more.documents ?? [federation.document]).map((document, at) => {
      writeFileSync(join(dir, `operator-${at}.cose`), document);
      return join(dir, `operator-${at}.cose`);
    });
    const running = await runGateway({
      ...{ data: dir, gateway: entry.gateway, operator: federation.doc.operator, operatorDocs, name, region: entry.region },
      ...{ host: '127.0.0.1', port: Number(entry.address.split(':')[1]), address: entry.address },
      ...{ apiHost: '127.0.0.1', apiPort: 0, silenceMs: 5000, contentBytes: LIMITS.contentBytes },
    });
    return new Gateway(entry, federation.doc.operator, dir, running);
  }

  get token(): string {
    return this.#running.token;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#running.apiPort}`;
  }

  /** Raw, as any HTTP client would. */
  async ask(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS), ...init });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.ask(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body as T;
  }

  /** As the operator. */
  async order<T>(path: string, body: unknown): Promise<T> {
    const reply = await this.ask(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${this.token}` },
    });
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body as T;
  }

  admit(one: Person): Promise<unknown> {
    return this.order('/1/admissions', { role: 'tenant', key: hex(one.key), name: 'somebody' });
  }

  push(body: Bytes): Promise<Reply> {
    return this.ask('/1/push', { method: 'POST', body: new Uint8Array(body) });
  }

  /** For what has to be there before the test begins. */
  async accepts(...bodies: Bytes[]): Promise<void> {
    for (const body of bodies) {
      const reply = await this.push(body);
      if (reply.status !== 200) throw new Error(`push: ${JSON.stringify(reply.body)}`);
    }
  }

  async mqtt(one: Person = tenant, suffix?: string): Promise<Push> {
    const { address, key } = this.entry;
    const options = { address, gatewayKey: key, tenant: one.id, seed: one.seed, timeoutMs: PATIENCE_MS };
    const push = await openPush(suffix === undefined ? options : { ...options, suffix });
    this.#pushes.push(push);
    return push;
  }

  /** Past the handshake, and not a word said. */
  dial(alpn: Alpn, one: Person): Promise<Dialled> {
    const target = { address: this.entry.address, alpn, identity: one.identity, expectKey: this.entry.key, timeoutMs: PATIENCE_MS };
    return new Promise((resolve, reject) => {
      dial(target, (result) => {
        if (result instanceof LichenError) return reject(result);
        result.stream.on('error', () => {});
        resolve(result);
      });
    });
  }

  /** `presence` entries and what follows from them, also for what a request lacks, are left out: a session that ends is no state that anyone asked for. */
  async state(): Promise<State> {
    const { vector, pending } = await this.get<{ vector: Record<string, number>; pending: number }>('/1/status');
    const boards = await this.get<Record<string, unknown>[]>('/1/boards');
    const instances = await this.get<{ report: Record<string, unknown> | null }[]>('/1/instances');
    const requests = await this.get<Record<string, unknown>[]>('/1/requests');
    const entries = await this.log();
    const lasting = entries.filter(({ kind }) => kind !== 'presence').length;
    return {
      vector: { ...vector, [this.entry.gateway]: lasting },
      pending,
      boards: boards.map(({ here, sinceMs, ...rest }) => rest),
      instances: instances.map(({ report, ...rest }) => ({ ...rest, report: report === null ? null : { ...report, atMs: 0 } })),
      releases: await this.get('/1/releases'),
      requests: requests.map(({ lacks, ...rest }) => rest),
      periods: await this.get('/1/periods'),
    };
  }

  /** The gateway's own log, as anyone may read it: once all of it stands below a signed head. */
  log(): Promise<LogEntry[]> {
    return until('all of the log to be signed', PATIENCE_MS, () => this.#readOn());
  }

  async #readOn(): Promise<LogEntry[] | null> {
    for (;;) {
      const path = `/1/logs/${this.entry.gateway}?from=${this.#read.length}`;
      const page = await this.get<{ entries: string[]; head: string | null; size: number }>(path);
      if (page.head === null) return page.size === this.#read.length ? [...this.#read] : null;
      this.#read.push(...page.entries.map((entry) => decodeAs(entrySchema, fromHex(entry), 'entry')));
    }
  }

  /** Waits for a refusal that only the journal can tell, MQTT having no word for it. */
  async journalled(code: ErrorCode, why: RegExp, from: number): Promise<string> {
    return until(`the journal to say ${code} ${why}`, PATIENCE_MS, () =>
      journal.slice(from).find((line) => line.includes(`${code}: `) && why.test(line)),
    );
  }

  async close(): Promise<void> {
    for (const push of this.#pushes.splice(0)) push.close();
    await this.#running.close();
    release();
  }

  /** Ends it, and whatever it wrote. */
  async end(): Promise<void> {
    await this.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Where the journal stands now. */
export const journalMark = (): number => journal.length;

/** What, why and what next, as the table has it unless more is known of it. */
export const told = (code: ErrorCode, why: RegExp, next: string = ERRORS[code].next): Told => ({
  code,
  says: ERRORS[code].says,
  why: expect.stringMatching(why) as string,
  next,
});

/** The same over MQTT, whose answer says what and why in one text. */
export const answered = (code: ErrorCode, why: RegExp, next: string = ERRORS[code].next): Partial<Answer> => ({
  ok: false,
  code,
  why: expect.stringMatching(new RegExp(`^${ERRORS[code].says.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')} .*${why.source}`)) as string,
  next,
});
