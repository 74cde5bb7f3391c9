/** Small things about disks that several adapters need: what an error means, and how to take a tree away. */
import { chmodSync, closeSync, fsyncSync, lstatSync, opendirSync, openSync, renameSync, rmdirSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { LichenError } from '../protocol/errors.ts';

/** `ENOENT` and the like; empty for what the kernel did not say. */
export const codeOf = (thrown: unknown): string => (thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '');

/** What a system call says when it is the card's fault. */
const FAILED: Readonly<Record<string, string>> = { EIO: 'the card failed', EROFS: 'the card takes no writes any more' };
const CARD_NEXT = '`lichen doctor` says what the board knows of its card; copy it while it can be read, or change it.';

/** What a system call threw, as one of our errors; ours pass through. */
export const diskError = (thrown: unknown): unknown => {
  if (thrown instanceof LichenError) return thrown;
  const code = codeOf(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new LichenError('storage-full', 'no space is left on the device');
  if (code in FAILED)
    return new LichenError('storage-broken', `${FAILED[code]} (${thrown instanceof Error ? thrown.message : code})`, CARD_NEXT);
  return code === '' ? thrown : new LichenError('storage-broken', thrown instanceof Error ? thrown.message : code);
};

/** Directories need it as files do: without it a rename that was answered may be gone after a power cut. */
export const syncPath = async (path: string): Promise<void> => {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** For a name that has to be there after a power cut, where nothing else is to be done meanwhile. */
export const syncFolder = (path: string): void => {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

/** Whole or not at all, also across a power cut; nobody else reads it. */
export const writeDurably = (path: string, text: string): void => {
  const next = `${path}.next`;
  const fd = openSync(next, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
  syncFolder(dirname(path));
};

/** System calls in a row before others get their turn; at 5 to 50 µs each that is a few milliseconds. */
const CALLS_IN_A_ROW = 32;

/** Call after each small synchronous step; now and then it lets other work go first. */
export const pacer = (): (() => Promise<void> | undefined) => {
  let calls = 0;
  return () => (++calls % CALLS_IN_A_ROW === 0 ? breathe() : undefined);
};

/** Removes a tree whose directories may be read-only. Links are removed and never followed. Nothing there is fine too. */
export const removeTree = async (path: string, pace = pacer()): Promise<void> => {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) return unlinkSync(path);
  chmodSync(path, 0o700);
  const directory = opendirSync(path);
  const names: { name: string; inner: boolean }[] = [];
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      names.push({ name: entry.name, inner: entry.isDirectory() });
  } finally {
    directory.closeSync();
  }
  for (const { name, inner } of names) {
    if (inner) await removeTree(join(path, name), pace);
    else unlinkSync(join(path, name));
    await pace();
  }
  rmdirSync(path);
};
