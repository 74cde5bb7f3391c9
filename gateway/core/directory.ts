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

/** Tells whether the operators' documents are others than before. */
export const trustVersions = (rows: Rows, context: Context): string =>
  trusted(rows, context)
    .map(({ operator, version }) => `${operator} ${version}`)
    .join();

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

/** Every key under which a gateway was ever listed: what they signed in their time stays true. */
export const keysOf = (rows: Rows, context: Context, gateway: string): { operator: OperatorId; key: Bytes }[] =>
  trusted(rows, context).flatMap((doc) =>
    (operators.get(rows, doc.operator)?.listed ?? [])
      .filter((entry) => entry.gateway === gateway)
      .map(({ key }) => ({ operator: doc.operator, key })),
  );

/** Whether a gateway is listed with this key now, and the key is not revoked. */
export const holdsKey = (rows: Rows, context: Context, gateway: string, key: Bytes): boolean =>
  allGateways(rows, context).some((entry) => entry.gateway === gateway && equal(entry.key, key)) && !isRevoked(rows, context, key);

export const gatewayById = (rows: Rows, context: Context, id: string): Listed | undefined =>
  allGateways(rows, context).find((entry) => entry.gateway === id);
