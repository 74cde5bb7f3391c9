/** The disk that a directory lies on, by the number under which the io controller knows it: it limits whole disks, not their partitions. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PartitionLimits } from '../../ports/partitions.ts';
import { numbersOf } from './devices.ts';
import { readText } from './state.ts';

const KIB = 1024;

/** `major:minor`; null where there is none, as with file systems that have several disks or lie in memory. */
export const diskOf = (directory: string, sys = '/sys'): string | null => {
  const { major, minor } = numbersOf(statSync(directory, { bigint: true }).dev);
  const link = `${sys}/dev/block/${major}:${minor}`;
  if (!existsSync(link)) return null;
  const at = realpathSync(link);
  const disk = existsSync(`${at}/partition`) ? dirname(at) : at;
  return readText(`${disk}/dev`)?.trim() ?? null;
};

/** A line of `io.max`. What is not said is `max`: a limit of an earlier life is gone with it. */
export const ioMaxOf = (disk: string, { readKibPerS, writeKibPerS, ioOpsPerS }: Partial<PartitionLimits>): string => {
  const bytes = (kib: number | undefined): string => (kib === undefined ? 'max' : String(kib * KIB));
  const ops = ioOpsPerS === undefined ? 'max' : String(ioOpsPerS);
  return `${disk} rbps=${bytes(readKibPerS)} wbps=${bytes(writeKibPerS)} riops=${ops} wiops=${ops}`;
};
