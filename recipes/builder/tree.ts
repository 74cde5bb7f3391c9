/** Files and directories on disk into items: names, bytes, links and the executable bit; nothing else of them counts. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Item, joinPath } from './items.ts';

export interface TreeRequest {
  /** Directory that nothing may be read from outside of. */
  topPath: string;
  /** What to read, relative to it. */
  from: string;
  /** Where it goes in the release. */
  to: string;
  /** For every file; without it each keeps its own bit. */
  executable?: boolean | undefined;
}

const isExecutable = (stat: Stats): boolean => (stat.mode & 0o100) !== 0;

const readItem = (path: string, to: string, stat: Stats, executable: boolean | undefined): Item => {
  if (stat.size > LIMITS.releaseBytes) refuse('too-large', `${path} has ${stat.size} bytes, a release at most ${LIMITS.releaseBytes}`);
  const { buffer, byteOffset, length } = readFileSync(path);
  return { kind: 'file', path: to, executable: executable ?? isExecutable(stat), bytes: new Uint8Array(buffer, byteOffset, length) };
};

const walk = (path: string, to: string, executable: boolean | undefined, items: Item[]): void => {
  // The order in which a directory lists its files differs from one file system to the next.
  for (const name of readdirSync(path).sort()) {
    const inner = join(path, name);
    const target = joinPath(to, name);
    const stat = lstatSync(inner);
    if (stat.isSymbolicLink()) items.push({ kind: 'link', path: target, target: readlinkSync(inner) });
    else if (stat.isFile()) items.push(readItem(inner, target, stat, executable));
    else if (stat.isDirectory()) {
      items.push({ kind: 'dir', path: target });
      walk(inner, target, executable, items);
    } else refuse('bad-recipe', `${inner} is neither file, directory nor link`);
    if (items.length > LIMITS.entries) refuse('too-large', `${path} holds more than ${LIMITS.entries} entries`);
  }
};

/**
 * `null` when there is nothing at `from`. A link at `from` itself is followed, those further down are kept as links.
 * Errors: `bad-recipe` for what leads outside or is no file, `too-large`.
 */
export const readTree = ({ topPath, from, to, executable }: TreeRequest): Item[] | null => {
  const top = realpathSync.native(topPath);
  const named = join(top, from);
  if (lstatSync(named, { throwIfNoEntry: false }) === undefined) return null;
  let path: string;
  try {
    path = realpathSync.native(named);
  } catch {
    return refuse('bad-recipe', `${from} is a link that leads nowhere`);
  }
  if (relative(top, path).split(sep)[0] === '..') refuse('bad-recipe', `${from} leads out of ${topPath}`);
  const stat = statSync(path);
  if (stat.isFile()) {
    if (to === '.') refuse('bad-recipe', `${from} is a file: "to" must say its whole path`);
    return [readItem(path, to, stat, executable)];
  }
  if (!stat.isDirectory()) refuse('bad-recipe', `${from} is neither file, directory nor link`);
  const items: Item[] = to === '.' ? [] : [{ kind: 'dir', path: to }];
  walk(path, to, executable, items);
  return items;
};
