/**
 * Signatures that were found good are not verified again in the same process: the home of a board, its peers and their
 * statements all ask for the very same one. What is answered is what the crypto door answers, which depends on nothing but
 * the three that stand in the name; what is refused is asked again each time.
 */
import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import type { Keys } from './crypto.ts';

/** Names of the newest are kept, twice as many at most: some 100 bytes each. */
const MOST = 65_536;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const HEAD_BYTES = KEY_BYTES + SIGNATURE_BYTES;

export const onceVerified = (crypto: Crypto): Crypto => {
  let [young, old] = [new Set<string>(), new Set<string>()];
  let whole = Buffer.alloc(4096);
  const nameOf = (publicKey: Bytes, message: Bytes, signature: Bytes): string => {
    const length = HEAD_BYTES + message.length;
    if (length > whole.length) whole = Buffer.alloc(2 * length);
    whole.set(publicKey, 0);
    whole.set(signature, KEY_BYTES);
    whole.set(message, HEAD_BYTES);
    return Buffer.from(crypto.sha256(whole.subarray(0, length))).toString('latin1');
  };
  const keep = (name: string): void => {
    if (young.size >= MOST) [young, old] = [new Set(), young];
    young.add(name);
  };
  return {
    sha256: (data) => crypto.sha256(data),
    verify: (publicKey, message, signature) => {
      if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return crypto.verify(publicKey, message, signature);
      const name = nameOf(publicKey, message, signature);
      if (young.has(name)) return true;
      const isGood = old.has(name) || crypto.verify(publicKey, message, signature);
      if (isGood) keep(name);
      return isGood;
    },
  };
};

/** Of one run. */
export const realKeys = (): Keys => ({ crypto: onceVerified(nodeCrypto), signer: signerFromSeed });
