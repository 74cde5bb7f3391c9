/**
 * Follows the file that a reaper writes an instance's words to. The reaper begins a new file when one is full, whether
 * anybody has read it or not: so a flood costs its reader one file a look, and what went by unread is counted.
 */
import { closeSync, type FSWatcher, fstatSync, openSync, readSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { readText } from './state.ts';

/** Where a reaper writes. */
export interface LogSource {
  /** `conmon`: lines with moment and stream; `plain`: as it was said. */
  form: 'conmon' | 'plain';
  /** The file that is written to now; null: none yet. */
  path(): string | null;
  /** Written since the reaper began, also what is gone; null: it cannot be asked. */
  written(): number | null;
}

type Take = (raw: string) => void;
type Lost = (bytes: number) => void;

interface Cursor {
  /** Which reaper this is about. */
  reaper: string;
  inode: number;
  offset: number;
  /** Of all that it wrote: read, and counted as lost. */
  taken: number;
}

const READ_BYTES = 16 * 1024;
/** A reaper writes a little beside the log: less than this is no loss. */
const SLACK_BYTES = 1024;
const LINE_FEED = 10;

const parseCursor = (text: string | null, reaper: string): Cursor => {
  const [held, ...words] = (text ?? '').trim().split(' ');
  const [inode = 0, offset = 0, taken = 0] = held === reaper ? words.map(Number).filter(Number.isSafeInteger) : [];
  return { reaper, inode, offset, taken };
};

export class LogTail {
  readonly #source: LogSource;
  /** Where the position is kept, for the runtime's next life. */
  readonly #cursorPath: string;
  readonly #cursor: Cursor;
  #fd: number | null = null;
  /** As the last look found it. */
  #size = 0;
  /** Rings when a quiet one says something; silent, there is nothing to look for. */
  #bell: FSWatcher | null = null;

  constructor(source: LogSource, cursorPath: string, reaper: string) {
    this.#source = source;
    this.#cursorPath = cursorPath;
    this.#cursor = parseCursor(readText(cursorPath), reaper);
  }

  /** As `look`, but of one that is listened to only once it rings. Called time and again. */
  glance(take: Take, lost: Lost): void {
    if (this.#bell !== null || this.look(take, lost)) return;
    // Most say nothing for a long time. Once it rings nobody listens until it is quiet again: a flood rings once a look.
    this.#listen();
    if (this.look(take, lost)) this.#unlisten();
  }

  /** Hands on what is new, a piece at a time, and how much went by unread before it. Answers whether there was anything. */
  look(take: Take, lost: Lost): boolean {
    const cursor = this.#cursor;
    const before = this.#found();
    if (before === null || (before.ino === cursor.inode && before.size === cursor.offset)) return false;
    // What it has written is asked first: what it writes meanwhile must not seem lost.
    const written = before.ino === cursor.inode ? null : this.#source.written();
    const found = written === null ? before : this.#found();
    if (found === null) return true;
    const isNew = found.ino !== cursor.inode;
    if (isNew) {
      this.#drain(take, true);
      this.#shut();
      Object.assign(cursor, { inode: found.ino, offset: 0 });
      const behind = (written ?? 0) - found.size - cursor.taken;
      if (behind > SLACK_BYTES) {
        cursor.taken += behind;
        lost(behind);
      }
    }
    const isQuiet = !isNew && found.size === this.#size;
    this.#size = found.size;
    this.#fd ??= openSync(found.path, 'r');
    this.#drain(take, isQuiet);
    this.#keep();
    return true;
  }

  /** Where it cannot listen it goes on looking. */
  #listen(): void {
    const path = this.#source.path();
    if (path === null) return;
    try {
      this.#bell = watch(path, { persistent: false }, () => this.#unlisten());
      this.#bell.on('error', () => this.#unlisten());
    } catch {
      this.#bell = null;
    }
  }

  #unlisten(): void {
    this.#bell?.close();
    this.#bell = null;
  }

  #found(): { path: string; ino: number; size: number } | null {
    const path = this.#source.path();
    const stat = path === null ? undefined : statSync(path, { throwIfNoEntry: false });
    return path === null || stat === undefined ? null : { path, ino: stat.ino, size: stat.size };
  }

  close(): void {
    this.#unlisten();
    this.#shut();
  }

  #shut(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  remove(): void {
    this.close();
    rmSync(this.#cursorPath, { force: true });
  }

  /** `isWhole`: also a line that has no end yet. */
  #drain(take: Take, isWhole: boolean): void {
    const fd = this.#fd;
    if (fd === null) return;
    const cursor = this.#cursor;
    // As far as it goes now: who writes faster than is read here would hold the runtime up.
    const end = fstatSync(fd).size;
    const buffer = Buffer.alloc(READ_BYTES);
    while (cursor.offset < end) {
      const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, end - cursor.offset), cursor.offset);
      const lines = buffer.subarray(0, read).lastIndexOf(LINE_FEED) + 1;
      const held = lines === 0 && (isWhole || read === READ_BYTES) ? read : lines;
      if (held === 0) return;
      take(buffer.toString('utf8', 0, held));
      cursor.offset += held;
      cursor.taken += held;
    }
  }

  /** A cut in between repeats some lines, and loses none. */
  #keep(): void {
    const { reaper, inode, offset, taken } = this.#cursor;
    writeFileSync(`${this.#cursorPath}.next`, `${reaper} ${inode} ${offset} ${taken}\n`, { mode: 0o600 });
    renameSync(`${this.#cursorPath}.next`, this.#cursorPath);
  }
}
