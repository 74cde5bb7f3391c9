/** What the boot partition says of the two slots: which is started, how often it is tried, which release lies in it. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SlotsState } from '../../ports/slots.ts';
import { syncFolder } from '../disk.ts';

/** Each way of starting a machine has its own. All that changes something is durable when it returns. */
export interface BootRecords {
  survey(): SlotsState;
  /** Nothing starts the idle slot any more. */
  disarm(): void;
  /** Its files are there. `words`: for its kernel. */
  arm(words: string): void;
  keep(): void;
  leave(): void;
}

export interface BootOptions {
  /** Where the boot partition is mounted. */
  bootPath: string;
  running: string;
}

export const otherSlot = (slot: string): string => (slot === 'a' ? 'b' : 'a');

export const folderOf = (bootPath: string, slot: string): string => join(bootPath, 'lichen', slot);

const RELEASE = /^[0-9a-f]{64}$/;

/** The release that an update put into a slot; null: none did. */
export const releaseIn = (bootPath: string, slot: string): string | null => {
  const path = join(folderOf(bootPath, slot), 'release');
  const found = existsSync(path) ? readFileSync(path, 'latin1').trim() : '';
  return RELEASE.test(found) ? found : null;
};

/** On the disk before it has its name. */
export const writeDurably = (folder: string, name: string, text: string): void => {
  const next = join(folder, `${name}.new`);
  const fd = openSync(next, 'w', 0o644);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, join(folder, name));
  syncFolder(folder);
};
