/**
 * Two heads that one gateway signed for one size of its log are proof of two histories. Peers are mostly sent a log by its
 * author alone, so whoever comes to hold both shows them to all others: each can check them, and knows the liar, too.
 */
import { readCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import { headOf } from '../core/log.ts';
import { heads, peers } from '../core/tables.ts';
import type { Work } from './events.ts';

/** Authors whose two histories were shown to peers. */
const shown = volatileTable<true>('contradictions-shown');

/** `head` was verified, and is not that of the log that is held here. */
export const showContradiction = (work: Work, { author, head }: Extract<PeerFrame, { kind: 'entries' }>): void => {
  // Where the log held here ends before it, peers may have another head of that end.
  const held = heads.get(work, author, ordinal(readCheckpoint(head).size))?.note ?? headOf(work, author);
  if (held === null || shown.get(work, author) !== null) return;
  shown.put(work, true, author);
  for (const { key, value } of peers.all(work)) {
    if (!value.up || key === author) continue;
    for (const note of [held, head])
      work.emit({ kind: 'peer-send', session: value.session, frame: { kind: 'entries', author, from: 0, entries: [], head: note } });
  }
};
