/** Sealing secrets to boards. Whose key it is, is the board's own word, and looked at here: no gateway can put its own in the place. */
import { readFileSync } from 'node:fs';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { nodeSealer } from '../../runtime/adapters/hpke.ts';
import { type Bytes, equal, fromHex, utf8 } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint, type TenantId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs, unseal, unsealMany } from '../../runtime/protocol/noun.ts';
import { helloNoun } from '../../runtime/protocol/nouns/board.ts';
import { type Request, rotationNoun } from '../../runtime/protocol/nouns/request.ts';
import { SECRETS_INFO, type SealedSecrets, secretsText } from '../../runtime/protocol/nouns/secrets.ts';
import { name as nameSchema } from '../../runtime/protocol/schema.ts';
import type { Board } from './answers.ts';
import { misused, pairs, word } from './words.ts';

const NONE = new Uint8Array(0);

/** `name=FILE`, each. */
export const readSecrets = (texts: string[]): Record<string, Bytes> => {
  const files = Object.entries(pairs(texts, '--secret')).map(([name, path]): [string, Bytes] => [
    word(nameSchema, name, '--secret'),
    new Uint8Array(readFileSync(path)),
  ]);
  if (files.length > LIMITS.secrets) misused(`--secret: at most ${LIMITS.secrets} files`);
  return Object.fromEntries(files);
};

type Shown = Pick<Board, 'board' | 'hello' | 'rotations'>;

/** Its id is made of its first key; each later one has been handed over to by the one before, and says itself that it is held. */
const isKeyOf = (board: BoardId, signer: Bytes, rotations: string[]): boolean => {
  const handovers = rotations.map((document) => unsealMany(nodeCrypto, rotationNoun, fromHex(document), 2));
  const last = handovers.reduce<{ key: Bytes | null; version: number }>(
    (held, { value: { kind, subject, version, from, to }, signers }) => {
      const follows = held.key === null ? fingerprint(nodeCrypto, from) === board : equal(held.key, from);
      const isIts = kind === 'board' && subject === board && version === held.version + 1;
      const isSigned = [from, to].every((key) => signers.some((one) => equal(one, key)));
      return follows && isIts && isSigned ? { key: to, version } : held;
    },
    { key: null, version: 0 },
  );
  return last.key === null ? fingerprint(nodeCrypto, signer) === board : equal(last.key, signer);
};

/** Null: the board offers no key. Errors: `wrong-signer` when the hello is not the board's own. */
const keyOf = ({ board, hello, rotations }: Shown): Bytes | null => {
  if (hello === null) return null;
  const { value, signer } = unseal(nodeCrypto, helloNoun, fromHex(hello));
  if (value.board !== board || !isKeyOf(board, signer, rotations))
    refuse(
      'wrong-signer',
      `what is shown as the offer of board ${board} is signed neither by the key that its id is made of nor by one after it`,
    );
  return value.offer.box ?? null;
};

/** What one board, or whoever shows it, does amiss keeps nobody from sealing to the others. */
const DISTRUSTED: ReadonlySet<string> = new Set(['wrong-signer', 'weak-key', 'bad-signature', 'bad-cbor', 'bad-schema', 'too-large']);

/** To all of these boards that keep secrets and that the filter does not rule out. Errors: `not-offered` when there is none. */
export const sealSecrets = (
  files: Record<string, Bytes>,
  { tenant, name, filter }: { tenant: TenantId; name: string; filter: Request['filter'] },
  boards: (Shown & Pick<Board, 'owner'>)[],
  noted: (line: string) => void,
): SealedSecrets => {
  const meant = boards.filter(
    ({ board, owner }) => (filter.board ?? board) === board && (filter.owner === undefined || filter.owner === owner),
  );
  const sealed = meant.flatMap((one) => {
    try {
      const key = keyOf(one);
      if (key === null) return [];
      const text = encodeAs(secretsText, { v: 1, tenant, name, board: one.board, files }, 'secrets');
      return [{ board: one.board, box: nodeSealer.sealTo(key, utf8(SECRETS_INFO), NONE, text, kernelEntropy.bytes(32)) }];
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (!DISTRUSTED.has(error.code)) throw thrown;
      noted(`${error.detail}; nothing is sealed to it`);
      return [];
    }
  });
  if (sealed.length === 0) refuse('not-offered', 'none of the boards that are meant keeps secrets; see `lichen board list` and --filter');
  if (sealed.length > LIMITS.secretBoards)
    misused(`--secret: ${sealed.length} boards are meant, a request is sealed to at most ${LIMITS.secretBoards}; name some with --filter`);
  return sealed;
};
