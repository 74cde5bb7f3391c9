/** Addresses and networks as numbers, so that a rule of a manifest means the same to gateways, boards and people. */

export interface Range {
  /** 32 or 128. */
  bits: 32 | 128;
  first: bigint;
  last: bigint;
}

export type Destination = { kind: 'internet' } | { kind: 'range'; range: Range; text: string } | { kind: 'name'; name: string };

const OCTET = /^(0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/;

const v4Of = (text: string): bigint | null => {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => OCTET.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
};

/** RFC 4291 section 2.2 in the lower case of RFC 5952; no form with an IPv4 address in it. */
const v6Of = (text: string): bigint | null => {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => GROUP.test(group))) return null;
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
};

/** An address or a network; null when it is neither, or has bits set below its prefix. */
export const rangeOf = (text: string): Range | null => {
  const [address = '', length, ...more] = text.split('/');
  const bits = address.includes(':') ? 128 : 32;
  const value = bits === 128 ? v6Of(address) : v4Of(address);
  if (value === null || more.length > 0) return null;
  if (length !== undefined && !(OCTET.test(length) && Number(length) <= bits)) return null;
  const size = 1n << BigInt(bits - Number(length ?? bits));
  return value % size === 0n ? { bits, first: value, last: value + size - 1n } : null;
};

/** At least two labels of RFC 1123, the last one not of digits: what looks like an address is none of these. */
const NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const destinationOf = (text: string): Destination | null => {
  if (text === 'internet') return { kind: 'internet' };
  const range = rangeOf(text);
  if (range !== null) return { kind: 'range', range, text };
  return NAME.test(text) ? { kind: 'name', name: text } : null;
};

/**
 * Not the Internet: what a board or its owner's network has for itself (RFC 6890 and IANA's registries of special
 * addresses). Of IPv6 only 2000::/3 has been given to the Internet.
 */
export const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '224.0.0.0/3',
] as const;
export const PRIVATE_V6 = ['::/3', '4000::/2', '8000::/1'] as const;

export const PRIVATE: readonly Range[] = [...PRIVATE_V4, ...PRIVATE_V6].flatMap((text) => rangeOf(text) ?? []);

export const isPrivate = (address: string): boolean => {
  const range = rangeOf(address);
  return range === null || PRIVATE.some(({ bits, first, last }) => bits === range.bits && range.first >= first && range.last <= last);
};
