/** What images are made of, in small: archives, headers, closures, locks. The whole is looked at by `npm run test:board`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BOARDS } from '../../firmware-images/boards/boards.ts';
import { benchPrograms, PROGRAMS } from '../../firmware-images/contents.ts';
import { cpioOf } from '../../firmware-images/cpio.ts';
import { uuidOf } from '../../firmware-images/disk.ts';
import { loadablePart, neededBy } from '../../firmware-images/elf.ts';
import { closeOver } from '../../firmware-images/libraries.ts';
import { readLock } from '../../firmware-images/lock.ts';
import { type Tree, text, withParents } from '../../firmware-images/tree.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-image-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a tree', () => {
  test('has its directories before what is in them, whatever the order it was put together in', () => {
    const tree: Tree = new Map([
      ['usr/lib/x', text('x')],
      ['bin', { kind: 'link', to: 'usr/bin' }],
      ['etc/y', text('y')],
    ]);
    expect([...withParents(tree).keys()]).toEqual(['bin', 'etc', 'etc/y', 'usr', 'usr/lib', 'usr/lib/x']);
    expect(cpioOf(tree)).toEqual(cpioOf(new Map([...tree].reverse())));
  });

  test('is an archive that another program unpacks', () => {
    const tree: Tree = new Map([
      ['bin/sh', { kind: 'link', to: 'busybox' }],
      ['bin/busybox', text('#!', 0o755)],
      ['empty', { kind: 'directory', mode: 0o700 }],
    ]);
    execFileSync('busybox', ['cpio', '-idm'], { cwd: folder, input: cpioOf(tree), stdio: ['pipe', 'ignore', 'ignore'] });
    expect(readdirSync(folder).sort()).toEqual(['bin', 'empty']);
    expect(readFileSync(join(folder, 'bin/sh'), 'utf8')).toBe('#!');
  });
});

describe('a program', () => {
  const node = readFileSync(process.execPath);

  test('names its loader and its libraries', () => {
    const { interpreter, libraries } = neededBy(node);
    expect(interpreter).toMatch(/^\/lib(64)?\/ld-linux/);
    expect(libraries).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6']));
  });

  test('runs without what is never mapped', () => {
    const path = join(folder, 'node');
    const kept = loadablePart(node);
    writeFileSync(path, kept, { mode: 0o755 });
    expect(kept.length).toBeLessThan(node.length);
    expect(execFileSync(path, ['-p', '1 + 1'], { encoding: 'utf8' })).toBe('2\n');
  });

  test('is taken with what it needs, through links; what nobody has is told', () => {
    const { interpreter, libraries } = neededBy(node);
    const tree = join(folder, 'libc');
    mkdirSync(join(tree, 'usr/lib64'), { recursive: true });
    mkdirSync(join(tree, 'usr/lib/x86_64-linux-gnu'), { recursive: true });
    writeFileSync(join(tree, 'usr/lib/x86_64-linux-gnu/loader.so'), 'no program');
    symlinkSync('../lib/x86_64-linux-gnu/loader.so', join(tree, `usr${interpreter?.replace(/^\/lib\//, '/lib64/')}`));
    const wanted = new Map([['usr/bin/node', { package: 'node', from: process.execPath }]]);
    const trees = new Map([['libc6', tree]]);
    expect(() => closeOver(wanted, trees)).toThrow(/usr\/bin\/node needs .*image lock/);
    for (const name of libraries) writeFileSync(join(tree, 'usr/lib/x86_64-linux-gnu', name), 'no program');
    const closure = closeOver(wanted, trees);
    expect([...closure.packages]).toEqual(['node', 'libc6']);
    expect([...closure.tree.keys()]).toEqual(
      expect.arrayContaining(['usr/lib/x86_64-linux-gnu/loader.so', 'usr/lib/x86_64-linux-gnu/libc.so.6']),
    );
  });
});

describe('a lock', () => {
  test.each(BOARDS)('of $name pins all that is named, and nothing twice', (board) => {
    const names = readLock(board).map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(
      expect.arrayContaining([...Object.keys(PROGRAMS), ...Object.keys(benchPrograms(board)), ...board.firmware.packages]),
    );
    expect(names.filter((name) => /^linux-image-\d/.test(name))).toHaveLength(1);
  });
});

test('a part has one name in every build, and no other has it', () => {
  expect(uuidOf('a')).toBe(uuidOf('a'));
  expect(uuidOf('a')).not.toBe(uuidOf('b'));
  expect(uuidOf('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
