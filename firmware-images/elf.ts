/** What the header of a program tells (System V gABI, ELF64, little-endian): what it needs, and where what is loaded ends. */
import { refuse } from '../runtime/protocol/errors.ts';

const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
const [DT_NULL, DT_NEEDED, DT_STRTAB] = [0, 1, 5];

interface Segment {
  type: number;
  offset: number;
  address: number;
  bytes: number;
}

export const isElf = (file: Buffer): boolean => file.length > 64 && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2 && file[5] === 1;

const segmentsOf = (elf: Buffer): Segment[] => {
  const [at, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, row) => at + row * size).map((header) => ({
    type: elf.readUInt32LE(header),
    offset: Number(elf.readBigUInt64LE(header + 8)),
    address: Number(elf.readBigUInt64LE(header + 16)),
    bytes: Number(elf.readBigUInt64LE(header + 32)),
  }));
};

const textAt = (elf: Buffer, at: number): string => elf.toString('latin1', at, elf.indexOf(0, at));

/** Names of the libraries that the loader will look for, and of the loader itself. */
export const neededBy = (elf: Buffer): { interpreter: string | null; libraries: string[] } => {
  const segments = segmentsOf(elf);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const entries: { tag: number; value: number }[] = [];
  for (let at = dynamic?.offset ?? 0; dynamic !== undefined && at < dynamic.offset + dynamic.bytes; at += 16) {
    const tag = Number(elf.readBigInt64LE(at));
    if (tag === DT_NULL) break;
    entries.push({ tag, value: Number(elf.readBigUInt64LE(at + 8)) });
  }
  const strings = entries.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0;
  const home = segments.find(({ type, address, bytes }) => type === PT_LOAD && strings >= address && strings < address + bytes);
  const offset = strings - (home?.address ?? 0) + (home?.offset ?? 0);
  return {
    interpreter: interpreter === undefined ? null : textAt(elf, interpreter.offset),
    libraries: entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => textAt(elf, offset + value)),
  };
};

/**
 * Without symbols and debug sections: only what the program headers name is ever mapped. Not strip(1), which knows foreign
 * processors only by accident and whose output differs between versions.
 */
export const loadablePart = (elf: Buffer): Buffer => {
  if (!isElf(elf)) refuse('image-failed', 'a program is not a 64-bit little-endian ELF file');
  const headers = Number(elf.readBigUInt64LE(32)) + elf.readUInt16LE(54) * elf.readUInt16LE(56);
  const kept = Buffer.from(elf.subarray(0, Math.max(headers, ...segmentsOf(elf).map(({ offset, bytes }) => offset + bytes))));
  kept.writeBigUInt64LE(0n, 40); // e_shoff
  kept.fill(0, 58, 64); // e_shentsize, e_shnum, e_shstrndx
  return kept;
};
