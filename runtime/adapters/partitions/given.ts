/** What the runtime gives an instance to read: a directory that it sees read-only at /run/lichen. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';

/** Below a partition's own directory. */
export const givenPath = (directory: string): string => `${directory}/given`;

/** Whole at any moment, as the instance may be reading. `out` is where its own words are mounted. */
export const give = (directory: string, parameters: string): void => {
  const path = givenPath(directory);
  mkdirSync(`${path}/out`, { recursive: true });
  for (const made of [path, `${path}/out`]) chmodSync(made, 0o755);
  writeFileSync(`${path}/parameters.next`, parameters);
  chmodSync(`${path}/parameters.next`, 0o444);
  renameSync(`${path}/parameters.next`, `${path}/parameters.json`);
};
