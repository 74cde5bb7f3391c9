/** Wi-Fi networks, from what people write to what wpa_supplicant reads. */
import { pbkdf2Sync } from 'node:crypto';
import * as v from 'valibot';
import { utf8 } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';

/** As it is kept: what lies on the board opens its network and nothing else that has the same passphrase. */
export interface Network {
  /** Octets, at most 32 (IEEE 802.11, 9.4.2.2), in hex: a name is in no character set. */
  ssid: string;
  /** 256 bits in hex; null for a network that is open to all. */
  psk: string | null;
  hidden: boolean;
}

export interface Wifi {
  country: string | null;
  networks: Network[];
}

export const country = v.pipe(v.string(), v.regex(/^[A-Z]{2}$/, 'two capital letters, such as DE (ISO 3166-1)'));

const SSID_BYTES = 32;
const KEY = /^[0-9a-fA-F]{64}$/;
/** Printable ASCII, 8 to 63 characters (IEEE 802.11, J.4.1). */
const PASSPHRASE = /^[\x20-\x7e]{8,63}$/;

/** IEEE 802.11, J.4.1: the passphrase with the name, 4096 times. */
const keyOf = (passphrase: string, ssid: Uint8Array): string => pbkdf2Sync(passphrase, ssid, 4096, 32, 'sha1').toString('hex');

/** `secret`: a passphrase or its key in hex; undefined for an open network. Error: `bad-schema`, without the secret. */
export const networkOf = (name: string | Uint8Array, secret: string | undefined, hidden: boolean): Network => {
  const ssid = typeof name === 'string' ? utf8(name) : name;
  const said = Buffer.from(ssid).toString('utf8');
  if (ssid.length === 0 || ssid.length > SSID_BYTES) refuse('bad-schema', `the name of a Wi-Fi network has 1 to ${SSID_BYTES} bytes`);
  if (secret !== undefined && !KEY.test(secret) && !PASSPHRASE.test(secret))
    refuse('bad-schema', `the passphrase of "${said}" is not 8 to 63 characters of ASCII, nor a key of 64 hexadecimal digits`);
  const psk = secret === undefined ? null : KEY.test(secret) ? secret.toLowerCase() : keyOf(secret, ssid);
  return { ssid: Buffer.from(ssid).toString('hex'), psk, hidden };
};

const kept = v.strictObject({
  country: v.nullable(country),
  networks: v.pipe(
    v.array(
      v.strictObject({
        ssid: v.pipe(v.string(), v.regex(/^([0-9a-f]{2}){1,32}$/)),
        psk: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
        hidden: v.boolean(),
      }),
    ),
    v.maxLength(LIMITS.setupNetworks),
  ),
});

export const wifiIn = (text: string): Wifi => v.parse(kept, JSON.parse(text));

/**
 * The file that wpa_supplicant reads (wpa_supplicant.conf(5)). The first network that is named is taken before the second. A network of
 * WPA3 alone wants the passphrase itself, which is not kept: it is not joined.
 */
export const configurationOf = ({ country: where, networks }: Wifi): string => {
  const blocks = networks.map(({ ssid, psk, hidden }, at) => {
    const keys = psk === null ? ['key_mgmt=NONE'] : ['key_mgmt=WPA-PSK WPA-PSK-SHA256', `psk=${psk}`, 'ieee80211w=1'];
    const rows = [`ssid=${ssid}`, `scan_ssid=${hidden ? 1 : 0}`, ...keys, `priority=${networks.length - at}`];
    return `network={\n${rows.map((row) => `\t${row}\n`).join('')}}\n`;
  });
  return `update_config=0\n${where === null ? '' : `country=${where}\n`}${blocks.join('')}`;
};
