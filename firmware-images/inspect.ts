/** `lichen image inspect`: what a file is, and whether what stands beside it says the same. */
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { nodeCrypto } from '../runtime/adapters/crypto.ts';
import { fromHex } from '../runtime/protocol/bytes.ts';
import { refuse } from '../runtime/protocol/errors.ts';
import { hashOfFile } from './beside/beside.ts';
import { BOARDS } from './boards/boards.ts';
import { uuidOf } from './disk.ts';
import { type Extent, tableIn } from './gpt.ts';

export interface Inspected {
  file: string;
  bytes: number;
  sha256: string;
  /** Null for a packed image, and for one that is none of ours. */
  board: string | null;
  parts: Extent[];
  /** Whether the sums beside it have this file, with this sum; null if there are none. */
  sum: 'same' | 'different' | 'not listed' | null;
  /** Of these sums, by the key that was given. */
  signed: boolean | null;
}

const sumBeside = (path: string, sha256: string): Inspected['sum'] => {
  const sums = `${path.replace(/\.xz$/, '')}.sha256`;
  if (!existsSync(sums)) return null;
  const line = readFileSync(sums, 'utf8')
    .split('\n')
    .find((one) => one.endsWith(`  ${basename(path)}`));
  if (line === undefined) return 'not listed';
  return line.startsWith(`${sha256} `) ? 'same' : 'different';
};

const signedBy = (path: string, signer: string): boolean => {
  const sums = `${path.replace(/\.xz$/, '')}.sha256`;
  if (!existsSync(sums) || !existsSync(`${sums}.sig`)) refuse('not-found', `there is no ${sums}.sig`);
  return nodeCrypto.verify(fromHex(signer), readFileSync(sums), readFileSync(`${sums}.sig`));
};

export const inspectImage = async (path: string, signer?: string): Promise<Inspected> => {
  if (!existsSync(path)) refuse('not-found', path);
  const sha256 = await hashOfFile(path);
  const told = {
    ...{ file: path, bytes: statSync(path).size, sha256, sum: sumBeside(path, sha256) },
    signed: signer === undefined ? null : signedBy(path, signer),
  };
  if (path.endsWith('.xz')) return { ...told, board: null, parts: [] };
  const file = openSync(path, 'r');
  try {
    const { disk, parts } = tableIn(file);
    return { ...told, board: BOARDS.find(({ name }) => uuidOf(name) === disk)?.name ?? null, parts };
  } finally {
    closeSync(file);
  }
};
