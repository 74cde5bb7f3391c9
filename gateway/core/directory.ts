/** Who is who: the gateways of the trusted operators' newest documents, minus the revoked and the retired. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { OperatorId } from '../../runtime/protocol/ids.ts';
import type { GatewayEntry, OperatorDoc } from '../../runtime/protocol/nouns/trust.ts';
import type { Context, Rows } from './context.ts';
import { operators } from './tables.ts';

export interface Listed extends GatewayEntry {
  operator: OperatorId;
  feePermille: number;
}

interface Key {
  operator: OperatorId;
  key: Bytes;
}

/** Everything that follows from the operators' documents alone. */
interface Directory {
  trusted: OperatorDoc[];
  versions: string;
  /** Hex. */
  revoked: Set<string>;
  all: Listed[];
  serving: Listed[];
  /** Gateway → its keys of all times. */
  keys: Map<string, Key[]>;
}

type Operator = NonNullable<ReturnType<typeof operators.get>>;

const keysIn = (held: Operator[]): Map<string, Key[]> => {
  const keys = new Map<string, Key[]>();
  for (const { doc, listed } of held)
    for (const { gateway, key } of listed) keys.set(gateway, [...(keys.get(gateway) ?? []), { operator: doc.operator, key }]);
  return keys;
};

const directoryFrom = (held: Operator[]): Directory => {
  const docs = held.map(({ doc }) => doc);
  const revoked = new Set(docs.flatMap((doc) => doc.revoked.map(hex)));
  const retired = new Set<string>(docs.flatMap((doc) => doc.retired));
  const all = docs.flatMap((doc) => doc.gateways.map((entry) => ({ ...entry, operator: doc.operator, feePermille: doc.feePermille })));
  return {
    trusted: docs,
    versions: docs.map(({ operator, version }) => `${operator} ${version}`).join(),
    revoked,
    all,
    serving: all.filter((entry) => !retired.has(entry.gateway) && !revoked.has(hex(entry.key))),
    keys: keysIn(held),
  };
};

const NOBODY: Directory = directoryFrom([]);

/** By the own operator's row: it is asked several times a message and changes once a year. */
const known = new WeakMap<Operator, { held: Operator[]; directory: Directory }>();

const directoryOf = (rows: Rows, context: Context): Directory => {
  const own = operators.get(rows, context.operator);
  if (own === null) return NOBODY;
  const held = [own];
  for (const id of own.doc.peers) {
    const peer = operators.get(rows, id);
    if (peer !== null) held.push(peer);
  }
  const before = known.get(own);
  if (before !== undefined && before.held.length === held.length && held.every((one, i) => one === before.held[i])) return before.directory;
  const directory = directoryFrom(held);
  known.set(own, { held, directory });
  return directory;
};

export const trusted = (rows: Rows, context: Context): OperatorDoc[] => directoryOf(rows, context).trusted;

/** Tells whether the operators' documents are others than before. */
export const trustVersions = (rows: Rows, context: Context): string => directoryOf(rows, context).versions;

export const isRevoked = (rows: Rows, context: Context, key: Bytes): boolean => {
  const { revoked } = directoryOf(rows, context);
  return revoked.size > 0 && revoked.has(hex(key));
};

/** All gateways whose logs are read, retired ones too: what they logged stays true. */
export const allGateways = (rows: Rows, context: Context): Listed[] => directoryOf(rows, context).all;

/** Gateways that may serve now. */
export const gateways = (rows: Rows, context: Context): Listed[] => directoryOf(rows, context).serving;

/** Every key under which a gateway was ever listed: what they signed in their time stays true. */
export const keysOf = (rows: Rows, context: Context, gateway: string): Key[] => directoryOf(rows, context).keys.get(gateway) ?? [];

/** Whether a gateway is listed with this key now, and the key is not revoked. */
export const holdsKey = (rows: Rows, context: Context, gateway: string, key: Bytes): boolean =>
  allGateways(rows, context).some((entry) => entry.gateway === gateway && equal(entry.key, key)) && !isRevoked(rows, context, key);

export const gatewayById = (rows: Rows, context: Context, id: string): Listed | undefined =>
  allGateways(rows, context).find((entry) => entry.gateway === id);
