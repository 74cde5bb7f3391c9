/**
 * Slots under U-Boot, by a script of the image (firmware-images/boards/boot.cmd). It goes by names of empty files in one folder: one has the
 * slots that were kept in their order (`BA`: b, else a); `B3` to `B1` are what slot b has left of its tries, and the script removes one before
 * each; `B0` says that it was put there to be tried. A FAT has such short names in the folder itself, which is one sector: whatever is decided
 * is decided by the writing of that one. Should it be lost, whichever slot is whole is started.
 */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SlotsState } from '../../ports/slots.ts';
import { refuse } from '../../protocol/errors.ts';
import { syncFolder } from '../disk.ts';
import { type BootOptions, type BootRecords, folderOf, otherSlot, releaseIn, writeDurably } from './records.ts';

/** Below `lichen` on the boot partition. */
export const STATES = 'slots';
/** In the folder of its slot. Without it, nothing starts that slot. */
export const ENTRY = 'entry.txt';

const ORDERS = ['AB', 'BA', 'A', 'B'];
const TRIED = '0';
const TRIES = ['1', '2', '3'];

export interface EntryOf {
  /** Sums of the kernel and the first root. */
  linux: string;
  first: string;
  words: string;
}

/** By which U-Boot tells what a slot was given from what the card has made of it: its build for a Pi knows no other. */
export const sumOf = (bytes: Uint8Array): string => crc32(bytes).toString(16);

/** As U-Boot imports it: one variable a line. */
export const entryFile = ({ linux, first, words }: EntryOf): string => `linux_sum=${linux}\nfirst_sum=${first}\nwords=${words}\n`;

const makeDurably = (path: string): void => {
  const fd = openSync(path, 'w', 0o644);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

export const uBoot = ({ bootPath, running }: BootOptions): BootRecords => {
  const folder = folderOf(bootPath, STATES);
  const idle = otherSlot(running);
  const entryOf = (slot: string): string => join(folderOf(bootPath, slot), ENTRY);
  const markOf = (slot: string, mark: string): string => `${slot.toUpperCase()}${mark}`;

  const names = (): string[] => readdirSync(folder);
  const orders = (held: string[]): string[] => ORDERS.filter((order) => held.includes(order));
  /** What is started if nothing says which were kept: whatever can be. */
  const startable = (): string => `${running}${existsSync(entryOf(idle)) ? idle : ''}`;
  /** Slots that were kept, as they are started. */
  const keptIn = (held: string[]): string => orders(held)[0]?.toLowerCase() ?? startable();
  const isTried = (held: string[], slot: string): boolean => held.includes(markOf(slot, TRIED)) && !keptIn(held).includes(slot);
  const triesIn = (held: string[], slot: string): string[] => TRIES.map((mark) => markOf(slot, mark)).filter((name) => held.includes(name));

  const idleState = (held: string[]): SlotsState['idle'] => {
    // Passed over for the one that runs: the card has lost some of it.
    if (keptIn(held) === `${idle}${running}`) return 'spent';
    if (keptIn(held).includes(idle)) return 'kept';
    if (!isTried(held, idle)) return 'empty';
    return triesIn(held, idle).length > 0 ? 'armed' : 'spent';
  };

  const order = (slots: string): void => {
    const [wanted, held] = [slots.toUpperCase(), names()];
    const stale = orders(held).filter((name) => name !== wanted);
    if (!held.includes(wanted)) {
      const former = stale.shift();
      if (former === undefined) makeDurably(join(folder, wanted));
      else renameSync(join(folder, former), join(folder, wanted));
    }
    for (const name of stale) rmSync(join(folder, name));
    syncFolder(folder);
  };
  const withoutMarks = (slot: string, marks: string[]): void => {
    for (const mark of marks) rmSync(join(folder, markOf(slot, mark)), { force: true });
    syncFolder(folder);
  };

  return {
    survey: () => {
      const held = names();
      return {
        ...{ running, runningRelease: releaseIn(bootPath, running), trial: isTried(held, running) },
        ...{ idle: idleState(held), idleRelease: releaseIn(bootPath, idle) },
      };
    },
    disarm: () => {
      order(running);
      withoutMarks(idle, [...TRIES, TRIED]);
      if (!existsSync(entryOf(idle))) return;
      rmSync(entryOf(idle));
      syncFolder(folderOf(bootPath, idle));
    },
    arm: (words) => {
      if (idleState(names()) !== 'empty') refuse('internal', 'the idle slot was not disarmed');
      const sum = (name: string): string => sumOf(readFileSync(join(folderOf(bootPath, idle), name)));
      writeDurably(folderOf(bootPath, idle), ENTRY, entryFile({ linux: sum('linux'), first: sum('first'), words }));
      for (const mark of [TRIED, ...TRIES]) makeDurably(join(folder, markOf(idle, mark)));
      syncFolder(folder);
    },
    keep: () => {
      const others = keptIn(names()).replace(running, '');
      order(`${running}${others}`);
      withoutMarks(running, [...TRIES, TRIED]);
    },
    leave: () => withoutMarks(running, TRIES),
  };
};
