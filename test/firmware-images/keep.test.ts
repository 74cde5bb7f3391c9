/** What builds share is whole or not there, also where two make it at the same moment. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keep } from '../../firmware-images/keep.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const folderOf = (word: string) => (draft: string) => {
  mkdirSync(draft);
  writeFileSync(join(draft, 'word'), word);
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-keep-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('it is made once, in a folder that need not be there yet', async () => {
  for (const word of ['first', 'second']) await keep(at('store/one'), (draft) => writeFileSync(draft, word));
  expect(readFileSync(at('store/one'), 'utf8')).toBe('first');
  expect(readdirSync(at('store'))).toEqual(['one']);
});

test('of what could not be made nothing is left', async () => {
  const half = async (draft: string): Promise<void> => {
    folderOf('half')(draft);
    throw new Error('the disk is full');
  };
  await expect(keep(at('one'), half)).rejects.toThrow('the disk is full');
  expect(readdirSync(folder)).toEqual([]);
});

test('another build that was first with it is left as it is', async () => {
  await keep(at('one'), (draft) => {
    folderOf('ours')(draft);
    folderOf('theirs')(at('one'));
  });
  expect(readFileSync(at('one/word'), 'utf8')).toBe('theirs');
  expect(readdirSync(folder)).toEqual(['one']);
});

test('what a build that was ended has begun is cleared away, and nothing of anybody else', async () => {
  const { pid: gone } = spawnSync('true');
  const others = [`one.${process.ppid}.part`, `another.${gone}.part`, 'one.more'];
  for (const name of [`one.${gone}.part`, ...others]) folderOf('begun')(at(name));
  await keep(at('one'), folderOf('whole'));
  expect(readdirSync(folder).sort()).toEqual(['one', ...others].sort());
  expect(existsSync(at(`one.${gone}.part`))).toBe(false);
});
