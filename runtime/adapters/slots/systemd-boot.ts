/**
 * Slots under UEFI by systemd-boot's counting (systemd.io, "Automatic Boot Assessment"): an entry whose name ends in `+3` is tried
 * three times, the loader counts in the name (`+2-1`), and one at `+0` comes after all others. The highest version is started.
 */
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SlotsState } from '../../ports/slots.ts';
import { refuse } from '../../protocol/errors.ts';
import { syncFolder } from '../disk.ts';
import { type BootOptions, type BootRecords, otherSlot, releaseIn, writeDurably } from './records.ts';

const TRIES = 3;
const NAME = /^lichen-([ab])(?:\+(\d+)(?:-(\d+))?)?\.conf$/;

interface Entry {
  name: string;
  slot: string;
  /** Null: it is not counted. */
  left: number | null;
  version: number;
}

/** Boot Loader Specification: the kernel, its first root and its words are one entry. */
export const entryText = (slot: string, version: number, words: string): string => `title Lichen, slot ${slot}
sort-key lichen
version ${version}
linux /lichen/${slot}/linux
initrd /lichen/${slot}/first
options ${words}
`;

const idleState = (entries: Entry[]): SlotsState['idle'] => {
  if (entries.length === 0) return 'empty';
  if (entries.some(({ left }) => left === null)) return 'kept';
  return entries.some(({ left }) => left !== 0) ? 'armed' : 'spent';
};

export const systemdBoot = ({ bootPath, running }: BootOptions): BootRecords => {
  const folder = join(bootPath, 'loader', 'entries');
  const idle = otherSlot(running);

  const entries = (): Entry[] =>
    readdirSync(folder).flatMap((name) => {
      const match = NAME.exec(name);
      if (match === null) return [];
      const version = Number(/^version (\d+)$/m.exec(readFileSync(join(folder, name), 'latin1'))?.[1] ?? 0);
      return [{ name, slot: match[1] ?? '', left: match[2] === undefined ? null : Number(match[2]), version }];
    });
  const of = (slot: string): Entry[] => entries().filter((entry) => entry.slot === slot);

  const rename = (to: string): void => {
    const [counted] = of(running).filter(({ left }) => left !== null);
    if (counted === undefined) return;
    renameSync(join(folder, counted.name), join(folder, to));
    syncFolder(folder);
  };

  return {
    survey: () => ({
      running,
      runningRelease: releaseIn(bootPath, running),
      trial: of(running).some(({ left }) => left !== null) && !of(running).some(({ left }) => left === null),
      idle: idleState(of(idle)),
      idleRelease: releaseIn(bootPath, idle),
    }),
    disarm: () => {
      for (const { name } of of(idle)) rmSync(join(folder, name));
      syncFolder(folder);
    },
    arm: (words) => {
      if (of(idle).length > 0) refuse('internal', 'the idle slot was not disarmed');
      const version = Math.max(0, ...entries().map((entry) => entry.version)) + 1;
      writeDurably(folder, `lichen-${idle}+${TRIES}.conf`, entryText(idle, version, `lichen.slot=${idle} ${words}`));
    },
    keep: () => rename(`lichen-${running}.conf`),
    leave: () => rename(`lichen-${running}+0-${TRIES}.conf`),
  };
};
