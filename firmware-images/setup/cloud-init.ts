/**
 * The part of cloud-init that the settings page of Raspberry Pi Imager writes (its `init_format` cloudinit): name, Wi-Fi and country.
 * Users, passwords and keys for remote shells it writes too; a board has neither, and says so.
 */
import * as v from 'valibot';
import { parse as parseYaml } from 'yaml';
import { hostname } from '../../runtime/adapters/setup.ts';
import { fromUtf8, utf8 } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { map, parse } from '../../runtime/protocol/schema.ts';
import { country, type Network, networkOf } from './wifi.ts';
import type { Words } from './words.ts';

/** Every plain value is text: a passphrase of digits is no number. No aliases: a short file stays a small value. */
const readValue = (name: string, text: string): Record<string, unknown> => {
  let value: unknown;
  try {
    value = parseYaml(text, { schema: 'failsafe', maxAliasCount: 0, logLevel: 'error', prettyErrors: false });
  } catch (thrown) {
    // Its message without the text that it quotes.
    const why = thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : '';
    return refuse('bad-schema', `${name} is not YAML (${why.replaceAll(/["'].*["']/g, '...')}); it may be half written`);
  }
  return value === '' || value === null ? {} : parse(map, value, name);
};

/** Written for every board, and without a meaning where nothing is installed and names are no file. */
const EMPTY = new Set(['manage_etc_hosts', 'manage_resolv_conf', 'packages', 'apt']);

/** Imager takes capitals too. */
const named = v.optional(v.pipe(v.string(), v.toLowerCase(), hostname));

/** Error: `bad-schema`. */
export const userWords = (text: string): Words => {
  if (!/^\ufeff?#cloud-config\s*$/m.test(text)) refuse('bad-schema', 'user-data does not begin with #cloud-config: nothing else is read');
  const { hostname: name, ...rest } = readValue('user-data', text);
  const said = parse(named, name, 'user-data.hostname');
  const ignored = Object.keys(rest).filter((key) => !EMPTY.has(key));
  return { setup: said === undefined ? {} : { hostname: said }, ignored: ignored.map((key) => `${key} (user-data)`) };
};

const accessPoint = v.nullable(
  v.pipe(
    map,
    v.looseObject({
      password: v.optional(v.string()),
      hidden: v.optional(v.string()),
      auth: v.optional(v.pipe(map, v.looseObject({ 'key-management': v.optional(v.string()), password: v.optional(v.string()) }))),
    }),
  ),
);
const radio = v.pipe(
  map,
  v.looseObject({
    'regulatory-domain': v.optional(country),
    'access-points': v.optional(v.pipe(map, v.record(v.string(), v.union([accessPoint, v.literal('')])))),
  }),
);
/** Netplan's second version, with its outermost key or without. */
const plan = v.looseObject({
  version: v.literal('2', 'only version 2 is read'),
  wifis: v.optional(v.pipe(map, v.record(v.string(), radio)), {}),
});

/** What is set by hand: everything else about an interface is what happens anyway. */
const BY_HAND = ['addresses', 'gateway4', 'gateway6', 'routes', 'nameservers', 'macaddress', 'mtu'];

/**
 * The name of a network in octets. Imager writes each octet above ASCII as `\xHH`, which YAML reads as a character of that number;
 * others write the character itself.
 */
const octetsOf = (name: string): Uint8Array => {
  const narrow = [...name].every((character) => (character.codePointAt(0) ?? 0) <= 0xff);
  if (!narrow) return utf8(name);
  const octets = Uint8Array.from(Buffer.from(name, 'latin1'));
  try {
    fromUtf8(octets);
    return octets;
  } catch {
    return utf8(name);
  }
};

const TRUE = new Set(['true', 'True', 'TRUE', 'yes', 'on']);

type Point = v.InferOutput<typeof accessPoint> | '';

const networkIn = (name: string, point: Point): Network => {
  const { password, hidden = '', auth } = point === null || point === '' ? {} : point;
  const how = auth?.['key-management'] ?? 'psk';
  if (!['none', 'psk', 'sae'].includes(how)) refuse('bad-schema', `network-config: "${name}" wants ${how}, which is not known here`);
  return networkOf(octetsOf(name), how === 'none' ? undefined : (password ?? auth?.password), TRUE.has(hidden));
};

/** Error: `bad-schema`. */
export const networkWords = (text: string): Words => {
  const value = readValue('network-config', text);
  if (Object.keys(value).length === 0) return { setup: {}, ignored: [] };
  const { wifis, ...rest } = parse(plan, 'network' in value ? value.network : value, 'network-config');
  const points = Object.values(wifis).flatMap((one) => Object.entries(one['access-points'] ?? {}));
  if (points.length > LIMITS.setupNetworks) refuse('bad-schema', `network-config names more than ${LIMITS.setupNetworks} Wi-Fi networks`);
  const [where] = Object.values(wifis).flatMap((one) => one['regulatory-domain'] ?? []);
  const wired = takesMaps(rest.ethernets);
  const byHand = [...wired, ...Object.values(wifis)].flatMap((one) => BY_HAND.filter((key) => key in one));
  return {
    setup: {},
    country: where,
    wifi: points.length === 0 ? undefined : points.map(([name, point]) => networkIn(name, point)),
    ignored: [...new Set(byHand)].map((key) => `${key} (network-config)`),
  };
};

const takesMaps = (value: unknown): Record<string, unknown>[] => {
  const found = v.safeParse(v.record(v.string(), map), value);
  return found.success ? Object.values(found.output) : [];
};

/** Where no network is named, Imager gives the country to the kernel. */
export const kernelWords = (text: string): Words => {
  const [, where] = /(?:^|\s)cfg80211\.ieee80211_regdom=([A-Z]{2})(?:\s|$)/.exec(text) ?? [];
  return { setup: {}, country: where, ignored: [] };
};
