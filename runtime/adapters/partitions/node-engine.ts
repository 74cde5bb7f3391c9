/** What must be bound into a root so that the board's own Node runs there: the binary, its ELF interpreter, its libraries. */
import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { LichenError } from '../../protocol/errors.ts';
import { NODE_INSIDE } from '../../protocol/program.ts';
import { must } from './run.ts';

export interface Bind {
  source: string;
  /** Absolute path inside the root. */
  target: string;
}

const PT_INTERP = 3;

/** The dynamic loader that a 64-bit little-endian ELF file names (System V gABI, program header), `null` when static. */
export const interpreterOf = (path: string): string | null => {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(64);
    readSync(fd, header, 0, 64, 0);
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) {
      throw new LichenError('engine-failed', `${path} is not a 64-bit little-endian ELF file`);
    }
    const [at, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)];
    const table = Buffer.alloc(size * count);
    readSync(fd, table, 0, table.length, at);
    for (let row = 0; row < table.length; row += size) {
      if (table.readUInt32LE(row) !== PT_INTERP) continue;
      const name = Buffer.alloc(Number(table.readBigUInt64LE(row + 32)) - 1); // without the closing NUL
      readSync(fd, name, 0, name.length, Number(table.readBigUInt64LE(row + 8)));
      return name.toString('latin1');
    }
    return null;
  } finally {
    closeSync(fd);
  }
};

/** Lines of `ld.so --list`: `libm.so.6 => /lib/…/libm.so.6 (0x…)`; the loader itself and the vDSO have no arrow. */
export const librariesIn = (listing: string): string[] => {
  const lost = /^\s*(\S+) => not found/m.exec(listing)?.[1];
  if (lost !== undefined) throw new LichenError('engine-failed', `the library ${lost} of the board's Node is missing`);
  return [...listing.matchAll(/^\s*\S+ => (\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
};

/** Binds are file by file at the very paths the loader looks in, so that nothing else of the board is seen inside. */
export const nodeBinds = async (nodePath: string): Promise<Bind[]> => {
  const node = realpathSync(nodePath);
  const binds: Bind[] = [{ source: node, target: NODE_INSIDE }];
  const interpreter = interpreterOf(node);
  if (interpreter === null) return binds;
  const libraries = librariesIn(await must(interpreter, ['--list', node]));
  for (const target of new Set([interpreter, ...libraries])) binds.push({ source: realpathSync(target), target });
  return binds;
};
