/** What a person is told when a card is not written: nothing of it is lost before it was opened. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { flashImage } from '../../firmware-images/flash.ts';
import { disk } from '../support/image-disk.ts';

/** What the kernel says of each call of that name on the card, if not what it would. */
const kernel = vi.hoisted(() => ({ open: '', write: '' }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const says = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  return {
    ...real,
    openSync: (...[path, ...words]: Parameters<typeof real.openSync>) =>
      kernel.open !== '' && String(path).endsWith('/card') ? says(kernel.open) : real.openSync(path, ...words),
    writeSync: (...words: [number, Buffer, number, number, number]) =>
      kernel.write !== '' ? says(kernel.write) : real.writeSync(...words),
  };
});

let folder: string;
const at = (name: string): string => join(folder, name);
const PATH = process.env.PATH;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-flash-'));
  writeFileSync(at('x.img'), disk());
  writeFileSync(at('card'), 'as it was');
});
afterEach(() => {
  process.env.PATH = PATH;
  Object.assign(kernel, { open: '', write: '' });
  rmSync(folder, { recursive: true, force: true });
});
const flash = (): Promise<unknown> => flashImage({ image: at('x.img'), device: at('card'), say: () => undefined });

test.each([
  ['EACCES', /needs root/],
  ['EPERM', /needs root/],
  ['EBUSY', /in use/],
  ['EROFS', /write-protected/],
  ['ENOMEDIUM', /no card/],
])('one that is not opened (%s) is as it was, and that is said', async (code, why) => {
  kernel.open = code;
  await expect(flash()).rejects.toMatchObject({ code: 'bad-usage', message: expect.stringMatching(why) });
  await expect(flash()).rejects.toThrow(/Nothing was changed/);
  expect(readFileSync(at('card'), 'utf8')).toBe('as it was');
});

test('one that takes nothing any more after it was opened starts nothing, and that is said', async () => {
  kernel.write = 'EIO';
  await expect(flash()).rejects.toMatchObject({
    code: 'image-failed',
    message: expect.stringMatching(/starts nothing: write it once more/),
  });
});

test('one that cannot be read back, as there is nothing to do it with, is told, and nothing falls over', async () => {
  process.env.PATH = folder;
  await expect(flash()).rejects.toMatchObject({ code: 'image-failed', message: expect.stringMatching(/cannot be read back/) });
});
