/** What runs inside a board, each of its tests as one here. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runInside } from './guest.ts';
import { testImage } from './image.ts';

const here = readdirSync(join(import.meta.dirname, 'inside')).filter((name) => name.endsWith('.test.ts'));
const files = ['test/runtime/adapters/partitions/crun.slow.test.ts', ...here.map((name) => `test/board/inside/${name}`)];
// The whole contract takes an emulated board a quarter of an hour and more: `LICHEN_BOARD=crun`.
const wanted = files.filter((file) => file.includes(process.env.LICHEN_BOARD ?? 'board/inside/'));

// Run while the tests are being collected: which there are is known afterwards.
const results = await runInside(await testImage(), wanted);

describe('inside a board', () => {
  test('every file was run', () => expect([...new Set(results.map(({ file }) => file))].sort()).toEqual([...wanted].sort()));
  for (const { file, name, passed, skipped, failure } of results)
    describe(file, () => {
      if (skipped) test.skip(name, () => undefined);
      else test(name, () => expect(passed, failure).toBe(true));
    });
});
