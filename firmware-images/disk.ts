/** Trees as file systems, and file systems as one disk. The same trees make the same bytes, wherever and whenever. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { runTool } from './tool.ts';
import { type Entry, type Tree, withParents } from './tree.ts';

/** Long after FAT's first year, and no moment at which anything was built. */
const MOMENT_S = 1_000_000_000;

/** A name of its own for every part, and the same one in every build (RFC 9562, version 8). */
export const uuidOf = (name: string): string => {
  const bytes = createHash('sha256').update(`lichen image ${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

const plant = (path: string, entry: Entry): void => {
  if (entry.kind === 'link') return symlinkSync(entry.to, path);
  if (entry.kind === 'directory') mkdirSync(path);
  else if ('from' in entry) copyFileSync(entry.from, path);
  else writeFileSync(path, entry.bytes);
  chmodSync(path, entry.mode);
  utimesSync(path, MOMENT_S, MOMENT_S);
};

const stage = (tree: Tree, folder: string): void => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, entry] of withParents(tree)) plant(join(folder, path), entry);
};

/**
 * Not packed: what is downloaded is packed as a whole, an update sends only what differs, and a board has nothing to unpack. Ends of files
 * lie in blocks of their own: between others, one of another length would move what is behind it, and an update be twenty times as long.
 */
const EROFS = ['-Enoinline_data', `-T${MOMENT_S}`, '-x-1', '--all-root', '--quiet'];

export const makeErofs = async (tree: Tree, name: string, path: string): Promise<void> => {
  const folder = `${path}.tree`;
  stage(tree, folder);
  await runTool('mkfs.erofs', [...EROFS, `-U${uuidOf(name)}`, path, folder]);
  rmSync(folder, { recursive: true, force: true });
};

/** Files one by one in their order: where each lies on a FAT depends on when it was copied. */
export const makeFat = async (tree: Tree, label: string, mebibytes: number, path: string): Promise<void> => {
  const folder = `${path}.tree`;
  stage(tree, folder);
  rmSync(path, { force: true });
  const number = createHash('sha256').update(label).digest('hex').slice(0, 8);
  await runTool('mkfs.vfat', ['--invariant', '-F', '32', '-s', '1', '-n', label, '-i', number, '-C', path, String(mebibytes * 1024)]);
  const env = { TZ: 'UTC', MTOOLS_SKIP_CHECK: '1', SOURCE_DATE_EPOCH: String(MOMENT_S) };
  for (const [name, entry] of withParents(tree)) {
    if (entry.kind === 'directory') await runTool('mmd', ['-i', path, `::${name}`], { env });
    else await runTool('mcopy', ['-m', '-i', path, join(folder, name), `::${name}`], { env });
  }
  rmSync(folder, { recursive: true, force: true });
};

const SECTOR = 512;
const MIB = 1024 * 1024;

export interface Part {
  name: string;
  /** As sfdisk calls it. */
  type: string;
  mebibytes: number;
  /** File with its content, no longer than the part. */
  path: string;
}

const copyInto = (disk: number, path: string, at: number): void => {
  const source = openSync(path, 'r');
  const block = Buffer.alloc(MIB);
  for (let done = 0, size = 0; ; done += size) {
    size = readSync(source, block, 0, block.length, done);
    if (size === 0) break;
    // What is empty stays a hole: files get shorter, and cards are written faster (bmap).
    if (!block.subarray(0, size).every((byte) => byte === 0)) writeSync(disk, block, 0, size, at + done);
  }
  closeSync(source);
};

const [ENTRY_AT, ENTRY_BYTES] = [446, 16];
const [FAT32_LBA, GPT_FOLLOWS] = [0x0c, 0xee];

/**
 * The sector before a GPT as a table for a firmware that reads no GPT: the first part as FAT, then the entry by which everybody else
 * knows that a GPT follows (UEFI 2.10, section 5.2.3, has the latter alone). Heads and cylinders are "beyond what can be said".
 */
export const oldTable = (sector: Buffer, mebibytes: number): Buffer => {
  const table = Buffer.from(sector);
  const entry = (row: number, type: number, start: number, sectors: number): void => {
    const at = ENTRY_AT + row * ENTRY_BYTES;
    table.fill(0, at, at + ENTRY_BYTES);
    for (const corner of [at + 1, at + 5]) table.set([0xfe, 0xff, 0xff], corner);
    table[at + 4] = type;
    table.writeUInt32LE(start, at + 8);
    table.writeUInt32LE(sectors, at + 12);
  };
  entry(0, FAT32_LBA, MIB / SECTOR, (mebibytes * MIB) / SECTOR);
  entry(1, GPT_FOLLOWS, 1, MIB / SECTOR - 1);
  return table;
};

export interface Disk {
  board: string;
  parts: Part[];
  /** For a firmware that reads no GPT. */
  oldTable: boolean;
}

/** GPT, each part on a whole mebibyte. */
export const makeDisk = async ({ board, parts, oldTable: withOldTable }: Disk, path: string): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const total = parts.reduce((sum, part) => sum + part.mebibytes, 0) + 2;
  const disk = openSync(path, 'w');
  ftruncateSync(disk, total * MIB);
  const lines = ['label: gpt', `label-id: ${uuidOf(board)}`, 'unit: sectors', `first-lba: ${MIB / SECTOR}`];
  let at = 1;
  for (const part of parts) {
    const [start, size] = [(at * MIB) / SECTOR, (part.mebibytes * MIB) / SECTOR];
    lines.push(`start=${start}, size=${size}, type=${part.type}, name=${part.name}, uuid=${uuidOf(`${board} ${part.name}`)}`);
    copyInto(disk, part.path, at * MIB);
    at += part.mebibytes;
  }
  closeSync(disk);
  await runTool('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', path], { input: `${lines.join('\n')}\n` });
  if (withOldTable) addOldTable(path, parts[0]?.mebibytes ?? 0);
};

const addOldTable = (path: string, mebibytes: number): void => {
  const disk = openSync(path, 'r+');
  const sector = Buffer.alloc(SECTOR);
  readSync(disk, sector, 0, SECTOR, 0);
  writeSync(disk, oldTable(sector, mebibytes), 0, SECTOR, 0);
  closeSync(disk);
};

export const mebibytesOf = (path: string): number => Math.ceil(statSync(path).size / MIB);
