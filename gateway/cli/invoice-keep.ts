/** Evidence of a period, fetched from one gateway: every log whole, each up to a head that its author signed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, equal, fromHex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { Client } from './client.ts';
import { fetchStatement } from './statement.ts';

interface Log {
  entries: Bytes[];
  head: string;
}

/** Heads cover what came before them, so batch follows batch until the newest one. Null for a log without a head. */
const fetchLog = async (client: Client, author: string): Promise<Log | null> => {
  const entries: Bytes[] = [];
  let head: string | null = null;
  for (;;) {
    const batch = await client.ask('log', { path: { author }, query: { from: String(entries.length) } });
    if (batch.head === null) break;
    if (batch.entries.length === 0) refuse('bad-schema', `${client.url} answers with a head of ${author} and no entries`);
    entries.push(...batch.entries.map(fromHex));
    head = batch.head;
    if (entries.length >= batch.size) break;
  }
  return head === null ? null : { entries, head };
};

export interface KeptPeriod {
  period: number;
  folder: string;
  authors: string[];
  entries: number;
}

/** Evidence is never overwritten by that of another period. */
const checkFolder = (folder: string, statement: Bytes): void => {
  const path = join(folder, 'statement.cbor');
  if (existsSync(path) && !equal(new Uint8Array(readFileSync(path)), statement))
    refuse('conflict', `${folder} keeps another statement already; name another folder`);
};

/**
 * Errors: `not-found` for a period that is not closed, `missing-content` while a peer's log is on its way, `conflict`
 * for a folder that keeps something else.
 */
export const keepPeriod = async (client: Client, period: number, folder: string): Promise<KeptPeriod> => {
  const statement = await fetchStatement(client, period);
  checkFolder(folder, statement);
  const { vector } = await client.ask('status');
  const logs = new Map<string, Log>();
  for (const author of Object.keys(vector).sort()) {
    const log = await fetchLog(client, author);
    if (log !== null) logs.set(author, log);
  }
  const { writeKept } = await import('./kept.ts');
  writeKept(folder, { logs, statement });
  return { period, folder, authors: [...logs.keys()], entries: [...logs.values()].reduce((sum, { entries }) => sum + entries.length, 0) };
};
