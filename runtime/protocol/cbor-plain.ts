/**
 * Decodes what the scanner has passed, without cbor-x: where that has no native addon, as in a bundle, it takes U+FEFF from
 * the beginning of a long text. Slow, and the same everywhere.
 */
import { type Bytes, fromUtf8 } from './bytes.ts';

/** U+FEFF, and up to which length of a text cbor-x keeps it in any case. */
const MARK = [0xef, 0xbb, 0xbf] as const;
const KEPT_BYTES = 64;

/** Whether cbor-x reads a text differently with its addon and without. */
export const isMarked = (bytes: Bytes, from: number, to: number): boolean =>
  to - from > KEPT_BYTES && MARK.every((byte, i) => bytes[from + i] === byte);

const integer = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;

export const readPlain = (bytes: Bytes): unknown => {
  let at = 0;
  const take = (length: number): Bytes => {
    at += length;
    return bytes.slice(at - length, at);
  };
  const argument = (info: number): bigint =>
    info < 24 ? BigInt(info) : take(1 << (info - 24)).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const list = (length: number): unknown[] => Array.from({ length }, item);
  const item = (): unknown => {
    const [initial = 0] = take(1);
    const info = initial & 31;
    const value = argument(info);
    const size = Number(value);
    switch (initial >> 5) {
      case 0:
        return integer(value);
      case 1:
        return integer(-1n - value);
      case 2:
        return take(size);
      case 3:
        return fromUtf8(take(size));
      case 4:
        return list(size);
      case 5:
        return Object.fromEntries(Array.from({ length: size }, () => [item(), item()]));
      default:
        return info === 22 ? null : info === 21;
    }
  };
  return item();
};
