/**
 * The link door where a folder is carried between board and gateway. It is asked before the network whenever one dials: what the
 * board says is written there, and an answer to what it said the last time is read. Every document is checked by who always does.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers';
import * as v from 'valibot';
import type { Link, LinkEvent } from '../ports/link.ts';
import { type Bytes, fromHex, hex } from '../protocol/bytes.ts';
import type { Crypto } from '../protocol/crypto.ts';
import { asLichenError, LichenError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../protocol/noun.ts';
import { helloNoun } from '../protocol/nouns/board.ts';
import { chunk, want } from '../protocol/nouns/messages.ts';
import type { GatewayEntry } from '../protocol/nouns/trust.ts';
import { takes } from '../protocol/schema.ts';
import { BOARDS_FOLDER, STATUS_FILE } from '../protocol/stick.ts';
import type { TopicName } from '../protocol/topics.ts';
import type { Clock } from '../turn/clock.ts';
import type { StickFolder } from './stick-folder.ts';

export interface StickOptions {
  /** Of the board. */
  board: string;
  folder: StickFolder;
  /** Where it is remembered to which hello an answer is on its way. */
  memoryPath: string;
  crypto: Crypto;
  clock: Clock;
  /** What is said there is said anew after so long. */
  freshMs: number;
  /** Nothing more is coming. Default 3 s. */
  quietMs?: number;
}

const memorySchema = v.strictObject({ gateway: v.string(), nonce: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)) });
type Memory = v.InferOutput<typeof memorySchema>;

const NOTES = 20;

/** One time at which the folder is there and the board turned to it. */
interface Visit {
  gateway: GatewayEntry;
  /** There is an answer, which uses up the hello that it is to. */
  answered: boolean;
  said: number;
  read: number;
  /** Content that was asked for and is not there. */
  lacks: Set<string>;
  given: Set<string>;
  problems: string[];
  lastMonoMs: number;
}

export class StickLink implements Link {
  readonly #inner: Link;
  readonly #options: Required<StickOptions>;
  readonly #listeners: ((event: LinkEvent) => void)[] = [];
  #visit: Visit | null = null;
  /** The folder as it was left, and when. */
  #left = { mark: '', monoMs: Number.NEGATIVE_INFINITY };

  constructor(inner: Link, options: StickOptions) {
    this.#inner = inner;
    this.#options = { quietMs: 3_000, ...options };
  }

  watch(listener: (event: LinkEvent) => void): void {
    this.#listeners.push(listener);
    this.#inner.watch(listener);
  }

  dial(gateway: GatewayEntry, patienceMs?: number): void {
    this.hangUp();
    const memory = this.#remembered();
    if (!this.#isDue(gateway)) return this.#inner.dial(gateway, patienceMs);
    const { folder, board } = this.#options;
    const nonce = memory?.gateway === gateway.gateway ? fromHex(memory.nonce) : null;
    try {
      const { frames, problems } = folder.frames(board, 'down');
      const answered = nonce !== null && frames.length > 0;
      const visit: Visit = {
        gateway,
        answered,
        said: 0,
        read: frames.length,
        lacks: new Set(),
        given: new Set(),
        problems,
        lastMonoMs: this.#monoMs,
      };
      this.#visit = visit;
      folder.clear(board, 'up');
      this.#later(visit, () => {
        this.#tell({ kind: 'linked', gateway, carried: { nonce } });
        // What was answered is not to be answered again.
        if (answered) this.#forget();
        for (const { topic, payload } of answered ? frames : []) this.#later(visit, () => this.#tell({ kind: 'message', topic, payload }));
      });
      this.#endWhenQuiet(visit);
    } catch (thrown) {
      this.#failed(gateway, thrown);
    }
  }

  publish(topic: TopicName, payload: Bytes): void {
    const visit = this.#visit;
    if (visit === null) return this.#inner.publish(topic, payload);
    try {
      this.#take(visit, topic, payload);
    } catch (thrown) {
      this.#failed(visit.gateway, thrown);
    }
  }

  /** Whoever waits no longer has said what there was to say. */
  hangUp(): void {
    const visit = this.#visit;
    this.#visit = null;
    if (visit !== null) this.#leave(visit);
    this.#inner.hangUp();
  }

  /** Why something was refused meanwhile, for who carries the folder. */
  note(line: string): void {
    const visit = this.#visit;
    if (visit !== null && /refused|: /.test(line) && visit.problems.length < NOTES) visit.problems.push(line);
  }

  get #monoMs(): number {
    return this.#options.clock.now().monoMs;
  }

  /** It is there, speaks of this gateway, and somebody has written there since, or the board has more to say. */
  #isDue({ gateway }: GatewayEntry): boolean {
    const { folder, board, freshMs } = this.#options;
    try {
      if (!folder.isThere || folder.gateway() !== gateway) return false;
      return folder.markOf(board) !== this.#left.mark || this.#monoMs - this.#left.monoMs >= freshMs || this.#remembered() === null;
    } catch {
      return false;
    }
  }

  #take(visit: Visit, topic: TopicName, payload: Bytes): void {
    if (topic === 'want') return this.#give(visit, payload);
    if (topic === 'hello') {
      // To the hello before there is an answer; the next one is said when this visit is over.
      if (visit.answered) return;
      this.#remember(visit.gateway, unseal(this.#options.crypto, helloNoun, payload).value.nonce);
    } else if (topic === 'usage') visit.lastMonoMs = this.#monoMs;
    else if (topic !== 'report' && topic !== 'bring') return;
    if (visit.said >= LIMITS.carriedFrames) return;
    this.#options.folder.write(this.#options.board, 'up', visit.said++, { topic, payload });
  }

  #give(visit: Visit, payload: Bytes): void {
    for (const hash of decodeAs(want, payload, 'want').hashes) {
      const bytes = this.#options.folder.content(hex(hash));
      if (bytes === null) visit.lacks.add(hex(hash));
      // What is asked for again was not what it is called: it will not be the next time.
      else if (!visit.given.has(hex(hash))) {
        visit.given.add(hex(hash));
        visit.lastMonoMs = this.#monoMs;
      }
      this.#later(visit, () => this.#tell({ kind: 'message', topic: 'chunk', payload: encodeAs(chunk, { v: 1, hash, bytes }, 'chunk') }));
    }
  }

  #endWhenQuiet(visit: Visit): void {
    const { quietMs, clock } = this.#options;
    clock.after(quietMs, () => {
      if (this.#visit !== visit) return;
      if (this.#monoMs - visit.lastMonoMs < quietMs) return this.#endWhenQuiet(visit);
      this.#end(visit);
    });
  }

  #end(visit: Visit): void {
    this.#visit = null;
    const error = this.#leave(visit);
    if (error !== null) return this.#failed(visit.gateway, error);
    const what = visit.answered ? 'what it brought is taken' : 'what this board says is on it';
    this.#tell({ kind: 'unlinked', gateway: visit.gateway, error: new LichenError('unavailable', `a carried folder: ${what}`) });
  }

  /** Why it could not be left in order; null: it is. */
  #leave(visit: Visit): unknown {
    const { folder, board } = this.#options;
    try {
      if (visit.answered) folder.clear(board, 'down');
      this.#status(visit);
      this.#left = { mark: folder.markOf(board), monoMs: this.#monoMs };
      return null;
    } catch (thrown) {
      this.#left = { mark: '', monoMs: this.#monoMs };
      return thrown;
    }
  }

  /** For people, on any machine. */
  #status({ gateway, answered, said, read, lacks, problems }: Visit): void {
    const { folder, board, clock } = this.#options;
    const next = answered ? 'the board says hello anew in a moment' : `carry it to gateway ${gateway.name}: lichen release import`;
    const status = {
      v: 1,
      board,
      gateway: gateway.gateway,
      wallMs: clock.now().wallMs,
      said,
      read,
      lacks: [...lacks].slice(0, NOTES),
      problems,
      next,
    };
    folder.writeFile(`${BOARDS_FOLDER}/${board}/${STATUS_FILE}`, new TextEncoder().encode(`${JSON.stringify(status, null, 2)}\n`));
  }

  /** Pulled out, full or broken: nothing of it was needed. */
  #failed(gateway: GatewayEntry, thrown: unknown): void {
    this.#visit = null;
    this.#left = { mark: '', monoMs: this.#monoMs };
    const { message } = asLichenError(thrown);
    this.#tell({ kind: 'unlinked', gateway, error: new LichenError('unavailable', `a carried folder: ${message}`) });
  }

  #remembered(): Memory | null {
    const { memoryPath } = this.#options;
    try {
      return existsSync(memoryPath) ? (takes(memorySchema, JSON.parse(readFileSync(memoryPath, 'utf8')))?.value ?? null) : null;
    } catch {
      return null;
    }
  }

  #remember({ gateway }: GatewayEntry, nonce: Bytes): void {
    const { memoryPath } = this.#options;
    writeFileSync(`${memoryPath}.new`, JSON.stringify({ gateway, nonce: hex(nonce) } satisfies Memory), { mode: 0o600 });
    const handle = openSync(`${memoryPath}.new`, 'r');
    fsyncSync(handle);
    closeSync(handle);
    renameSync(`${memoryPath}.new`, memoryPath);
  }

  #forget(): void {
    rmSync(this.#options.memoryPath, { force: true });
  }

  /** Never from within what calls: the turn that published is not over yet. */
  #later(visit: Visit, act: () => void): void {
    setImmediate(() => {
      if (this.#visit === visit) act();
    });
  }

  #tell(event: LinkEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
