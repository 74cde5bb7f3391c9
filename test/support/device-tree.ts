/** Device trees for tests, written and read token by token (Devicetree Specification 0.4, chapter 5). */

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const name = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(4 - (text.length % 4))]);

/** The root with nothing but aliases, of which each is one for a node. */
export const deviceTree = (aliases: Record<string, string>): Buffer => {
  const titles = Object.keys(aliases).map((title) => `${title}\0`);
  const properties = Object.values(aliases).map((path, at) => {
    const title = titles.slice(0, at).join('').length;
    return Buffer.concat([word(3), word(path.length + 1), word(title), name(path)]);
  });
  const structure = Buffer.concat([word(1), name(''), word(1), name('aliases'), ...properties, word(2), word(2), word(9)]);
  const strings = Buffer.from(titles.join(''));
  const [reserved, head] = [Buffer.alloc(16), Buffer.alloc(40)];
  const from = head.length + reserved.length;
  const words = [
    0xd00dfeed,
    from + structure.length + strings.length,
    from,
    from + structure.length,
    40,
    17,
    16,
    0,
    strings.length,
    structure.length,
  ];
  for (const [at, value] of words.entries()) head.writeUInt32BE(value, 4 * at);
  return Buffer.concat([head, reserved, structure, strings]);
};

/** All properties of the nodes directly below the root, by `node/property`. Throws if it does not end where it says. */
export const propertiesIn = (table: Buffer): Map<string, string> => {
  const [bytes = 0, structure = 0, strings = 0, stringsBytes = 0, structureBytes = 0] = [4, 8, 12, 32, 36].map((at) =>
    table.readUInt32BE(at),
  );
  if (bytes !== table.length || strings + stringsBytes !== bytes || structure + structureBytes !== strings)
    throw new Error('its parts do not meet');
  const textAt = (at: number): string => table.toString('latin1', at, table.indexOf(0, at));
  const found = new Map<string, string>();
  const path: string[] = [];
  for (let at = structure; at < strings; ) {
    const token = table.readUInt32BE(at);
    at += 4;
    if (token === 1) {
      path.push(textAt(at));
      at += name(textAt(at)).length;
    } else if (token === 2) path.pop();
    else if (token === 3) {
      const [length, title] = [table.readUInt32BE(at), table.readUInt32BE(at + 4)];
      if (path.length === 2) found.set(`${path[1]}/${textAt(strings + title)}`, table.toString('latin1', at + 8, at + 8 + length - 1));
      at += 8 + 4 * Math.ceil(length / 4);
    } else if (token === 9 && at === strings) return found;
    else throw new Error(`token ${token} at ${at}`);
  }
  throw new Error('it has no end');
};
