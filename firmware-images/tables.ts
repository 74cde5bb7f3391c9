/** A device tree as its compiler writes it (Devicetree Specification 0.4, chapter 5): one alias more in it. */
import { refuse } from '../runtime/protocol/errors.ts';

/** Places in its head. */
const HEAD = { magic: 0, bytes: 4, structure: 8, strings: 12, stringsBytes: 32, structureBytes: 36 };
const [MAGIC, BEGIN_NODE, PROPERTY] = [0xd00dfeed, 1, 3];
/** Directly below the root, whose own name is empty. */
const ALIASES = Buffer.from('aliases\0');

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Each token begins on a whole word. */
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

/** `name` stands for the node at `path` from now on, which is not looked at. Error: `image-failed` for what is no such tree. */
export const withAlias = (table: Buffer, name: string, path: string): Buffer => {
  const at = (place: keyof typeof HEAD): number => table.readUInt32BE(HEAD[place]);
  if (table.length < 40 || at('magic') !== MAGIC || at('bytes') !== table.length || at('structure') > at('strings'))
    return refuse('image-failed', 'a table of the kernel is no device tree as its compiler writes it');
  const node = table.indexOf(Buffer.concat([word(BEGIN_NODE), ALIASES]), at('structure'));
  if (node < 0 || node >= at('strings')) return refuse('image-failed', 'a table of the kernel has no aliases');
  const [value, title] = [Buffer.from(`${path}\0`), Buffer.from(`${name}\0`)];
  const property = Buffer.concat([word(PROPERTY), word(value.length), word(at('stringsBytes')), padded(value)]);
  const [cut, end] = [node + 4 + ALIASES.length, at('strings') + at('stringsBytes')];
  // The titles of properties come last.
  const whole = Buffer.concat([table.subarray(0, cut), property, table.subarray(cut, end), title]);
  const set = (place: keyof typeof HEAD, to: number): void => void whole.writeUInt32BE(to, HEAD[place]);
  set('bytes', whole.length);
  set('strings', at('strings') + property.length);
  set('stringsBytes', at('stringsBytes') + title.length);
  set('structureBytes', at('structureBytes') + property.length);
  return whole;
};
