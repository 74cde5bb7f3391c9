/**
 * The last so many bytes of a log, in two files that are named by the position at which they begin: they lie in memory
 * (tmpfs), and outlive the runtime that writes them. When the second is full, the first goes.
 */
import { appendFileSync, closeSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { LogSpan } from '../../ports/partitions.ts';
import { list } from './state.ts';

interface Part {
  start: number;
  bytes: number;
}

const MODE = { mode: 0o600 };

export class LogRing {
  readonly #directory: string;
  readonly #name: string;
  #parts: Part[];

  /** `name` in `directory`, which there may be already. */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    const prefix = `${name}.text.`;
    this.#parts = list(directory)
      .filter((file) => file.startsWith(prefix) && /^\d+$/.test(file.slice(prefix.length)))
      .map((file) => ({ start: Number(file.slice(prefix.length)), bytes: statSync(`${directory}/${file}`).size }))
      .sort((a, b) => a.start - b.start);
  }

  get isNew(): boolean {
    return this.#parts.length === 0;
  }

  get start(): number {
    return this.#parts[0]?.start ?? 0;
  }

  get end(): number {
    const last = this.#parts.at(-1);
    return last === undefined ? 0 : last.start + last.bytes;
  }

  /** What was kept of an earlier life; only into an empty ring. */
  restore(start: number, text: Buffer): void {
    this.#parts = [{ start, bytes: text.length }];
    writeFileSync(this.#path(start), text, MODE);
  }

  /** Whole lines. What is kept afterwards is at least half of `capBytes`, if so much was said. */
  append(text: Buffer, capBytes: number): void {
    if (text.length === 0) return;
    let last = this.#parts.at(-1);
    if (last === undefined || last.bytes + text.length > capBytes / 2) {
      last = { start: this.end, bytes: 0 };
      this.#parts.push(last);
      while (this.#parts.length > 2) rmSync(this.#path(this.#parts.shift()?.start ?? 0), { force: true });
    }
    appendFileSync(this.#path(last.start), text, MODE);
    last.bytes += text.length;
  }

  /** From a position that was read before; one that is kept no more, or never was, is answered by what there is. */
  read(from: number | null, tailBytes: number, maxBytes: number): LogSpan {
    const { start, end } = this;
    const isKnown = from !== null && from <= end;
    const wanted = from === null ? end - tailBytes : isKnown ? from : start;
    const at = Math.max(start, wanted);
    const part = this.#parts.findLast((one) => one.start <= at);
    const bytes = part === undefined ? Buffer.alloc(0) : this.#bytes(part, at - part.start, maxBytes);
    // A tail may begin in the middle of a line.
    const skip = from === null && at > start ? bytes.indexOf('\n') + 1 : 0;
    const until = bytes.lastIndexOf('\n') + 1;
    const text = bytes.subarray(skip, Math.max(skip, until));
    return { from: at + skip, next: at + skip + text.length, missed: isKnown ? at - wanted : 0, text: text.toString('utf8') };
  }

  /** All that is there. */
  whole(): Buffer {
    return Buffer.concat(this.#parts.map((part) => this.#bytes(part, 0, part.bytes)));
  }

  remove(): void {
    for (const { start } of this.#parts) rmSync(this.#path(start), { force: true });
    this.#parts = [];
  }

  #bytes({ start, bytes }: Part, offset: number, maxBytes: number): Buffer {
    const buffer = Buffer.alloc(Math.min(maxBytes, bytes - offset));
    const fd = openSync(this.#path(start), 'r');
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, offset));
    } finally {
      closeSync(fd);
    }
  }

  #path(start: number): string {
    return `${this.#directory}/${this.#name}.text.${start}`;
  }
}
