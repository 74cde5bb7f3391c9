/** Who deals with the system in these tests: the same key for the same name, in every run. */
import { type Identity, identityFromSeed } from '../../runtime/adapters/certificate.ts';
import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';

export interface Person<Id extends string = string> {
  seed: Bytes;
  signer: Signer;
  key: Bytes;
  /** The fingerprint of the key. */
  id: Id;
  identity: Identity;
}

export const person = <Id extends string>(name: string): Person<Id> => {
  const seed = nodeCrypto.sha256(utf8(`outside ${name}`));
  const signer = signerFromSeed(seed);
  const id = fingerprint<Id>(nodeCrypto, signer.publicKey);
  return { seed, signer, key: signer.publicKey, id, identity: identityFromSeed(seed, id) };
};
