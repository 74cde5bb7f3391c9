/**
 * Slots of a Raspberry Pi: its firmware reads `config.txt`, and once, when it is asked to (`reboot "0 tryboot"`), `tryboot.txt`
 * instead (raspberrypi.com, "config.txt", "The tryboot.txt file"). Either leads into the folder of one slot. Unproven on hardware.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SlotsState } from '../../ports/slots.ts';
import { refuse } from '../../protocol/errors.ts';
import { type BootOptions, type BootRecords, folderOf, otherSlot, releaseIn, syncFolder, writeDurably } from './records.ts';

const PREFIX = /^os_prefix=lichen\/([ab])\/$/m;
const ALWAYS = 'config.txt';
const ONCE = 'tryboot.txt';
/** The firmware leaves no trace of a start that came to nothing, so one is left before. */
const TRIED = 'tried';

export const tryboot = ({ bootPath, running }: BootOptions): BootRecords => {
  const idle = otherSlot(running);
  const always = (): string => readFileSync(join(bootPath, ALWAYS), 'latin1');
  const usual = (): string => PREFIX.exec(always())?.[1] ?? refuse('storage-broken', `${ALWAYS} on the boot partition names no slot`);

  const idleState = (): SlotsState['idle'] => {
    if (usual() === idle) return 'kept';
    if (!existsSync(join(bootPath, ONCE))) return 'empty';
    return existsSync(join(folderOf(bootPath, idle), TRIED)) ? 'spent' : 'armed';
  };

  const remove = (path: string): void => {
    rmSync(path, { force: true });
    syncFolder(join(path, '..'));
  };

  return {
    survey: () => ({
      running,
      runningRelease: releaseIn(bootPath, running),
      trial: usual() === idle,
      idle: idleState(),
      idleRelease: releaseIn(bootPath, idle),
    }),
    disarm: () => {
      if (usual() === idle) refuse('internal', 'what is started as a rule is not taken away');
      remove(join(bootPath, ONCE));
      remove(join(folderOf(bootPath, idle), TRIED));
    },
    arm: (words) => {
      writeDurably(folderOf(bootPath, idle), 'words.txt', `lichen.slot=${idle} ${words}\n`);
      writeDurably(bootPath, ONCE, always().replace(PREFIX, `os_prefix=lichen/${idle}/`));
    },
    keep: () => {
      if (usual() === running) return;
      renameSync(join(bootPath, ONCE), join(bootPath, ALWAYS));
      syncFolder(bootPath);
    },
    leave: () => remove(join(bootPath, ONCE)),
    parting: () => {
      if (idleState() === 'armed') writeDurably(folderOf(bootPath, idle), TRIED, '');
    },
  };
};
