/** The words of a command line, read once and strictly. Everything here refuses with `bad-usage` and names the flag. */
import { type Bytes, fromHex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { parse, type Schema } from '../../runtime/protocol/schema.ts';

export const misused = (detail: string, next?: string): never => refuse('bad-usage', detail, next);

/** A schema's refusal, told as one of the command line. */
export const word = <T>(schema: Schema<T>, input: unknown, flag: string, next?: string): T => {
  try {
    return parse(schema, input, flag);
  } catch (thrown) {
    return misused(asLichenError(thrown).detail, next);
  }
};

export const wholeNumber = (text: string, flag: string, least = 0, most = Number.MAX_SAFE_INTEGER): number => {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value < least || value > most) {
    misused(`${flag} is a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}, not "${text}"`);
  }
  return value;
};

export const hexBytes = (text: string, flag: string): Bytes =>
  /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : misused(`${flag} is 64 digits of lower-case hex, not "${text}"`);

/** `host:port`, IPv6 as `[::1]:8883`. */
export const hostPort = (text: string, flag: string): { host: string; port: number } => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  return host !== '' && port <= 65_535 ? { host, port } : misused(`${flag} is host:port, not "${text}"`);
};

/** `key=value`; the value may hold further equal signs. */
export const pair = (text: string, flag: string): [key: string, value: string] => {
  const at = text.indexOf('=');
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : misused(`${flag} is key=value, not "${text}"`);
};

/** Several `key=value`; a key that comes twice is a mistake and no override. */
export const pairs = (texts: string[], flag: string): Record<string, string> => {
  const entries = texts.map((text) => pair(text, flag));
  const twice = entries.find(([key], at) => entries.findIndex(([other]) => other === key) !== at);
  if (twice !== undefined) misused(`${flag} ${twice[0]} is given twice`);
  return Object.fromEntries(entries);
};

const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `5m`, `12h`, `30d`, `1500ms`; a bare number is milliseconds. */
export const duration = (text: string, flag: string): number => {
  const match = /^(\d{1,12})(ms|s|m|min|h|d)?$/.exec(text);
  const value = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? 'ms'] ?? 1);
  return match !== null && Number.isSafeInteger(value) && value > 0
    ? value
    : misused(`${flag} is a duration such as 90s, 5m or 12h, not "${text}"`);
};

const PREFIX: Record<string, number> = { '': 0, m: 3, u: 6, n: 9 };

/**
 * Money as people write it, in units of the currency: `1.50`, or with a prefix `20n`, `3.5u`, `2m` (nano, micro,
 * milli). Returned as a whole number of 10^-decimals; what does not come out even is refused, never rounded.
 */
export const money = (text: string, decimals: number, flag: string): bigint => {
  const match = /^(\d{1,15})(?:\.(\d{1,15}))?([mun]?)$/.exec(text);
  if (match === null) return misused(`${flag} is an amount such as 1.50, 250u or 20n, not "${text}"`);
  const [, whole = '', fraction = '', prefix = ''] = match;
  const shift = decimals - (PREFIX[prefix] ?? 0) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const scale = 10n ** BigInt(-shift);
  return digits % scale === 0n ? digits / scale : misused(`${flag} ${text} is finer than the ${decimals} decimals that are kept`);
};

/** The other way round, with all decimals that matter and at least two. */
export const showMoney = (amount: bigint, decimals: number): string => {
  const digits = amount.toString().padStart(decimals + 1, '0');
  const fraction = digits.slice(-decimals).replace(/0+$/, '').padEnd(2, '0');
  return `${digits.slice(0, -decimals)}.${fraction}`;
};
