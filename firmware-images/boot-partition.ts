/** The partition that the firmware reads, and a person's computer: what starts the board, one folder a slot, and where the setup goes. */
import type { Board, BootParts } from './boards/board.ts';
import { type Tree, text } from './tree.ts';

const README = `Put a file named lichen.json here, beside this text, before the first start:

{
  "claim": "LICHEN1:...",
  "hostname": "beech",
  "country": "DE",
  "wifi": [{ "ssid": "...", "passphrase": "..." }]
}

"claim" is the line that "lichen board claim" prints; it pairs the board and is good once. Whatever is not wanted may be left out.
The board reads the file at its next start, takes it away, and says on its screen what it did. Until it is paired it shows a page on
its network, http://lichen.local or its own name instead of "lichen". What Raspberry Pi Imager writes here is read as well.
`;

export const bootTree = ({ firmware }: Board, parts: BootParts): Tree => new Map([...firmware.tree(parts), ['README.TXT', text(README)]]);
