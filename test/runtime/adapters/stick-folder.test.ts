/** A folder that anybody had in hands: nothing of it leads off the stick. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StickFolder } from '../../../runtime/adapters/stick-folder.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';

let home = '';
let stick = '';
let outside = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-stick-'));
  stick = join(home, 'stick');
  outside = join(home, 'outside');
  for (const path of ['up', 'down', 'boards/bbbb/up', 'bbbb/up', 'content']) {
    mkdirSync(join(outside, path), { recursive: true });
    writeFileSync(join(outside, path, '000000-hello'), 'precious');
  }
  writeFileSync(join(outside, 'ab'), 'precious');
  writeFileSync(join(outside, 'gateway'), 'precious');
});
afterEach(() => rmSync(home, { recursive: true }));

const treeOf = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .map((one) => join(one.parentPath, one.name) + (one.isFile() ? readFileSync(join(one.parentPath, one.name), 'utf8') : ''))
    .sort();
const linkAt = (path: string): StickFolder => {
  mkdirSync(dirname(join(stick, path)), { recursive: true });
  symlinkSync(outside, join(stick, path));
  return new StickFolder(stick);
};
const hello = { topic: 'hello' as const, payload: utf8('hello') };

describe('a link in the place of a folder [stick-4]', () => {
  test.each([['lichen'], ['lichen/boards'], ['lichen/boards/bbbb'], ['lichen/content']])(
    '%s is neither read, written nor cleared through',
    (path) => {
      const folder = linkAt(path);
      const before = treeOf(outside);
      const said: string[] = [];
      const tryTo = (act: () => unknown): void => {
        try {
          act();
        } catch (thrown) {
          said.push(String(thrown));
        }
      };
      const read = path === 'lichen/content' ? null : folder.frames('bbbb', 'up');
      tryTo(() => folder.clear('bbbb', 'up'));
      tryTo(() => folder.write('bbbb', 'up', 0, hello));
      tryTo(() => folder.writeFile('boards/bbbb/status.json', utf8('{}')));
      tryTo(() => folder.putContent('ab', utf8('ab')));
      tryTo(() => folder.markOf('bbbb'));
      if (path === 'lichen') tryTo(() => folder.nameGateway('x'));
      if (path === 'lichen') tryTo(() => folder.boards());
      expect(treeOf(outside)).toEqual(before);
      expect(said.length).toBeGreaterThan(0);
      for (const one of said) expect(one).toMatch(/^LichenError: bad-schema: .* is a link, or no folder/);
      if (read !== null) expect(read).toEqual({ frames: [], problems: [expect.stringContaining('is a link, or no folder')] });
      // What does not lead through it is there as before.
      expect(folder.content('ab')).toEqual(path.includes('boards') ? utf8('ab') : null);
      expect(folder.gateway()).toBeNull();
    },
  );

  test('is removed, and not followed, where messages lie', () => {
    const folder = linkAt('lichen/boards/bbbb/up');
    const before = treeOf(outside);
    expect(folder.frames('bbbb', 'up').problems).toEqual([expect.stringContaining('is a link')]);
    folder.clear('bbbb', 'up');
    expect([treeOf(outside), existsSync(join(stick, 'lichen/boards/bbbb/up'))]).toEqual([before, false]);
    folder.write('bbbb', 'up', 0, hello);
    expect(folder.frames('bbbb', 'up').frames.map(({ payload }) => hex(payload))).toEqual([hex(hello.payload)]);
  });

  test('is followed where the folder is named by whoever starts us', () => {
    symlinkSync(outside, stick);
    const folder = new StickFolder(stick);
    folder.putContent('ab', utf8('ab'));
    expect(folder.content('ab')).toEqual(utf8('ab'));
  });
});
