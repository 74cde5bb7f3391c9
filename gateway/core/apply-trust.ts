/** Entries about who is who: operators, publishers, tenants, boards and their keys. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, unsealMany } from '../../runtime/protocol/noun.ts';
import { admitSchema, type LogEntry, pairSchema } from '../../runtime/protocol/nouns/log.ts';
import { rotationNoun } from '../../runtime/protocol/nouns/request.ts';
import { operatorNoun, publisherNoun, unsealOperator, unsealPublisher } from '../../runtime/protocol/nouns/trust.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { isRevoked } from './directory.ts';
import { boards, documents, operators, parties, publishers, rotations } from './tables.ts';

export const applyOperator = (rows: Rows, context: Context, body: Bytes): void => {
  const { value } = unsealMany(context.crypto, operatorNoun, body, 2 * LIMITS.rootKeys);
  const held = operators.get(rows, value.operator);
  const mine = operators.get(rows, context.operator)?.doc;
  if (value.operator !== context.operator && mine?.peers.includes(value.operator) !== true)
    refuse('unknown-key', `operator ${value.operator} is not one this operator federates with`);
  if (held !== null && held.doc.version >= value.version && held.documents.some((known) => equal(known, body))) return;
  const { value: doc, hash } = unsealOperator(context.crypto, body, held?.doc ?? null);
  const before = held?.listed ?? [];
  const fresh = doc.gateways.filter((entry) => !before.some(({ gateway, key }) => gateway === entry.gateway && equal(key, entry.key)));
  const listed = [...before, ...fresh.map(({ gateway, key }) => ({ gateway, key }))];
  operators.put(rows, { doc, documents: [...(held?.documents ?? []), body], listed }, doc.operator);
  // Boards that missed a version ask for it.
  documents.put(rows, body, hex(hash));
};

export const applyPublisher = (rows: Rows, context: Context, body: Bytes): void => {
  const { value } = unsealMany(context.crypto, publisherNoun, body, 2 * LIMITS.rootKeys);
  const held = publishers.get(rows, value.publisher);
  if (held !== null && equal(held.document, body)) return;
  const sealed = unsealPublisher(context.crypto, body, held?.doc ?? null);
  publishers.put(rows, { doc: sealed.value, hash: sealed.hash, document: body }, value.publisher);
  documents.put(rows, body, hex(sealed.hash));
};

export const applyAdmit = (rows: Rows, context: Context, body: Bytes): void => {
  const { role, key, name } = decodeAs(admitSchema, body, 'admit');
  parties.put(rows, { key, name }, role, fingerprint(context.crypto, key));
};

export const applyPair = (rows: Rows, context: Context, body: Bytes, entry: LogEntry): void => {
  const { board, key, owner } = decodeAs(pairSchema, body, 'pair');
  if (fingerprint(context.crypto, key) !== board) refuse('wrong-signer', "the board's id is not that of its key");
  const held = boards.get(rows, board);
  if (held !== null) return;
  const unheard = { home: null, offer: null, here: false, sinceMs: entry.wallMs, quarantined: false };
  boards.put(rows, { key, keyVersion: 0, formerKeys: [], owner, ...unheard }, board);
};

/** A board hands over to a new key; both keys sign. Its id stays. */
export const applyRotation = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signers } = unsealMany(context.crypto, rotationNoun, body, 2);
  const board = boards.get(rows, value.subject) ?? refuse('not-found', `board ${value.subject}`);
  if (value.kind !== 'board') refuse('wrong-signer', "a gateway's key changes in its operator's document");
  if (value.version === board.keyVersion && equal(value.to, board.key)) return;
  if (value.version <= board.keyVersion) refuse('stale', `rotation ${board.keyVersion} is known, this is ${value.version}`);
  if (value.version > board.keyVersion + 1) refuse('conflict', `rotation ${board.keyVersion + 1} must come before ${value.version}`);
  const both = [value.from, value.to].every((key) => signers.some((signer) => equal(signer, key)));
  if (!both || !equal(value.from, board.key)) refuse('wrong-signer', 'a rotation is signed by the present key and the new one');
  // Whoever stole a key could hand it over to one of his own.
  if (isRevoked(rows, context, value.from)) refuse('revoked-key', 'the present key is revoked; pair the board anew');
  if (isRevoked(rows, context, value.to)) refuse('revoked-key', 'the new key is revoked');
  boards.put(rows, { ...board, key: value.to, keyVersion: value.version, formerKeys: [...board.formerKeys, value.from] }, value.subject);
  rotations.put(rows, body, value.subject, ordinal(value.version));
};
