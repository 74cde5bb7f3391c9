/** What the runtime gives an instance to read: a directory that it sees read-only at /run/lichen. */
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { PartitionSpec } from '../../ports/partitions.ts';

/** Below a partition's own directory. */
export const givenPath = (directory: string): string => `${directory}/given`;

/** Whole at any moment, as the instance may be reading. */
const place = (path: string, text: string): void => {
  writeFileSync(`${path}.next`, text);
  chmodSync(`${path}.next`, 0o444);
  renameSync(`${path}.next`, path);
};

/** `out` is where its own words are mounted. */
export const give = (directory: string, { parameters, shares }: Pick<PartitionSpec, 'parameters' | 'shares'>): void => {
  const path = givenPath(directory);
  mkdirSync(`${path}/out`, { recursive: true });
  for (const made of [path, `${path}/out`]) chmodSync(made, 0o755);
  place(`${path}/parameters.json`, parameters);
  if (shares === undefined) rmSync(`${path}/shares.json`, { force: true });
  else place(`${path}/shares.json`, shares);
};
