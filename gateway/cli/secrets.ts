/** Sealing secrets to boards. Whose key it is, is the board's own word, and looked at here: no gateway can put its own in the place. */
import { readFileSync } from 'node:fs';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { nodeSealer } from '../../runtime/adapters/hpke.ts';
import { type Bytes, fromHex, utf8 } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint, type TenantId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun } from '../../runtime/protocol/nouns/board.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
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

/** Null: the board offers no key. Errors: `wrong-signer` when the hello is not the board's own. */
const keyOf = ({ board, hello }: Pick<Board, 'board' | 'hello'>): Bytes | null => {
  if (hello === null) return null;
  const { value, signer } = unseal(nodeCrypto, helloNoun, fromHex(hello));
  // Its id is made of its first key. What a later one signed takes its rotations to believe, which are not at hand here.
  if (value.board !== board || fingerprint<BoardId>(nodeCrypto, signer) !== board)
    refuse('wrong-signer', `what is shown as the offer of board ${board} is not signed by the key that its id is made of`);
  return value.offer.box ?? null;
};

/** To all of these boards that keep secrets and that the filter does not rule out. Errors: `not-offered` when there is none. */
export const sealSecrets = (
  files: Record<string, Bytes>,
  { tenant, name, filter }: { tenant: TenantId; name: string; filter: Request['filter'] },
  boards: Pick<Board, 'board' | 'hello' | 'owner'>[],
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
      if (error.code !== 'wrong-signer' && error.code !== 'weak-key') throw thrown;
      noted(`${error.detail}; nothing is sealed to it`);
      return [];
    }
  });
  if (sealed.length === 0) refuse('not-offered', 'none of the boards that are meant keeps secrets; see `lichen board list` and --filter');
  if (sealed.length > LIMITS.secretBoards)
    misused(`--secret: ${sealed.length} boards are meant, a request is sealed to at most ${LIMITS.secretBoards}; name some with --filter`);
  return sealed;
};
