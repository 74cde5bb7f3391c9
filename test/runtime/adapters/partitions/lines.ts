/** JSON lines that carry what events hold beyond JSON: big integers, maps, errors. */
import { LichenError } from '../../../../runtime/protocol/errors.ts';

export const toLine = (value: object): string =>
  JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return { $big: String(item) };
    if (item instanceof Uint8Array) return { $bytes: Buffer.from(item).toString('base64') };
    if (item instanceof Map) return { $map: [...item] };
    if (item instanceof LichenError) return { $error: [item.code, item.detail] };
    return item;
  });

/** What a line holds is known to whoever reads it. */
export const fromLine = <Line>(line: string): Line =>
  JSON.parse(line, (_key, item) => {
    if (typeof item?.$big === 'string') return BigInt(item.$big);
    if (typeof item?.$bytes === 'string') return new Uint8Array(Buffer.from(item.$bytes, 'base64'));
    if (Array.isArray(item?.$map)) return new Map(item.$map);
    if (Array.isArray(item?.$error)) return new LichenError(item.$error[0], item.$error[1]);
    return item;
  });
