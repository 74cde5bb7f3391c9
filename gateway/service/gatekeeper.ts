/** Who may open a session, by the key that TLS has shown. Read-only: it looks at what is committed. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { LichenError, unadmitted } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import type { Party } from '../../runtime/protocol/topics.ts';
import type { Context, Rows } from '../core/context.ts';
import { gateways, isRevoked } from '../core/directory.ts';
import { objectionOfStore } from '../core/old-store.ts';
import { boards, parties } from '../core/tables.ts';

/** A board keeps its id when its key is rotated, so a board names its id and is checked against its present key. */
export const admitSession = (
  rows: Rows,
  context: Context,
  party: Party | 'gateway',
  id: string | null,
  key: Bytes,
): { id: string } | LichenError => {
  if (isRevoked(rows, context, key)) return new LichenError('revoked-key', `${party} ${id ?? fingerprint(context.crypto, key)}`);
  if (party === 'gateway') {
    const entry = gateways(rows, context).find((candidate) => equal(candidate.key, key));
    return entry === undefined ? new LichenError('unknown-key', 'no operator lists a gateway with this key') : { id: entry.gateway };
  }
  const objection = objectionOfStore(rows);
  if (objection !== null) return objection;
  if (party === 'tenant') {
    const tenant = fingerprint(context.crypto, key);
    return parties.get(rows, 'tenant', tenant) === null ? unadmitted(`tenant ${tenant} has not been admitted here`) : { id: tenant };
  }
  const board = id === null ? null : boards.get(rows, id);
  if (id === null || board === null) return new LichenError('not-paired', `board ${id ?? ''}`);
  return equal(board.key, key) ? { id } : new LichenError('wrong-signer', `this is not the present key of board ${id}`);
};
