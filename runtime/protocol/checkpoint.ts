/**
 * A log's head as a C2SP checkpoint (tlog-checkpoint) in a signed note (signed-note, Ed25519 type 1): text that any
 * transparency tool reads. Peers countersign by adding a line of their own.
 */
import { type Bytes, base64, concat, equal, fromBase64, utf8 } from './bytes.ts';
import type { Crypto, Signer } from './crypto.ts';
import { refuse } from './errors.ts';

export interface Checkpoint {
  /** Origin: `lichen/log/<gateway id>`. */
  author: string;
  size: number;
  root: Bytes;
}

const ORIGIN = 'lichen/log/';
const ED25519 = new Uint8Array([1]);

/** There are few keys, and each is asked for with every head. */
const keyHashes = new WeakMap<Bytes, { by: Crypto; keyName: string; hash: Bytes }>();

/** First four bytes of SHA-256(name ‖ newline ‖ type ‖ key), as signed-note says. */
const keyHash = (crypto: Crypto, keyName: string, key: Bytes): Bytes => {
  const held = keyHashes.get(key);
  if (held?.by === crypto && held.keyName === keyName) return held.hash;
  const hash = crypto.sha256(concat(utf8(`${keyName}\n`), ED25519, key)).subarray(0, 4);
  keyHashes.set(key, { by: crypto, keyName, hash });
  return hash;
};

export const bodyOf = (checkpoint: Checkpoint): string => `${ORIGIN}${checkpoint.author}\n${checkpoint.size}\n${base64(checkpoint.root)}\n`;

/** One signature line; `keyName` is the id of the gateway that signs. */
export const signLine = (crypto: Crypto, body: string, keyName: string, signer: Signer): string =>
  `\u2014 ${keyName} ${base64(concat(keyHash(crypto, keyName, signer.publicKey), signer.sign(utf8(body))))}\n`;

export const signCheckpoint = (crypto: Crypto, checkpoint: Checkpoint, signer: Signer, keyName = checkpoint.author): string => {
  const body = bodyOf(checkpoint);
  return `${body}\n${signLine(crypto, body, keyName, signer)}`;
};

const parseBody = (body: string): Checkpoint => {
  const [origin = '', size = '', root = '', ...rest] = body.split('\n');
  if (!origin.startsWith(ORIGIN) || !/^(0|[1-9][0-9]{0,15})$/.test(size) || rest.join('') !== '') refuse('bad-schema', 'not a checkpoint');
  const parsed = { author: origin.slice(ORIGIN.length), size: Number(size), root: fromBase64(root) };
  return parsed.root.length === 32 ? parsed : refuse('bad-schema', "a checkpoint's root has 32 bytes");
};

/** What a note says, for one that was verified when it was stored. */
export const readCheckpoint = (note: string): Checkpoint => {
  const split = note.indexOf('\n\n');
  return split < 0 ? refuse('bad-schema', 'not a signed note') : parseBody(note.slice(0, split + 1));
};

/** Which key the first line is signed with, as the note itself names it: four bytes of hash that prove nothing. */
export const keyNamed = (note: string): string =>
  note
    .slice(note.indexOf('\n\n') + 2)
    .split(' ')[2]
    ?.slice(0, 5) ?? '';

/** Verifies that `key`, under the name `keyName`, signed the note. Errors: `bad-schema`, `bad-signature`. */
export const openCheckpoint = (crypto: Crypto, note: string, keyName: string, key: Bytes): Checkpoint => {
  const split = note.indexOf('\n\n');
  if (split < 0) refuse('bad-schema', 'not a signed note');
  const body = note.slice(0, split + 1);
  const checkpoint = parseBody(body);
  const line = note
    .slice(split + 2)
    .split('\n')
    .find((candidate) => candidate.startsWith(`\u2014 ${keyName} `));
  const blob = fromBase64(line?.split(' ')[2] ?? refuse('bad-signature', `${keyName} did not sign the checkpoint`));
  if (!equal(blob.subarray(0, 4), keyHash(crypto, keyName, key)) || !crypto.verify(key, utf8(body), blob.subarray(4))) {
    refuse('bad-signature', "the checkpoint's signature does not verify");
  }
  return checkpoint;
};
