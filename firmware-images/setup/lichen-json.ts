/** `lichen.json`, what a person writes. */
import * as v from 'valibot';
import { setupKeys } from '../../runtime/adapters/setup.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { map, parse } from '../../runtime/protocol/schema.ts';
import { country, networkOf } from './wifi.ts';
import type { Words } from './words.ts';

export const NAME = 'lichen.json';

const network = v.pipe(
  map,
  v.strictObject({
    ssid: v.string(),
    // With words of its own: the library's would quote a number.
    passphrase: v.optional(v.string('text in quotes')),
    psk: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-fA-F]{64}$/, '64 hexadecimal digits'))),
    hidden: v.optional(v.boolean(), false),
  }),
  v.check(({ passphrase, psk }) => passphrase === undefined || psk === undefined, 'a passphrase or a psk, not both'),
);

/** What is not known here is refused, so that a misspelt word is not silently without effect. */
const schema = v.pipe(
  map,
  v.strictObject({
    ...setupKeys,
    country: v.optional(country),
    wifi: v.optional(v.pipe(v.array(network), v.maxLength(LIMITS.setupNetworks))),
  }),
);

const readValue = (text: string): unknown => {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (thrown) {
    // V8 quotes the text around the place, which may be a passphrase.
    const place = thrown instanceof Error ? (/\bat position \d+( \(line \d+ column \d+\))?/.exec(thrown.message)?.[0] ?? '') : '';
    return refuse('bad-schema', `${NAME} is not JSON${place === '' ? '' : ` (wrong ${place})`}; it may be half written`);
  }
};

/** Error: `bad-schema`. */
export const lichenWords = (text: string): Words => {
  const value = readValue(text);
  if (Array.isArray(value)) refuse('bad-schema', `${NAME} is a list, not an object in braces`);
  const { wifi, country: where, ...setup } = parse(schema, value, NAME);
  const networks = wifi?.map(({ ssid, passphrase, psk, hidden }) => networkOf(ssid, passphrase ?? psk, hidden));
  return { setup, country: where, wifi: networks, ignored: [] };
};
