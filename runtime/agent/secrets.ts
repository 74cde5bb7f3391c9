/** Opening what a tenant sealed to this board, for the moment of a start: nothing of it is written down. */
import { type Bytes, utf8 } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { decodeAs } from '../protocol/noun.ts';
import type { Request } from '../protocol/nouns/request.ts';
import { SECRETS_INFO, secretsText } from '../protocol/nouns/secrets.ts';
import type { Board } from './events.ts';

const NONE = new Uint8Array(0);

/** Errors: `not-offered` when none is sealed to this board, `bad-signature`, `wrong-signer` when it was sealed for something else. */
export const secretsFor = (board: Board, { tenant, name, secrets }: Request): Record<string, Bytes> => {
  if (secrets === undefined) return {};
  const own = secrets.find((one) => one.board === board.id) ?? refuse('not-offered', 'the request seals its secrets to other boards only');
  const text = decodeAs(secretsText, board.opener.open(utf8(SECRETS_INFO), NONE, own.box), 'secrets');
  if (text.tenant !== tenant || text.name !== name || text.board !== board.id)
    refuse('wrong-signer', 'the secrets were sealed for another request, tenant or board');
  return text.files;
};
