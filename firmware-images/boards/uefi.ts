/** UEFI: starts systemd's loader, which starts the kernel by the entries that it finds. */
import { join } from 'node:path';
import { entryText } from '../../runtime/adapters/slots/systemd-boot.ts';
import { type Tree, text } from '../tree.ts';
import type { BootParts, Firmware } from './board.ts';

const PACKAGE = 'systemd-boot-efi';
const FOLDER = 'usr/lib/systemd/boot/efi';

/** `started`: what UEFI starts when nothing else was chosen (UEFI 2.10, section 3.5.1.1); `loader`: what is put there. */
export const uefi = (started: string, loader: string): Firmware => ({
  packages: [PACKAGE],
  oldTable: false,
  tree: ({ trees, kernel, first, commandLine }: BootParts): Tree =>
    new Map([
      [`EFI/BOOT/${started}`, { kind: 'file', mode: 0o644, from: join(trees.get(PACKAGE) ?? '', FOLDER, loader) }],
      // Its editor would let anybody with a keyboard start a shell.
      ['loader/loader.conf', text('timeout 0\neditor no\n')],
      ['loader/entries/lichen-a.conf', text(entryText('a', 1, commandLine))],
      ['lichen/a/linux', { kind: 'file', mode: 0o644, from: kernel.image }],
      ['lichen/a/first', { kind: 'file', mode: 0o644, bytes: first }],
    ]),
});
