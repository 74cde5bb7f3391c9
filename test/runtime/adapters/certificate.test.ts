/** The certificate written by hand, read by those who know the format. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateOf, identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { fingerprint } from '../../../runtime/protocol/ids.ts';

const seed = new Uint8Array(32).fill(7);
const id = fingerprint(nodeCrypto, signerFromSeed(seed).publicKey);
const identity = identityFromSeed(seed, id);

describe('Node reads it', () => {
  const certificate = new X509Certificate(identity.certificatePem);

  test('subject, issuer, times, key, signature', () => {
    expect([certificate.subject, certificate.issuer]).toEqual([`CN=${id}`, `CN=${id}`]);
    expect([certificate.validFrom, certificate.validTo]).toEqual(['Jan  1 00:00:00 1970 GMT', 'Dec 31 23:59:59 9999 GMT']);
    expect(certificate.serialNumber).toBe('01');
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.export({ format: 'jwk' })).toMatchObject({
      kty: 'OKP',
      crv: 'Ed25519',
      x: Buffer.from(identity.signer.publicKey).toString('base64url'),
    });
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkIssued(certificate)).toBe(true);
  });

  test('the private key fits it, and the same seed gives the same bytes', () => {
    expect(certificate.checkPrivateKey(createPrivateKey(identity.privateKeyPem))).toBe(true);
    expect(createPublicKey(identity.privateKeyPem).asymmetricKeyType).toBe('ed25519');
    expect(identityFromSeed(seed, id)).toEqual({ ...identity, signer: { ...identity.signer, sign: expect.any(Function) } });
  });

  test('names of every length that a common name may have, and any seed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 1, max: 64 }), (bytes, length) => {
        const name = 'n'.repeat(length);
        const signer = signerFromSeed(bytes);
        const read = new X509Certificate(certificateOf(signer, name));
        expect(read.subject).toBe(`CN=${name}`);
        expect(read.verify(read.publicKey)).toBe(true);
        // Every length is in its shortest form: written again, it is the same.
        expect(read.raw.length).toBe(certificateOf(signer, name).length);
      }),
      { numRuns: 80 },
    );
  });

  test('one flipped bit in the signed part, and the signature is no longer good', () => {
    const der = Uint8Array.from(certificate.raw);
    const at = der.length - 64 - 60;
    der[at] = der[at]! ^ 1;
    const bent = new X509Certificate(der);
    expect(bent.verify(certificate.publicKey)).toBe(false);
  });
});

const openssl = spawnSync('openssl', ['version']).status === 0;
describe('openssl reads it', () => {
  let home = '';
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'lichen-certificate-'));
    writeFileSync(join(home, 'certificate.pem'), identity.certificatePem);
    writeFileSync(join(home, 'key.pem'), identity.privateKeyPem);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  const run = (...args: string[]): string =>
    execFileSync('openssl', args, { cwd: home, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  test.runIf(openssl)('as X.509 v3 with an Ed25519 key, signed by itself', () => {
    const text = run('x509', '-in', 'certificate.pem', '-noout', '-text');
    expect(text).toContain('Version: 3 (0x2)');
    expect(text.match(/Signature Algorithm: ED25519/gi)).toHaveLength(2);
    expect(text).toMatch(/Not Before: Jan {2}1 00:00:00 1970 GMT/);
    expect(text).toContain('Not After : Dec 31 23:59:59 9999 GMT');
    expect(run('verify', '-CAfile', 'certificate.pem', 'certificate.pem')).toContain('OK');
    expect(run('verify', '-CAfile', 'certificate.pem', '-attime', '1', 'certificate.pem')).toContain('OK');
    expect(run('pkey', '-in', 'key.pem', '-pubout')).toBe(run('x509', '-in', 'certificate.pem', '-noout', '-pubkey'));
  });

  test.runIf(!openssl)('skipped: there is no openssl here', () => {
    console.log('certificate: the openssl part is skipped, there is no openssl');
    expect(openssl).toBe(false);
  });
});
