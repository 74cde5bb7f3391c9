/** Who is who: the gateways of the trusted operators' newest documents, minus the revoked and the retired. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { OperatorId } from '../../runtime/protocol/ids.ts';
import type { GatewayEntry, OperatorDoc } from '../../runtime/protocol/nouns/trust.ts';
import type { Context, Rows } from './context.ts';
import { operators } from './tables.ts';

export interface Listed extends GatewayEntry {
  operator: OperatorId;
  feePermille: number;
}

export const trusted = (rows: Rows, context: Context): OperatorDoc[] => {
  const own = operators.get(rows, context.operator)?.doc;
  if (own === undefined) return [];
  return [own, ...own.peers.flatMap((id) => operators.get(rows, id)?.doc ?? [])];
};

export const revokedKeys = (rows: Rows, context: Context): Bytes[] => trusted(rows, context).flatMap((doc) => doc.revoked);

export const isRevoked = (rows: Rows, context: Context, key: Bytes): boolean =>
  revokedKeys(rows, context).some((revoked) => equal(revoked, key));

/** All gateways whose logs are read, retired ones too: what they logged stays true. */
export const allGateways = (rows: Rows, context: Context): Listed[] =>
  trusted(rows, context).flatMap((doc) =>
    doc.gateways.map((entry) => ({ ...entry, operator: doc.operator, feePermille: doc.feePermille })),
  );

/** Gateways that may serve now. */
export const gateways = (rows: Rows, context: Context): Listed[] => {
  const retired = new Set<string>(trusted(rows, context).flatMap((doc) => doc.retired));
  return allGateways(rows, context).filter((entry) => !retired.has(entry.gateway) && !isRevoked(rows, context, entry.key));
};

export const gatewayById = (rows: Rows, context: Context, id: string): Listed | undefined =>
  allGateways(rows, context).find((entry) => entry.gateway === id);
