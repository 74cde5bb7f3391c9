/** What runs inside a board, each of its tests as one here. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runInside } from './guest.ts';
import { testImage } from './image.ts';

const here = readdirSync(join(import.meta.dirname, 'inside')).filter((name) => name.endsWith('.test.ts'));
const suites = (names: string[]): string[] => names.map((name) => `test/runtime/adapters/partitions/${name}.slow.test.ts`);

/** A board each, side by side: an emulated one has one processor, and takes one of this machine's. */
const PARTS: string[][] = [
  suites(['crun', 'hostile']),
  [...here.map((name) => `test/board/inside/${name}`), ...suites(['data', 'io', 'devices', 'questions', 'network'])],
];
const parts = PARTS.map((part) => part.filter((file) => new RegExp(process.env.LICHEN_BOARD ?? '').test(file))).filter(
  (part) => part.length > 0,
);
const wanted = parts.flat();

// Run while the tests are being collected: which there are is known afterwards.
const image = await testImage();
const results = (await Promise.all(parts.map((part) => runInside(image, part)))).flat();

describe('inside a board', () => {
  test('every file was run', () => expect([...new Set(results.map(({ file }) => file))].sort()).toEqual([...wanted].sort()));
  for (const { file, name, passed, skipped, failure } of results)
    describe(file, () => {
      if (skipped) test.skip(name, () => undefined);
      else test(name, () => expect(passed, failure).toBe(true));
    });
});
