/**
 * A self-signed X.509 certificate (RFC 5280) with an Ed25519 key (RFC 8410), written out by hand: TLS needs some
 * certificate to carry the key, both ends pin the key and read nothing else of it. A certificate library would be
 * several times all of the link's code on a board that has 512 MB.
 *
 * Valid from 1970, because a board without a clock wakes up there, to 9999 ("no well-defined expiration", RFC 5280
 * §4.1.2.5): a key ends by revocation, not by a date that locks boards out.
 */
import { type Bytes, concat, utf8 } from '../protocol/bytes.ts';
import type { Signer } from '../protocol/crypto.ts';
import { PKCS8_PREFIX, SPKI_PREFIX, signerFromSeed } from './crypto.ts';

/** Who someone is on the wire: the certificate to show, and the keys behind it. */
export interface Identity {
  readonly id: string;
  readonly signer: Signer;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const TAG = { integer: 0x02, bits: 0x03, utf8: 0x0c, utcTime: 0x17, time: 0x18, sequence: 0x30, set: 0x31, version: 0xa0 } as const;

/** Tag, length, content; the certificate as a whole has fewer than 64 KiB. */
const der = (tag: number, ...parts: Bytes[]): Bytes => {
  const content = concat(...parts);
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return concat(Uint8Array.from([tag, ...length]), content);
};

const bits = (content: Bytes): Bytes => der(TAG.bits, Uint8Array.from([0]), content);
/** 1.3.101.112, id-Ed25519; its parameters must be absent (RFC 8410 §3). */
const ED25519 = Uint8Array.from(Buffer.from('300506032b6570', 'hex'));
/** 2.5.4.3, id-at-commonName. */
const COMMON_NAME = Uint8Array.from(Buffer.from('0603550403', 'hex'));
/** v3: some TLS stacks refuse v1. */
const V3 = der(TAG.version, der(TAG.integer, Uint8Array.from([2])));
/** One certificate for each key, so one serial number does. */
const SERIAL = der(TAG.integer, Uint8Array.from([1]));
/** RFC 5280 §4.1.2.5: UTCTime up to 2049, GeneralizedTime from then on. */
const VALIDITY = der(TAG.sequence, der(TAG.utcTime, utf8('700101000000Z')), der(TAG.time, utf8('99991231235959Z')));

const pem = (label: string, content: Bytes): string => {
  const text = Buffer.from(content)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
};

/** DER of a certificate for the signer's key, issued by itself, CN = `name` (at most 64 characters, ub-common-name). */
export const certificateOf = (signer: Signer, name: string): Bytes => {
  const subject = der(TAG.sequence, der(TAG.set, der(TAG.sequence, COMMON_NAME, der(TAG.utf8, utf8(name)))));
  const key = concat(SPKI_PREFIX, signer.publicKey);
  const body = der(TAG.sequence, V3, SERIAL, ED25519, subject, VALIDITY, subject, key);
  return der(TAG.sequence, body, ED25519, bits(signer.sign(body)));
};

/** `id`: the board's or gateway's id, or the fingerprint of a tenant's key. */
export const identityFromSeed = (seed: Bytes, id: string): Identity => {
  const signer = signerFromSeed(seed);
  return {
    id,
    signer,
    certificatePem: pem('CERTIFICATE', certificateOf(signer, id)),
    privateKeyPem: pem('PRIVATE KEY', concat(PKCS8_PREFIX, seed)),
  };
};
