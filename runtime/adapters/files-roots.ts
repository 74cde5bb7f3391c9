/**
 * Planted roots. A tree is built beside its place, made durable and renamed, so that a cut at any moment leaves either
 * a whole root or none. Directories are 0555: nothing that runs in them may change them, whoever it runs as.
 */
import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { constants, copyFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { Entry } from '../protocol/nouns/release.ts';
import { checkTree } from '../protocol/path.ts';
import { codeOf, pacer, removeTree, syncPath } from './disk.ts';
import type { ContentStore } from './files-content.ts';

export interface Roots {
  /** Absolute path of the tree. Errors: `bad-path`, `missing-content`, `bad-schema`. */
  plant(release: Bytes, entries: Entry[]): Promise<string>;
  keepOnly(releases: Bytes[]): Promise<void>;
  clearDrafts(): Promise<void>;
}

const MARKER = 'planted';
const TREE = 'root';
/** Not a name of a release, and swept away at every start. */
const DRAFT = '.draft';
const WHOLE = /^[0-9a-f]{64}$/;
/** Files named when some are missing; all of them would be a message nobody reads. */
const NAMED_MAX = 4;

const nameOf = (release: Bytes): string =>
  release.length === 32 ? hex(release) : refuse('bad-schema', `a release's hash has 32 bytes, not ${release.length}`);

export const openRoots = (rootsPath: string, content: ContentStore): Roots => {
  const isPlanted = (name: string): boolean => {
    try {
      return readFileSync(join(rootsPath, name, MARKER), 'utf8') === name;
    } catch {
      return false;
    }
  };

  /** Before the first directory is made, so that a refusal has nothing to clean up. */
  const checkHeld = async (entries: Entry[]): Promise<void> => {
    const pace = pacer();
    const missing: string[] = [];
    for (const entry of entries) {
      if (entry.kind !== 'file') continue;
      const held = content.held(entry);
      if (held === null) missing.push(entry.path);
      else if (held.bytes !== entry.bytes) refuse('bad-schema', `${entry.path} is said to have ${entry.bytes} bytes and has ${held.bytes}`);
      await pace();
    }
    const shown = missing.slice(0, NAMED_MAX).join(', ');
    if (missing.length > 0)
      refuse('missing-content', `${missing.length} files are not held: ${shown}${missing.length > NAMED_MAX ? ', …' : ''}`);
  };

  const linkFile = async (entry: Entry & { kind: 'file' }, target: string): Promise<void> => {
    const held = content.held(entry) ?? refuse('missing-content', `${entry.path} is not held any more`);
    try {
      linkSync(held.path, target);
    } catch (thrown) {
      // ext4 takes 65,000 links to a file; a release with more empty files than that gets copies of them.
      if (codeOf(thrown) !== 'EMLINK') throw thrown;
      await copyFile(held.path, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      chmodSync(target, entry.executable ? 0o555 : 0o444);
      await syncPath(target);
    }
  };

  const grow = async (tree: string, entries: Entry[]): Promise<void> => {
    const pace = pacer();
    const directories = [tree];
    mkdirSync(tree, { mode: 0o700 });
    for (const entry of entries) {
      const path = join(tree, entry.path);
      if (entry.kind === 'link') symlinkSync(entry.target, path);
      else if (entry.kind === 'file') await linkFile(entry, path);
      else if (entry.kind === 'dir') {
        mkdirSync(path, { mode: 0o700 });
        directories.push(path);
      }
      await pace();
    }
    for (const path of directories.reverse()) {
      chmodSync(path, 0o555);
      await syncPath(path);
    }
  };

  const plant = async (release: Bytes, entries: Entry[]): Promise<string> => {
    const name = nameOf(release);
    const place = join(rootsPath, name);
    if (isPlanted(name)) return join(place, TREE);
    checkTree(entries);
    await checkHeld(entries);
    const draft = `${place}${DRAFT}`;
    try {
      await removeTree(draft);
      mkdirSync(draft, { mode: 0o711 });
      chmodSync(draft, 0o711);
      await grow(join(draft, TREE), entries);
      await writeFile(join(draft, MARKER), name, { flush: true });
      await syncPath(draft);
      await removeTree(place);
      await rename(draft, place);
      await syncPath(rootsPath);
    } catch (thrown) {
      await removeTree(draft);
      throw thrown;
    }
    return join(place, TREE);
  };

  /** Renamed first: a root that is half taken away must not pass for a whole one after a power cut. */
  const remove = async (name: string): Promise<void> => {
    const draft = join(rootsPath, name.endsWith(DRAFT) ? name : `${name}${DRAFT}`);
    if (!name.endsWith(DRAFT)) {
      await removeTree(draft);
      await rename(join(rootsPath, name), draft);
    }
    await removeTree(draft);
  };

  return {
    plant,
    keepOnly: async (releases) => {
      const kept = new Set(releases.map(nameOf));
      for (const name of readdirSync(rootsPath)) if (!kept.has(name)) await remove(name);
    },
    clearDrafts: async () => {
      for (const name of readdirSync(rootsPath)) if (!WHOLE.test(name)) await removeTree(join(rootsPath, name));
    },
  };
};
