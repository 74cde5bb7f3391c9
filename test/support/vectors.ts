/** Vectors that nobody here wrote lie outside the project; LICHEN_VECTORS names their folder. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.LICHEN_VECTORS ?? '';

/** Tests over vectors are skipped where the folder is not named; where it is, a missing file fails. */
export const noVectors = folder === '';

if (noVectors) console.warn('LICHEN_VECTORS is not set: tests over outside vectors are skipped');
else if (!existsSync(folder)) throw new Error(`LICHEN_VECTORS names ${folder}, which is not there`);

export const readVector = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** One JSON value a line. */
export const readLines = (name: string): unknown[] =>
  readVector(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
