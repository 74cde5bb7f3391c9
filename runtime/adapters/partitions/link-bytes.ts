/** What passed the links of the machine: one file tells it of all of them, and is read once for all partitions of a tick. */
import { closeSync, openSync, readSync } from 'node:fs';
import { readText } from './state.ts';

const FILE = '/proc/net/dev';
/** Columns behind a name: sixteen, of which the first is bytes received and the ninth bytes sent (proc_pid_net(5)). */
const SENT_COLUMN = 8;

const buffer = Buffer.alloc(64 * 1024);

/** Bytes; zero of a link that is not there. */
export interface LinkBytes {
  received: bigint;
  sent: bigint;
}

export const NO_BYTES: LinkBytes = { received: 0n, sent: 0n };

/** Where the columns of a link begin; a name ends with a colon and stands at the right of six places, or of as many as it needs. */
const columnsAt = (text: string, link: string): number => {
  const name = `${link}:`;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    // Not the end of another's name.
    if (at === 0 || text[at - 1] === ' ' || text[at - 1] === '\n') return at + name.length;
  }
  return -1;
};

/** Of one link in the text of that file; null: it is not in there. */
export const linkBytesIn = (text: string, link: string): LinkBytes | null => {
  const at = columnsAt(text, link);
  if (at < 0) return null;
  const end = text.indexOf('\n', at);
  const columns = text.slice(at, end < 0 ? undefined : end).split(' ');
  const numbers = columns.filter((column) => column !== '');
  return { received: BigInt(numbers[0] ?? 0), sent: BigInt(numbers[SENT_COLUMN] ?? 0) };
};

const counted = (link: string, name: string): bigint => BigInt(readText(`/sys/class/net/${link}/statistics/${name}`)?.trim() ?? 0);

export class Links {
  #fd: number | null = null;
  #text: string | null = null;

  bytes(link: string): LinkBytes {
    if (this.#text === null) {
      this.#text = this.#read();
      // What is asked in the same breath is answered from the same look.
      queueMicrotask(() => {
        this.#text = null;
      });
    }
    // One that went unseen there, between two of its pages or behind the last that is read, would seem to have begun anew.
    return linkBytesIn(this.#text, link) ?? { received: counted(link, 'rx_bytes'), sent: counted(link, 'tx_bytes') };
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  /** The kernel gives it a page at a time. */
  #read(): string {
    this.#fd ??= openSync(FILE, 'r');
    let length = 0;
    for (;;) {
      const read = readSync(this.#fd, buffer, length, buffer.length - length, length);
      if (read === 0) return buffer.toString('latin1', 0, length);
      length += read;
    }
  }
}
