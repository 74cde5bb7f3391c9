/** Paths inside a release: relative, forward slashes, no way out. Links are followed over the whole tree. */
import { utf8 } from './bytes.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Entry } from './nouns/release.ts';
import { printableLine } from './printable.ts';

/** Whoever lists files would have a terminal do it, or show the letters in another order than they have. */
const isObeyed = (path: string): boolean => path.includes('\\') || printableLine(path) !== path;

/** Throws `bad-path` unless the path is relative, canonical and short enough. */
export const checkPath = (path: string): string => {
  if (isObeyed(path)) refuse('bad-path', `${printableLine(path.slice(0, 40))}: a path holds a control character or a backslash`);
  const segments = path.split('/');
  if (utf8(path).length > LIMITS.pathBytes) refuse('bad-path', `${path.slice(0, 40)}…: more than ${LIMITS.pathBytes} bytes`);
  if (segments.length > LIMITS.pathSegments) refuse('bad-path', `${path}: more than ${LIMITS.pathSegments} segments`);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    refuse('bad-path', `${path}: empty, "." or ".." segment`);
  return path;
};

/**
 * Where a link leads, from the root of the release; `bad-path` if outside. An absolute target counts from that root. A
 * target goes up first and then down: behind a name, which may itself be a link, ".." is not where the text says.
 */
export const resolveLink = (path: string, target: string): string => {
  if (isObeyed(target)) refuse('bad-path', `${path}: its target holds a control character or a backslash`);
  const from = target.startsWith('/') ? [] : path.split('/').slice(0, -1);
  const down: string[] = [];
  for (const segment of target.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') down.push(segment);
    else if (down.length > 0) refuse('bad-path', `${path}: its target ${target} goes up again behind a name`);
    else if (from.pop() === undefined) refuse('bad-path', `${path}: its target ${target} leaves the root`);
  }
  return [...from, ...down].join('/');
};

/**
 * As file systems see it that tell neither case nor how a letter is put together. Down and up again is Unicode's full case
 * folding, and ı is i: one way alone keeps apart what has several small letters to one capital, as ς and σ, or two for one, as ß.
 */
const foldOf = (path: string): string => path.normalize('NFD').toLowerCase().toUpperCase().normalize('NFD');

/**
 * Checks a whole tree: every path once, every parent a directory that is listed before, no entry below a link or a
 * file, every link inside. Continuations (`more`) must follow their file.
 */
export const checkTree = (entries: Entry[]): void => {
  const kinds = new Map<string, Entry['kind']>();
  const folded = new Map<string, string>();
  let last: Entry | undefined;
  for (const entry of entries) {
    checkPath(entry.path);
    if (entry.kind === 'more') {
      if (last?.kind !== 'file' || last.path !== entry.path) refuse('bad-path', `${entry.path}: a continuation without its file`);
      continue;
    }
    if (kinds.has(entry.path)) refuse('bad-path', `${entry.path}: listed twice`);
    const same = folded.get(foldOf(entry.path));
    if (same !== undefined) refuse('bad-path', `${entry.path}: ${same} is the same but for case, and one file on many systems`);
    const parent = entry.path.split('/').slice(0, -1).join('/');
    if (parent !== '' && kinds.get(parent) !== 'dir') refuse('bad-path', `${entry.path}: its parent is not a directory listed before it`);
    if (entry.kind === 'link') resolveLink(entry.path, entry.target);
    kinds.set(entry.path, entry.kind);
    folded.set(foldOf(entry.path), entry.path);
    last = entry;
  }
};
