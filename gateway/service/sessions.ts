/** Sessions, and who has to end his. */
import { equal } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { isRevoked } from '../core/directory.ts';
import { objectionOfStore } from '../core/old-store.ts';
import { boardSessions, boards, type Session, sessions } from '../core/tables.ts';
import { touchBoard, touchPlacing } from '../core/touched.ts';
import type { Service, Work } from './events.ts';

/** Sessions to look at though nothing that is touched leads to them: not, or no more, their board's own; or told to end. */
const suspects = volatileTable<true>('suspects');

export const openSession = (work: Work, name: string, session: Session): void => {
  sessions.put(work, session, name);
  suspects.put(work, true, name);
};

export const forgetSession = (work: Work, name: string): void => {
  sessions.remove(work, name);
  suspects.remove(work, name);
};

/** Something was learnt that may end any of them. */
export const suspectAll = (work: Work): void => {
  for (const { key } of sessions.all(work)) suspects.put(work, true, key);
  touchPlacing(work);
};

/** A board has said hello. Its session before this one may not have ended yet. */
export const enter = (work: Work, board: string, name: string): void => {
  const before = boardSessions.get(work, board);
  if (before !== null && before !== name) suspects.put(work, true, before);
  boardSessions.put(work, name, board);
};

/** Keys that an operator revoked, or that their board has handed over, lose their session at once; all do where nobody is served. */
const objectionTo = (work: Work, service: Service, { party, id, key }: Session): LichenError | null => {
  const present = party === 'board' ? boards.get(work, id)?.key : key;
  if (isRevoked(work, service, key)) return new LichenError('revoked-key', `${party} ${id}`);
  if (present !== undefined && !equal(present, key)) return new LichenError('wrong-signer', `${party} ${id}`);
  return objectionOfStore(work);
};

/** Whoever is told to end his session is told again until it has ended. */
const dropRevoked = (work: Work, service: Service, name: string): void => {
  const session = sessions.get(work, name);
  if (session === null) return;
  const error = objectionTo(work, service, session);
  if (error !== null) work.emit({ kind: 'drop', session: name, error });
  const isSettled = error === null && (session.party !== 'board' || boardSessions.get(work, session.id) === name);
  if (isSettled) suspects.remove(work, name);
  else suspects.put(work, true, name);
};

/** A board that another gateway is home to by now does not know it yet, or is not at the end of this session any more. */
const dropMoved = (work: Work, service: Service, board: string): void => {
  const session = boardSessions.get(work, board);
  const home = boards.get(work, board)?.home;
  if (session === null || home === null || home === undefined || home.gateway === service.me) return;
  work.emit({ kind: 'drop', session, error: new LichenError('stale', `board ${board} has tenure ${home.tenure} at ${home.gateway}`) });
  touchBoard(work, board);
};

/** Looks at the sessions of these boards, and at those that lead to no board; null: at all. */
export const dropSessions = (work: Work, service: Service, touched: Set<string> | null): void => {
  const names = touched === null ? sessions.all(work) : suspects.all(work);
  const own = [...(touched ?? [])].flatMap((board) => boardSessions.get(work, board) ?? []);
  for (const name of new Set([...names.map(({ key }) => key), ...own])) dropRevoked(work, service, name);
  for (const board of touched ?? boardSessions.all(work).map(({ key }) => key)) dropMoved(work, service, board);
};
