/** The partition that the firmware reads, and a person's computer: the loader, one folder a slot, and where the setup goes. */
import type { Board } from './boards/board.ts';
import { type Tree, text } from './tree.ts';

const README = `Put a file named lichen.json here, beside this text, before the first start:

{
  "claim": "LICHEN1:...",
  "hostname": "beech"
}

"claim" is the line that "lichen board claim" prints; it pairs the board and is good once. "hostname" may be left out.
The board reads the file at its next start, takes it away, and says on its screen what it did.
`;

/** Boot Loader Specification: the kernel, its first root and its words are one entry. */
const entryOf = (slot: string, commandLine: string): string => `title Lichen, slot ${slot}
linux /lichen/${slot}/linux
initrd /lichen/${slot}/first
options ${commandLine}
`;

export interface BootParts {
  kernelPath: string;
  first: Buffer;
  loader: string;
  commandLine: string;
}

export const bootTree = ({ efiName }: Board, { kernelPath, first, loader, commandLine }: BootParts): Tree =>
  new Map([
    [`EFI/BOOT/${efiName}`, { kind: 'file', mode: 0o644, from: loader }],
    // Its editor would let anybody with a keyboard start a shell.
    ['loader/loader.conf', text('timeout 0\neditor no\n')],
    ['loader/entries/lichen-a.conf', text(entryOf('a', commandLine))],
    ['lichen/a/linux', { kind: 'file', mode: 0o644, from: kernelPath }],
    ['lichen/a/first', { kind: 'file', mode: 0o644, bytes: first }],
    ['README.TXT', text(README)],
  ]);
