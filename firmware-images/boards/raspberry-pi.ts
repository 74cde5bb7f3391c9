/** The firmware of Raspberry Pi: up to the 4 its programs lie on the card, from the 4 on the first of them in the board. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Tree, text } from '../tree.ts';
import type { BootParts, Firmware } from './board.ts';

const PACKAGE = 'raspi-firmware';
const FOLDER = 'usr/lib/raspi-firmware';
const PROGRAMS = ['bootcode.bin', 'fixup.dat', 'fixup4.dat', 'start.elf', 'start4.elf'];

/** Boards that this image is for, by the names of the kernel's own tables: those of the 3 serve the Zero 2 W as well. */
const TABLES = /^bcm2(837-rpi-(3-|zero-2)|711-rpi-4-b|712-(d-)?rpi-5-b).*\.dtb$/;

/** Every file of a slot is looked for below `os_prefix`; `upstream_kernel` asks for the tables by the kernel's own names. */
const configOf = (slot: string): string => `arm_64bit=1
upstream_kernel=1
enable_uart=1
disable_overscan=1
os_prefix=lichen/${slot}/
kernel=linux
initramfs first followkernel
cmdline=words.txt
`;

export const raspberryPi: Firmware = {
  packages: [PACKAGE],
  // The first programs of the 3 and the Zero 2 W are in their processors and were written before GPT.
  oldTable: true,
  tree: ({ trees, kernel, first, commandLine }: BootParts): Tree => {
    const tree: Tree = new Map([
      ['config.txt', text(configOf('a'))],
      // As it is: what is downloaded is packed as a whole, and better than the firmware could unpack it.
      ['lichen/a/linux', { kind: 'file', mode: 0o644, from: kernel.image }],
      ['lichen/a/first', { kind: 'file', mode: 0o644, bytes: first }],
      ['lichen/a/words.txt', text(`${commandLine}\n`)],
    ]);
    for (const name of PROGRAMS) tree.set(name, { kind: 'file', mode: 0o644, from: join(trees.get(PACKAGE) ?? '', FOLDER, name) });
    // Its licence goes wherever it goes.
    const licence = join(trees.get(PACKAGE) ?? '', 'usr/share/doc', PACKAGE, 'copyright');
    tree.set(`lichen/${PACKAGE}.txt`, { kind: 'file', mode: 0o644, from: licence });
    const folder = join(kernel.tables, 'broadcom');
    for (const name of readdirSync(folder).filter((path) => TABLES.test(basename(path))))
      tree.set(`lichen/a/${name}`, { kind: 'file', mode: 0o644, from: join(folder, name) });
    return tree;
  },
};
