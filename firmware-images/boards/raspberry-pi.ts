/**
 * The firmware of Raspberry Pi: up to the 4 its programs lie on the card, from the 4 on the first of them in the board. It starts U-Boot, which
 * chooses the slot. On a 5 it starts the kernel of the first slot itself: Debian's U-Boot knows its card, but neither its USB nor its PCIe.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ENTRY, entryFile, STATES, sumOf } from '../../runtime/adapters/slots/u-boot.ts';
import { withAlias } from '../tables.ts';
import { type Tree, text } from '../tree.ts';
import { environment, scriptImage } from '../u-boot.ts';
import type { BootParts, Firmware } from './board.ts';

const [PACKAGE, LOADER] = ['raspi-firmware', 'u-boot-rpi'];
const FOLDER = 'usr/lib/raspi-firmware';
const PROGRAMS = ['bootcode.bin', 'fixup.dat', 'fixup4.dat', 'start.elf', 'start4.elf'];
/** For each of these boards: the builds for one of them know less memory. */
const U_BOOT = 'usr/lib/u-boot/rpi_arm64/u-boot.bin';
const SCRIPT = 'boot.scr';

/** Boards that this image is for, by the names of the kernel's own tables: those of the 3 serve the Zero 2 W as well. */
const TABLES = /^bcm2(837-rpi-(3-|zero-2)|711-rpi-4-b|712-(d-)?rpi-5-b).*\.dtb$/;

/**
 * Where the socket for the card is, by kind of board: U-Boot looks for its settings on the first of its kind, and the tables say nothing of which is
 * first. On a 4 it would be the one that Wi-Fi hangs on.
 */
const CARDS: [RegExp, string][] = [
  [/^bcm2837/, '/soc/mmc@7e202000'],
  [/^bcm2711/, '/emmc2-bus@fe000000/mmc@7e340000'],
];

const tableIn = (path: string): Buffer => {
  const table = readFileSync(path);
  const [, card] = CARDS.find(([kind]) => kind.test(basename(path))) ?? [];
  return card === undefined ? table : withAlias(table, 'mmc0', card);
};

/**
 * What the firmware takes besides its own programs is looked for below `os_prefix`; `upstream_kernel` asks for the tables by the kernel's own
 * names. The tables are those that were written to the card, for each system on it: U-Boot hands them on as the firmware has filled them in.
 */
const CONFIG = `arm_64bit=1
upstream_kernel=1
enable_uart=1
disable_overscan=1
os_prefix=lichen/
kernel=u-boot.bin
[pi5]
kernel=a/linux
initramfs a/first followkernel
cmdline=pi5.txt
[all]
`;

/** Where there is no file for it, the firmware makes up words of its own. */
const WORDS = 'panic=10\n';

/**
 * Nobody is asked anything: a line on which something rustles would stop the start for good, and somebody with a keyboard could start what they
 * like. Neither USB nor a network nor UEFI's own settings are looked at on the way.
 */
const SETTINGS = {
  bootdelay: '-2',
  stdin: 'serial',
  stdout: 'serial,vidconsole',
  stderr: 'serial,vidconsole',
  boot_targets: 'mmc usb',
  scriptaddr: '0x02400000',
  bootcmd: `setenv devtype mmc; setenv devnum 0; setenv distro_bootpart 1; load mmc 0:1 \${scriptaddr} ${SCRIPT} && source \${scriptaddr}; bootflow scan`,
};

export const raspberryPi: Firmware = {
  packages: [PACKAGE, LOADER],
  // The first programs of the 3 and the Zero 2 W are in their processors and were written before GPT.
  oldTable: true,
  tree: ({ trees, kernel, first, commandLine }: BootParts): Tree => {
    const of = (name: string, path: string): string => join(trees.get(name) ?? '', path);
    const words = commandLine.split(' ').filter((word) => !word.startsWith('lichen.slot='));
    const entry = { linux: sumOf(readFileSync(kernel.image)), first: sumOf(first), words: words.join(' ') };
    const tree: Tree = new Map([
      ['config.txt', text(CONFIG)],
      ['uboot.env', { kind: 'file', mode: 0o644, bytes: environment(SETTINGS) }],
      [SCRIPT, { kind: 'file', mode: 0o644, bytes: scriptImage('lichen', readFileSync(join(import.meta.dirname, 'boot.cmd'), 'utf8')) }],
      ['lichen/u-boot.bin', { kind: 'file', mode: 0o644, from: of(LOADER, U_BOOT) }],
      ['lichen/cmdline.txt', text(WORDS)],
      ['lichen/pi5.txt', text(`${commandLine}\n`)],
      [`lichen/${STATES}/A`, text('')],
      // As it is: what is downloaded is packed as a whole, and better than the firmware could unpack it.
      ['lichen/a/linux', { kind: 'file', mode: 0o644, from: kernel.image }],
      ['lichen/a/first', { kind: 'file', mode: 0o644, bytes: first }],
      [`lichen/a/${ENTRY}`, text(entryFile(entry))],
    ]);
    for (const name of PROGRAMS) tree.set(name, { kind: 'file', mode: 0o644, from: of(PACKAGE, join(FOLDER, name)) });
    // Their licences go wherever they go.
    for (const name of [PACKAGE, LOADER])
      tree.set(`lichen/${name}.txt`, { kind: 'file', mode: 0o644, from: of(name, join('usr/share/doc', name, 'copyright')) });
    const folder = join(kernel.tables, 'broadcom');
    for (const name of readdirSync(folder).filter((path) => TABLES.test(basename(path))))
      tree.set(`lichen/${name}`, { kind: 'file', mode: 0o644, bytes: tableIn(join(folder, name)) });
    return tree;
  },
};
