/** UEFI: starts systemd's loader, which starts the kernel by the entries that it finds. */
import { join } from 'node:path';
import { type Tree, text } from '../tree.ts';
import type { BootParts, Firmware } from './board.ts';

const PACKAGE = 'systemd-boot-efi';
const FOLDER = 'usr/lib/systemd/boot/efi';

/**
 * Boot Loader Specification: the kernel, its first root and its words are one entry. Of two slots the loader takes the one with the
 * higher version, unless its tries are used up: those that `+3` before `.conf` gives to an entry.
 */
export const entryOf = (slot: string, version: number, commandLine: string): string => `title Lichen, slot ${slot}
sort-key lichen
version ${version}
linux /lichen/${slot}/linux
initrd /lichen/${slot}/first
options ${commandLine}
`;

/** `started`: what UEFI starts when nothing else was chosen (UEFI 2.10, section 3.5.1.1); `loader`: what is put there. */
export const uefi = (started: string, loader: string): Firmware => ({
  packages: [PACKAGE],
  oldTable: false,
  tree: ({ trees, kernel, first, commandLine }: BootParts): Tree =>
    new Map([
      [`EFI/BOOT/${started}`, { kind: 'file', mode: 0o644, from: join(trees.get(PACKAGE) ?? '', FOLDER, loader) }],
      // Its editor would let anybody with a keyboard start a shell.
      ['loader/loader.conf', text('timeout 0\neditor no\n')],
      ['loader/entries/lichen-a.conf', text(entryOf('a', 1, commandLine))],
      ['lichen/a/linux', { kind: 'file', mode: 0o644, from: kernel.image }],
      ['lichen/a/first', { kind: 'file', mode: 0o644, bytes: first }],
    ]),
});
