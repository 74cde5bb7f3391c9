/** Which system a board is to run: its owner says whose, its publisher brings it, and here is looked whether it is all there. */
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import type { Part } from '../../runtime/protocol/image.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Upkeep } from '../../runtime/protocol/nouns/upkeep.ts';
import { isWithdrawn } from './apply-demand.ts';
import type { Context, Rows } from './context.ts';
import { mayHave } from './fleet.ts';
import { boards, manifests, publishers, releases, upkeeps } from './tables.ts';

export interface AssignedImage {
  release: Bytes;
  /** The publisher's newest trust document. */
  publisher: Bytes;
  upkeep: Bytes;
}

/** Whole releases of this part for this kind of board that the owner's word names, the highest sequence first. */
const fitting = (rows: Rows, word: Upkeep, kind: string, part: Part) =>
  manifests
    .all(rows)
    .filter(
      ({ key, value: { doc } }) =>
        doc.image?.board === kind &&
        (doc.image.part ?? 'system') === part &&
        doc.publisher === word.publisher &&
        (word.release === undefined || key === hex(word.release)),
    )
    .filter(({ key }) => releases.get(rows, key)?.missing === 0 && !isWithdrawn(rows, key))
    .sort((a, b) => b.value.doc.sequence - a.value.doc.sequence);

/** Null while there is none that all agree on. Of several the one with the highest sequence whose turn has come. */
export const imageFor = (rows: Rows, context: Context, board: string, part: Part): AssignedImage | null => {
  const offered = boards.get(rows, board)?.offer?.image;
  if (offered?.parts.includes(part) !== true) return null;
  const upkeep = upkeeps.get(rows, board);
  const publisher = upkeep?.doc.publisher ? publishers.get(rows, upkeep.doc.publisher) : null;
  if (upkeep === null || publisher === null) return null;
  const found = fitting(rows, upkeep.doc, offered.board, part).find(
    ({ key, value: { doc } }) => doc.image !== undefined && mayHave(rows, context, upkeep.doc, key, doc.image),
  );
  return found === undefined ? null : { release: fromHex(found.key), publisher: publisher.hash, upkeep: upkeep.hash };
};

/** The newest that its owner's word names, whether its turn has come or not. */
export const newestFor = (rows: Rows, board: string, part: Part): { release: string; image: NonNullable<Manifest['image']> } | null => {
  const [offered, word] = [boards.get(rows, board)?.offer?.image, upkeeps.get(rows, board)?.doc];
  if (offered?.parts.includes(part) !== true || word === undefined) return null;
  const newest = fitting(rows, word, offered.board, part)[0];
  return newest?.value.doc.image === undefined ? null : { release: newest.key, image: newest.value.doc.image };
};
