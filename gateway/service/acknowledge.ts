/** The two-fold acknowledgement: stored here, and replicated: durable here and countersigned by one peer. */

import { type BoardId, idFrom } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { ackNoun } from '../../runtime/protocol/nouns/lease.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { usageHead } from '../core/apply-supply.ts';
import { gateways } from '../core/directory.ts';
import { acks, boardSessions, cosigned } from '../core/tables.ts';
import type { Service, Work } from './events.ts';

/** session → up to which record its board was told that it may prune. */
const told = volatileTable<number>('told');

const NO_PLACES: [number, number][] = [];
const NOTHING = { replicated: 0, pending: NO_PLACES };

/** Remembers that record `seq` of a board stands at `place` in this gateway's log. */
export const stored = (work: Work, board: string, seq: number, place: number): void => {
  const row = acks.get(work, board) ?? NOTHING;
  acks.put(work, { ...row, pending: [...row.pending, [seq, place]] }, board);
};

/** Entries of this gateway's log that a peer has made durable too. A federation of one has no peer and says so. */
const replicatedSize = (work: Work, service: Service): number =>
  gateways(work, service).length === 1 ? Number.MAX_SAFE_INTEGER : Math.max(0, ...cosigned.all(work).map(({ value }) => value.size));

const advance = (work: Work, service: Service, board: string): number => {
  const row = acks.get(work, board) ?? NOTHING;
  const size = replicatedSize(work, service);
  const done = row.pending.filter(([, place]) => place < size);
  if (done.length === 0) return row.replicated;
  const replicated = Math.max(row.replicated, ...done.map(([seq]) => seq));
  acks.put(work, { replicated, pending: row.pending.filter(([, place]) => place >= size) }, board);
  return replicated;
};

export const acknowledge = (work: Work, service: Service, board: string, session: string): void => {
  const replicated = advance(work, service, board);
  told.put(work, replicated, session);
  const ack = { v: 1 as const, board: idFrom<BoardId>(board), gateway: service.me, stored: usageHead(work, board), replicated };
  work.emit({ kind: 'send', session, topic: 'ack', payload: seal(ackNoun, ack, service.signer) });
};

/** After a peer countersigned more, or brought records itself: boards whose records are safe now may prune. */
export const acknowledgeReplicated = (work: Work, service: Service): void => {
  for (const { key: board, value: session } of boardSessions.all(work)) {
    if (advance(work, service, board) > (told.get(work, session) ?? 0)) acknowledge(work, service, board, session);
  }
};

export const forgetTold = (work: Work, session: string): void => told.remove(work, session);
