/**
 * What runs inside a board, each of its tests as one here. `LICHEN_BOARD=REGEX` runs the files whose path matches, each of them whole: `crun`
 * is the whole contract of partitions.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runInside } from './guest.ts';
import { testImage } from './image.ts';

const here = readdirSync(join(import.meta.dirname, 'inside')).filter((name) => name.endsWith('.test.ts'));
const suites = (names: string[]): string[] => names.map((name) => `test/runtime/adapters/partitions/${name}.slow.test.ts`);

/** A board each, side by side: an emulated one has one processor, and takes one of this machine's. */
const BOARDS: string[][] = [
  suites(['crun', 'data', 'hostile', 'io']),
  [...here.map((name) => `test/board/inside/${name}`), ...suites(['devices', 'questions', 'network'])],
];
/** What is the same on every kernel, and is tried on this machine by `npm test`: left out where nothing is asked for by name. */
const SAME_EVERYWHERE = /^partitions: crun (books|deadlines|logs|words) /;

const asked = process.env.LICHEN_BOARD;
const boards = BOARDS.map((files) => files.filter((file) => new RegExp(asked ?? '').test(file))).filter((files) => files.length > 0);
const wanted = boards.flat();

// Run while the tests are being collected: which there are is known afterwards.
const image = await testImage();
const without = asked === undefined ? SAME_EVERYWHERE : null;
const results = (await Promise.all(boards.map((files) => runInside(image, files, without)))).flatMap(({ tests }) => tests);

describe('inside a board', () => {
  test('every file was run', () => expect([...new Set(results.map(({ file }) => file))].sort()).toEqual([...wanted].sort()));
  for (const { file, name, passed, skipped, failure } of results)
    describe(file, () => {
      if (skipped) test.skip(name, () => undefined);
      else test(name, () => expect(passed, failure).toBe(true));
    });
});
