/** The two-fold acknowledgement: stored here, and replicated: durable here and countersigned by one peer. */
import { type BoardId, idFrom } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { ackNoun } from '../../runtime/protocol/nouns/lease.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { replicatedOf, takeRisen, usageHead } from '../core/replicas.ts';
import { boardSessions } from '../core/tables.ts';
import type { Service, Work } from './events.ts';

/** session → up to which record its board was told that it may prune. */
const told = volatileTable<number>('told');

export const acknowledge = (work: Work, service: Service, board: string, session: string): void => {
  const replicated = replicatedOf(work, board);
  told.put(work, replicated, session);
  const ack = { v: 1 as const, board: idFrom<BoardId>(board), gateway: service.me, stored: usageHead(work, board), replicated };
  work.emit({ kind: 'send', session, topic: 'ack', payload: seal(ackNoun, ack, service.signer) });
};

/** After a peer countersigned more, or brought records itself: boards whose records are safe now may prune. */
export const acknowledgeReplicated = (work: Work, service: Service): void => {
  for (const board of takeRisen(work)) {
    const session = boardSessions.get(work, board);
    if (session !== null && replicatedOf(work, board) > (told.get(work, session) ?? 0)) acknowledge(work, service, board, session);
  }
};

export const forgetTold = (work: Work, session: string): void => told.remove(work, session);
