/**
 * The tree of a release that is the system of a board: `root` goes into the idle slot as it is, and what is in `boot` into that
 * slot's folder on the boot partition.
 */
import { refuse } from './errors.ts';
import type { Entry } from './nouns/release.ts';

export const ROOT_FILE = 'root';
/** All that a release of the runtime alone holds. */
export const RUNTIME_FILE = 'runtime';
/** What of a board's own software is replaced by itself. */
export const PARTS = ['system', 'runtime'] as const;
export type Part = (typeof PARTS)[number];
/** Kernel, first root, and the words for the kernel without that of the slot. */
export const BOOT_FILES = ['boot/linux', 'boot/first', 'boot/words'] as const;
/** FAT knows no more, and the firmware looks for nothing else. */
const BOOT_NAME = /^boot\/[a-z0-9][a-z0-9._+-]{0,62}$/;
/** Written by the board itself. */
const RESERVED = 'boot/release';
/** A board reads them whole. */
export const WORDS_BYTES = 2048;

export type ImageFile = Extract<Entry, { kind: 'file' }>;

/** Error: `bad-release`. */
export const runtimeFiles = (entries: Entry[]): ImageFile[] => {
  const [file, ...others] = entries.filter(({ kind }) => kind !== 'more');
  if (file?.kind !== 'file' || file.path !== RUNTIME_FILE || file.executable || others.length > 0)
    return refuse('bad-release', `a runtime is one file, ${RUNTIME_FILE}`);
  return [file];
};

/** The files of an image, without their continuations. Error: `bad-release`. */
export const imageFiles = (entries: Entry[]): ImageFile[] => {
  const files = entries.filter((entry): entry is ImageFile => entry.kind === 'file');
  for (const entry of entries) {
    const isKnown = entry.path === ROOT_FILE || (entry.kind === 'dir' ? entry.path === 'boot' : BOOT_NAME.test(entry.path));
    if (entry.kind === 'link' || !isKnown || entry.path === RESERVED) refuse('bad-release', `an image has no ${entry.path}`);
    if (entry.kind === 'file' && (entry.executable || entry.bytes === 0)) refuse('bad-release', `${entry.path}: empty, or executable`);
  }
  for (const path of [ROOT_FILE, ...BOOT_FILES])
    if (!files.some((file) => file.path === path)) refuse('bad-release', `an image without ${path} starts nothing`);
  const words = files.find(({ path }) => path === 'boot/words')?.bytes ?? 0;
  if (words > WORDS_BYTES) refuse('bad-release', `boot/words: ${words} bytes, at most ${WORDS_BYTES}`);
  return files;
};
