/** The files of entries, read from pages as a board reads them. */
import { FileList } from '../../runtime/core/content.ts';
import type { FilePieces } from '../../runtime/core/pieces.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type Entry, pageSchema } from '../../runtime/protocol/nouns/release.ts';

export const filesOf = (entries: Entry[]): FilePieces[] => {
  const list = new FileList(0);
  for (const entry of entries) for (const read of list.entriesIn(encodeAs(pageSchema, { v: 1, entries: [entry] }, 'page'))) list.take(read);
  return list.files();
};
