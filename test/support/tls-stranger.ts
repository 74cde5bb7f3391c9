/** A certificate of somebody whom nobody knows. */
import { identityFromSeed } from '../../runtime/adapters/certificate.ts';

export const strangerPem = (): { certificate: string; key: string } => {
  const { certificatePem, privateKeyPem } = identityFromSeed(new Uint8Array(32).fill(9), 'stranger' as never);
  return { certificate: certificatePem, key: privateKeyPem };
};
