/** An archive that the kernel unpacks as its first root: cpio in the "new ASCII" form (kernel.org, initramfs buffer format). */
import { readFileSync } from 'node:fs';
import { type Entry, type Tree, withParents } from './tree.ts';

const TYPES = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;
const BOUNDARY = 4;

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((BOUNDARY - (bytes.length % BOUNDARY)) % BOUNDARY)]);

const contentOf = (entry: Entry): Uint8Array => {
  if (entry.kind === 'directory') return new Uint8Array();
  if (entry.kind === 'link') return Buffer.from(entry.to);
  return 'from' in entry ? readFileSync(entry.from) : entry.bytes;
};

/** Owner, times and devices are zero, numbers count up: the same tree makes the same bytes. */
const record = (inode: number, name: string, mode: number, links: number, content: Uint8Array): Buffer => {
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head, 'latin1')), padded(Buffer.from(content))]);
};

export const cpioOf = (tree: Tree): Buffer => {
  const records = [...withParents(tree)].map(([path, entry], at) => {
    const permissions = entry.kind === 'link' ? 0o777 : entry.mode;
    return record(at + 1, path, TYPES[entry.kind] | permissions, entry.kind === 'directory' ? 2 : 1, contentOf(entry));
  });
  return Buffer.concat([...records, record(0, 'TRAILER!!!', 0, 1, new Uint8Array())]);
};
