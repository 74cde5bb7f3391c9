/**
 * The logs of all partitions. Words go from the instance through a pipe to its reaper, which outlives the runtime and writes
 * them to a file of bounded size in memory; from there they are taken, at most once a second, into a ring, also in memory, that
 * answers who reads. So a flood fills nothing, costs its reader a bounded look a second, and goes on being drained while no
 * runtime is there.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { LogSpan } from '../../ports/partitions.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { beginning } from '../../protocol/printable.ts';
import { bootMs } from './deadman.ts';
import { keepLog, keptLog, WearBudget } from './log-keep.ts';
import { fromConmon, fromPlain, lastSaid, linesFor } from './log-lines.ts';
import { LogRing } from './log-ring.ts';
import { type LogSource, LogTail } from './log-tail.ts';
import { list, type ProcessId } from './state.ts';

const KIB = 1024;
const LOOK_MS = 1_000;
/** Holds the longest line that the log keeps in one. */
const LAST_LINE_BYTES = 16 * KIB;
/** While somebody waits for the next line. */
const NEAR_LOOK_MS = 200;
/** Between two copies on the card: of an instance that runs, and of one that has ended. */
const KEEP_MS = 3_600_000;
const KEEP_ENDED_MS = 300_000;

interface Log {
  ring: LogRing;
  tail: LogTail | null;
  form: LogSource['form'];
  capBytes: number;
  ended: boolean;
  /** The end of what lies on the card, and when it was put there. */
  keptEnd: number;
  keptMs: number;
  followedMs: number;
}

interface Reader {
  partition: string;
  from: number | null;
  tailBytes: number;
  untilMs: number;
  answer(span: LogSpan): void;
}

export interface LogBookOptions {
  /** In memory, where the machine has such a place. */
  directory: string;
  /** Of a log's copy on the card. */
  keptPath(partition: string): string;
}

const now = (): string => new Date().toISOString();

export class LogBook {
  readonly #options: LogBookOptions;
  readonly #budget: WearBudget;
  readonly #logs = new Map<string, Log>();
  readonly #timer: NodeJS.Timeout;
  #readers: Reader[] = [];
  #near: NodeJS.Timeout | null = null;

  constructor(options: LogBookOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#budget = new WearBudget(options.directory);
    this.#timer = setInterval(() => this.#lookAll(), LOOK_MS);
    this.#timer.unref();
  }

  /** From now on this reaper writes it. */
  follow(partition: string, source: LogSource, reaper: ProcessId, kib: number): void {
    const log = this.#log(partition);
    log.tail?.close();
    log.tail = new LogTail(source, `${this.#options.directory}/${partition}.at`, `${reaper.pid}-${reaper.startTicks}`);
    Object.assign(log, { form: source.form, ended: false, capBytes: kib * KIB, followedMs: bootMs() });
  }

  /** Its reaper is gone, or about to be: what it left is taken, and a copy is put on the card. */
  end(partition: string): void {
    const log = this.#logs.get(partition);
    if (log === undefined) return;
    this.#look(log);
    log.ended = true;
  }

  /** Answers once, at once or when there is something to say; what waits longest is answered when too many wait. */
  read(partition: string, from: number | null, tailBytes: number, waitMs: number): Promise<LogSpan> {
    const log = this.#log(partition);
    this.#look(log);
    const span = log.ring.read(from, tailBytes, LIMITS.logFrameBytes);
    if (span.text !== '' || waitMs === 0) return Promise.resolve(span);
    return new Promise((resolve) => {
      this.#readers.push({ partition, from: span.next, tailBytes, untilMs: bootMs() + waitMs, answer: resolve });
      if (this.#readers.length > LIMITS.watchesPerBoard) this.#answer(this.#readers.shift());
      // Whoever waits may be all that this process is still there for.
      this.#near ??= setInterval(() => this.#lookNear(), NEAR_LOOK_MS);
    });
  }

  /** Of what has ended; the shell that keeps the log of the dev engine ends a moment after it, so one that is waited for may come. */
  async lastLine(partition: string, waitMs: number): Promise<string> {
    const { text } = await this.read(partition, null, LAST_LINE_BYTES, waitMs);
    // One that waited is answered from where it waited, which is the beginning.
    return beginning(lastSaid(text), LIMITS.lastLineChars);
  }

  remove(partition: string): void {
    for (const reader of this.#readers.filter((one) => one.partition === partition)) this.#answer(reader);
    this.#readers = this.#readers.filter((one) => one.partition !== partition);
    const log = this.#log(partition);
    log.tail?.remove();
    log.ring.remove();
    this.#logs.delete(partition);
    const { directory } = this.#options;
    for (const name of list(directory)) if (name.startsWith(`${partition}.`)) rmSync(`${directory}/${name}`, { force: true });
  }

  /** The board may be about to lose its memory. */
  close(): void {
    clearInterval(this.#timer);
    if (this.#near !== null) clearInterval(this.#near);
    for (const reader of this.#readers.splice(0)) this.#answer(reader);
    for (const [partition, log] of this.#logs) {
      this.#look(log);
      this.#keep(partition, log, log.keptMs + KEEP_ENDED_MS);
      log.tail?.close();
    }
    // Nothing is left of any of them.
    const { directory } = this.#options;
    if (list(directory).every((name) => name === 'wear')) rmSync(directory, { recursive: true, force: true });
  }

  #log(partition: string): Log {
    const known = this.#logs.get(partition);
    if (known !== undefined) return known;
    const ring = new LogRing(this.#options.directory, partition);
    const kept = ring.isNew ? keptLog(this.#options.keptPath(partition)) : null;
    if (kept !== null) ring.restore(kept.start, kept.text);
    const log: Log = {
      ...{ ring, tail: null, form: 'conmon', capBytes: LIMITS.logKib * KIB, ended: false },
      ...{ keptEnd: ring.end, keptMs: Number.NEGATIVE_INFINITY, followedMs: bootMs() },
    };
    this.#logs.set(partition, log);
    return log;
  }

  #lookAll(): void {
    for (const [partition, log] of this.#logs) {
      this.#look(log, 'glance');
      if (log.ended) this.#keep(partition, log, log.keptMs + KEEP_ENDED_MS);
      else this.#keep(partition, log, Math.max(log.keptMs, log.followedMs) + KEEP_MS);
    }
  }

  #lookNear(): void {
    const nowMs = bootMs();
    for (const partition of new Set(this.#readers.map((reader) => reader.partition))) this.#look(this.#log(partition));
    const isDue = ({ partition, from, untilMs }: Reader): boolean => untilMs <= nowMs || this.#log(partition).ring.end > (from ?? 0);
    const due = this.#readers.filter(isDue);
    this.#readers = this.#readers.filter((reader) => !due.includes(reader));
    for (const reader of due) this.#answer(reader);
    if (this.#readers.length > 0 || this.#near === null) return;
    clearInterval(this.#near);
    this.#near = null;
  }

  #answer(reader: Reader | undefined): void {
    if (reader === undefined) return;
    const { partition, from, tailBytes, answer } = reader;
    answer(this.#log(partition).ring.read(from, tailBytes, LIMITS.logFrameBytes));
  }

  #look({ ring, tail, form, capBytes }: Log, how: 'look' | 'glance' = 'look'): void {
    const append = (text: string): void => ring.append(Buffer.from(text), capBytes);
    tail?.[how](
      (raw) => append(form === 'conmon' ? fromConmon(raw) : fromPlain(raw, now())),
      (bytes) => append(linesFor(now(), '!', `${bytes} bytes were said faster than they are kept`, false)),
    );
  }

  #keep(partition: string, log: Log, notBeforeMs: number): void {
    const { ring, keptEnd } = log;
    // Of most there is nothing new, and the clock is a file.
    if (ring.end === keptEnd) return;
    const nowMs = bootMs();
    if (nowMs < notBeforeMs) return;
    // Also when the budget is spent: it is asked again as rarely.
    log.keptMs = nowMs;
    if (keepLog(this.#options.keptPath(partition), ring.end, ring.whole(), this.#budget, nowMs)) log.keptEnd = ring.end;
  }
}
