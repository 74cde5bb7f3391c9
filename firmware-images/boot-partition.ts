/** The partition that the firmware reads, and a person's computer: what starts the board, one folder a slot, and where the setup goes. */
import type { Board, BootParts } from './boards/board.ts';
import { type Tree, text } from './tree.ts';

const README = `Put a file named lichen.json here, beside this text, before the first start:

{
  "claim": "LICHEN1:...",
  "hostname": "beech"
}

"claim" is the line that "lichen board claim" prints; it pairs the board and is good once. "hostname" may be left out.
The board reads the file at its next start, takes it away, and says on its screen what it did.
`;

export const bootTree = ({ firmware }: Board, parts: BootParts): Tree => new Map([...firmware.tree(parts), ['README.TXT', text(README)]]);
