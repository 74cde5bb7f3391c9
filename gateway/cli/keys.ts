/** Keys as they are named on a command line: a file that holds one, or the public one in hex. */
import { existsSync } from 'node:fs';
import { isWeakKey } from '../../runtime/adapters/crypto.ts';
import type { KeyFile } from '../../runtime/adapters/keyfile.ts';
import { passphraseFor } from '../../runtime/adapters/passphrase.ts';
import { openAnyKey } from '../../runtime/adapters/sealed-key.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { hexBytes, misused } from './words.ts';

/** Only `lichen key new` makes keys: one that is made by accident is known nowhere. Error: `not-found`. */
export const readKey = (path: string): KeyFile => {
  if (!existsSync(path)) refuse('not-found', `there is no key file ${path}; \`lichen key new ${path}\` makes one`);
  return openAnyKey(path, () => passphraseFor(path));
};

/** Several signers; one named twice would sign twice. */
export const readSigners = (paths: string[], flag: string): Signer[] => {
  const signers = paths.map((path) => readKey(path).signer);
  const twice = signers.findIndex((signer, at) => signers.findIndex((other) => equal(other.publicKey, signer.publicKey)) !== at);
  if (twice >= 0) misused(`${flag} ${paths[twice]}: this key is given twice`);
  return signers;
};

/** Of the two ways to name a key: in hex, and not a file. */
export const isPublicKey = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** 64 digits of hex, else a key file. Errors: `weak-key`, `not-found`. */
export const publicKeyOf = (text: string, flag: string): Bytes => {
  const key = isPublicKey(text) ? hexBytes(text, flag) : readKey(text).signer.publicKey;
  return isWeakKey(key) ? refuse('weak-key', hex(key)) : key;
};
