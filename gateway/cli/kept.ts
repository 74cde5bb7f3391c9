/** The kept folder on disk; docs/keep.md is its format. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import type { Kept } from './audit-evidence.ts';

const LENGTH_BYTES = 4;
/** As in a peer frame. */
const ENTRY_MAX = LIMITS.packetBytes;

export const joinEntries = (entries: Bytes[]): Bytes => {
  const out = new Uint8Array(entries.reduce((sum, entry) => sum + LENGTH_BYTES + entry.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint32(at, entry.length);
    out.set(entry, at + LENGTH_BYTES);
    at += LENGTH_BYTES + entry.length;
  }
  return out;
};

/** Error: `bad-schema` when the file ends inside an entry or one is over its limit. */
export const splitEntries = (file: Bytes): Bytes[] => {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const entries: Bytes[] = [];
  for (let at = 0; at < file.length; ) {
    if (at + LENGTH_BYTES > file.length) refuse('bad-schema', 'the log ends inside a length');
    const length = view.getUint32(at);
    if (length > ENTRY_MAX || at + LENGTH_BYTES + length > file.length)
      refuse('bad-schema', `entry ${entries.length} does not end inside the log`);
    entries.push(file.slice(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return entries;
};

const forPeople = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;

const plainBytes = (path: string): Bytes => Uint8Array.from(readFileSync(path));

/** `kernel`: what was read from the kernel's own counters, kept beside the bill for whoever compares. */
export const writeKept = (directory: string, kept: Kept, kernel?: unknown): void => {
  const logs = join(directory, 'logs');
  mkdirSync(logs, { recursive: true });
  for (const [author, { entries, head }] of kept.logs) {
    if (!/^[a-z2-7]{32}$/.test(author)) refuse('bad-schema', `${author} is no gateway's id`);
    writeFileSync(join(logs, `${author}.cbor`), joinEntries(entries));
    writeFileSync(join(logs, `${author}.head`), head);
  }
  writeFileSync(join(directory, 'statement.cbor'), kept.statement);
  writeFileSync(join(directory, 'statement.json'), `${JSON.stringify(decodeStatement(kept.statement), forPeople, 2)}\n`);
  if (kernel !== undefined) writeFileSync(join(directory, 'kernel.json'), `${JSON.stringify(kernel, forPeople, 2)}\n`);
};

/** Reads `logs/` and `statement.cbor`; the JSON files are for people. Error: `not-found` when one of them is missing. */
export const readKept = (directory: string): Kept => {
  const read = <T>(what: string, from: () => T): T => {
    try {
      return from();
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')
        return refuse('not-found', `${directory} holds no ${what}`);
      throw thrown;
    }
  };
  const names = read('logs/', () => readdirSync(join(directory, 'logs')))
    .filter((name) => name.endsWith('.cbor'))
    .sort();
  const logs: Kept['logs'] = new Map();
  for (const name of names) {
    const author = name.slice(0, -'.cbor'.length);
    const entries = splitEntries(plainBytes(join(directory, 'logs', name)));
    logs.set(author, { entries, head: read(`logs/${author}.head`, () => readFileSync(join(directory, 'logs', `${author}.head`), 'utf8')) });
  }
  return { logs, statement: read('statement.cbor', () => plainBytes(join(directory, 'statement.cbor'))) };
};
