/** Which system a board is to run: its owner says whose, its publisher brings it, and here is looked whether it is all there. */
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import type { Part } from '../../runtime/protocol/image.ts';
import { isWithdrawn } from './apply-demand.ts';
import type { Rows } from './context.ts';
import { boards, manifests, publishers, releases, upkeeps } from './tables.ts';

export interface AssignedImage {
  release: Bytes;
  /** The publisher's newest trust document. */
  publisher: Bytes;
  upkeep: Bytes;
}

/** Null while there is none that all agree on. Of several the one with the highest sequence. */
export const imageFor = (rows: Rows, board: string, part: Part): AssignedImage | null => {
  const offered = boards.get(rows, board)?.offer?.image;
  if (offered?.parts.includes(part) !== true) return null;
  const upkeep = upkeeps.get(rows, board);
  const wanted = upkeep?.doc.publisher ?? null;
  const publisher = wanted === null ? null : publishers.get(rows, wanted);
  if (upkeep === null || publisher === null) return null;
  const only = upkeep.doc.release;
  const fits = manifests
    .all(rows)
    .filter(
      ({ key, value: { doc } }) =>
        doc.image?.board === offered.board &&
        (doc.image.part ?? 'system') === part &&
        doc.publisher === wanted &&
        (only === undefined || key === hex(only)),
    )
    .filter(({ key }) => releases.get(rows, key)?.missing === 0 && !isWithdrawn(rows, key))
    .sort((a, b) => b.value.doc.sequence - a.value.doc.sequence);
  const [newest] = fits;
  return newest === undefined ? null : { release: fromHex(newest.key), publisher: publisher.hash, upkeep: upkeep.hash };
};
