/** Paths of a release never lead out of its root: held against the kernel, which is what follows them in the end. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { Entry } from '../../../runtime/protocol/nouns/release.ts';
import { checkPath, checkTree, resolveLink } from '../../../runtime/protocol/path.ts';

/** True when it passes, false when it is refused with `bad-path`; any other error is a defect. */
const passes = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof LichenError && error.code === 'bad-path') return false;
    throw error;
  }
};

const segment = fc.constantFrom('a', 'b', 'c', '.', '..', '', '...', '.a', 'ä', 'a b');
const anyPath = fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
const name = fc.constantFrom('a', 'b', 'c');

const file = (path: string): Entry => ({ kind: 'file', path, executable: false, bytes: 0, hash: new Uint8Array(32), chunks: [] });
const dir = (path: string): Entry => ({ kind: 'dir', path });
const link = (path: string, target: string): Entry => ({ kind: 'link', path, target });
const more = (path: string): Entry => ({ kind: 'more', path, chunks: [] });

describe('a path', () => {
  test('that passes is canonical and below the root', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const isCanonical = posix.normalize(path) === path && !posix.isAbsolute(path) && !/^\.{1,2}(\/|$)|\/$/.test(path);
        expect(passes(() => checkPath(path))).toBe(isCanonical);
      }),
      { numRuns: 2000 },
    );
  });

  test('holds no control character and no backslash, wherever it stands', () => {
    const odd = fc.oneof(
      fc.integer({ min: 0, max: 31 }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0x7f, max: 0x9f }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('\\', '\u061c', '\u200e', '\u200f', '\u2028', '\u202a', '\u202e', '\u2066', '\u2069', '\ufeff'),
    );
    fc.assert(
      fc.property(fc.string(), odd, fc.string(), (before, letter, after) => {
        expect(passes(() => checkPath(`${before}${letter}${after}`))).toBe(false);
        expect(passes(() => resolveLink('a', `${before}${letter}${after}`))).toBe(false);
      }),
    );
  });

  test('is refused in words that a terminal does not obey', () => {
    for (const check of [() => checkPath('a\u001b[2J/../\u202e'), () => resolveLink('a', '\u009b2J')])
      expect(check).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/[\u001b\u009b\u202e]/) }));
    for (const path of ['größe', '水', '👩‍🔧', 'a b']) expect(checkPath(path)).toBe(path);
  });

  test.each([
    [LIMITS.pathSegments, true],
    [LIMITS.pathSegments + 1, false],
  ])('of %i segments: %s', (segments, expected) => {
    expect(passes(() => checkPath(Array(segments).fill('a').join('/')))).toBe(expected);
  });

  test.each([
    ['a'.repeat(LIMITS.pathBytes), true],
    ['a'.repeat(LIMITS.pathBytes + 1), false],
    ['ä'.repeat(LIMITS.pathBytes / 2 + 1), false],
  ])('counts in bytes (%#)', (path, expected) => {
    expect(passes(() => checkPath(path))).toBe(expected);
  });
});

describe('the target of a link', () => {
  const top = '/root-of-the-release';

  test('that passes leads where the kernel goes when no other link is on the way', () => {
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(path, anyPath, fc.boolean(), (at, rest, isAbsolute) => {
        const target = isAbsolute ? `/${rest}` : rest;
        const goal = target.startsWith('/') ? posix.join(top, target) : posix.join(top, dirname(at), target);
        const isInside = goal === top || goal === `${top}/` || goal.startsWith(`${top}/`);
        let found: string | null = null;
        if (passes(() => (found = resolveLink(at, target)))) expect(posix.join(top, found ?? '')).toBe(goal.replace(/\/$/, ''));
        else if (isInside) expect(target.replace(/^(\.{0,2}\/)*/, '')).toMatch(/(^|\/)\.\.(\/|$)/);
        if (!isInside) expect(found).toBeNull();
      }),
      { numRuns: 2000 },
    );
  });

  test('goes up first and then down, or not at all', () => {
    for (const [at, target, found] of [
      ['a/b/l', '../c', 'a/c'],
      ['a/b/l', './/c/.', 'a/b/c'],
      ['a/b/l', '../..', ''],
      ['a/l', '/usr/bin', 'usr/bin'],
    ] as const) {
      expect(resolveLink(at, target)).toBe(found);
    }
    // What stands before ".." may itself be a link, and then ".." is not where the text says.
    for (const target of ['../../..', 'c/../d', '/..', '/a/..', './c/..']) expect(passes(() => resolveLink('a/b/l', target))).toBe(false);
  });
});

describe('a tree', () => {
  const refused: [string, Entry[]][] = [
    ['lists a path twice', [file('a'), file('a')]],
    ['lists two paths that differ in case alone', [dir('Bin'), file('Bin/x'), dir('bin')]],
    ['lists a long s beside a short one', [file('\u017f'), file('s')]],
    ['lists a sigma as it stands at the end and in the middle of a word', [file('\u03c3'), file('\u03c2')]],
    ['lists a sharp s beside two', [file('stra\u00dfe'), file('STRASSE')]],
    ['lists a sharp s beside its capital', [file('\u00df'), file('\u1e9e')]],
    ['lists one letter put together in two ways', [file('\u00e5'), file('a\u030a')]],
    ['lists a directory twice', [dir('a'), dir('a')]],
    ['has a file in no directory', [file('a/b')]],
    ['has a directory after its content', [file('a/b'), dir('a')]],
    ['has a file below a file', [file('a'), file('a/b')]],
    ['has a file below a link', [dir('b'), link('a', 'b'), file('a/c')]],
    ['has a directory below a link', [link('a', '/'), dir('a/b')]],
    ['has a link out of it', [link('a', '..')]],
    ['has a deep link out of it', [dir('a'), dir('a/b'), link('a/b/c', '../../../x')]],
    // Follow it by hand: up is a, so out is a/.. and .. of that.
    ['has two links that lead out together', [dir('a'), dir('a/b'), link('a/b/up', '..'), link('out', 'a/b/up/../..')]],
    ['goes on with a file that never began', [more('a')]],
    ['goes on with another file', [file('a'), more('b')]],
    ['goes on with a file after another', [file('a'), file('b'), more('a')]],
    ['goes on with a directory', [dir('a'), more('a')]],
    ['goes on with a link', [link('a', 'b'), more('a')]],
  ];
  test.each(refused)('that %s is refused', (_name, entries) => {
    expect(passes(() => checkTree(entries))).toBe(false);
  });

  const accepted: [string, Entry[]][] = [
    ['nothing', []],
    ['files with continuations', [file('a'), more('a'), more('a'), file('b'), more('b')]],
    ['links to what is not there', [link('a', 'nowhere'), link('b', '/proc/self')]],
    ['links in a circle', [link('a', 'b'), link('b', 'a')]],
    ['the root, linked', [dir('a'), link('a/root', '..')]],
  ];
  test.each(accepted)('of %s passes', (_name, entries) => {
    expect(passes(() => checkTree(entries))).toBe(true);
  });

  describe('on a real disk', () => {
    let home = '';
    let count = 0;
    beforeAll(() => {
      home = mkdtempSync(join(tmpdir(), 'lichen-path-'));
      // Something to find for whoever gets out.
      for (const outside of ['a', 'b', 'x', 'y']) writeFileSync(join(home, outside), 'outside');
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));

    const target = fc
      .array(fc.constantFrom('a', 'b', 'x', 'y', '..', '..', '.'), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'));
    const entry = fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(dir('x'), dir('b/x'), file('a/y'), file('a/b/x')) },
      {
        weight: 6,
        arbitrary: fc.tuple(fc.constantFrom('x', 'y', 'a/x', 'a/y', 'a/b/x', 'a/b/y', 'b/y'), target).map(([at, to]) => link(at, to)),
      },
    );
    const scaffold = [dir('a'), dir('a/b'), dir('b'), dir('b/a')];

    /** As the board does it: no step follows a link. */
    const build = (root: string, entries: Entry[]): void => {
      mkdirSync(root);
      for (const one of entries) {
        const at = join(root, one.path);
        if (one.kind === 'dir') mkdirSync(at);
        else if (one.kind === 'link') symlinkSync(one.target, at);
        else writeFileSync(at, '');
      }
    };

    test('never leads out of its root, whatever links stand on the way', () => {
      let judged = 0;
      fc.assert(
        fc.property(fc.array(entry, { minLength: 2, maxLength: 10 }), (wild) => {
          // Keep what is allowed so far, so that most runs end with a tree and not with a refusal.
          const entries: Entry[] = [...scaffold];
          for (const one of wild) if (passes(() => checkTree([...entries, one]))) entries.push(one);
          const root = join(home, `tree-${count++}`);
          build(root, entries);
          for (const { kind, path } of entries) {
            if (kind !== 'link' || !existsSync(join(root, path))) continue;
            judged++;
            // The native one asks the kernel; the other resolves ".." by its letters, which is what is on trial here.
            const reached = realpathSync.native(join(root, path));
            expect(`${reached}/`.startsWith(`${realpathSync.native(root)}/`)).toBe(true);
          }
          rmSync(root, { recursive: true });
        }),
        { numRuns: 500 },
      );
      expect(judged).toBeGreaterThan(200);
    });
  });
});
