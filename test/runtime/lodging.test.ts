/** In whose folder `lichen-runtime` looks, and in which it runs. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdFolder } from '../../runtime/adapters/folder.ts';
import { ERRORS } from '../../runtime/protocol/errors.ts';

const entry = join(import.meta.dirname, '../../runtime/main.ts');

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-lodging-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const runtime = (...words: string[]): Promise<{ status: unknown; said: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, ...words], { timeout: 30_000 }, (thrown, _stdout, said) =>
      resolve({ status: thrown === null ? 0 : thrown.code, said }),
    );
  });

test.each(['--status', '--evict', '--rotate-key'])('%s of a folder in which no board has run makes none there', async (word) => {
  const data = join(home, 'bord');
  expect(await runtime('--data', data, word)).toEqual({
    status: ERRORS['not-found'].exit,
    said: expect.stringContaining(`no board has ever run in ${data}`),
  });
  expect(existsSync(data)).toBe(false);
});

test('a second one on a folder is refused before it has made anything there', async () => {
  const held = await holdFolder(home, 'board');
  expect(await runtime('--data', home)).toEqual({
    status: ERRORS.conflict.exit,
    said: expect.stringMatching(new RegExp(`a runtime runs on ${home} already: process ${process.pid}[^]*stop it first`)),
  });
  expect(readdirSync(home)).toEqual([]);
  held.release();
});
