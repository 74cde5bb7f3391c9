/** The hashes behind a root: the same as veritysetup's (cryptsetup 2.6.1, `format --no-superblock --salt=-`), and told of when they are not. */
import { describe, expect, test } from 'vitest';
import { hashesOf, wordFor } from '../../firmware-images/verity.ts';
import { levelsOver, withHashes } from '../../runtime/adapters/slots/verity.ts';

/** No two blocks of it are alike. */
const rootOf = (blocks: number): Buffer => {
  const root = Buffer.alloc(blocks * 4096);
  for (let at = 0; at < blocks; at++) root.writeUInt32LE(at * 7 + 1, at * 4096 + 9);
  return root;
};

describe('the hashes behind a root', () => {
  test.each([
    [2, 1, 'a00a70e7371875ab37d7274a2a56be7e10722cfc498b746564dcb69a8750dec3'],
    [128, 1, '37507f5f3acead48f819f5c7b91ce8559a14b09689ddb3f89e394d053d4de355'],
    [129, 3, '11157188ccf9b58e30ccf3b92435492a4f85e8ab804eeaab40961b8b29a1bfe9'],
    [16384, 129, 'f4c2976662e1200095f448ea0e07c210fb95baf6d5d7e88297d67a39d803817b'],
    [16385, 132, '4470ef31f54fec1b4fb0eee67f5ea14b259c2de13045f342750da3e9690011c2'],
  ])('of %i blocks are %i, under one that veritysetup knows', (blocks, more, top) => {
    const hashes = hashesOf(rootOf(blocks));
    expect(hashes.top.toString('hex')).toBe(top);
    expect(hashes.tree.length).toBe(more * 4096);
    expect(withHashes(blocks * 4096)).toBe((blocks + more) * 4096);
  });

  test('have the topmost level first', () => {
    expect(levelsOver(16385)).toEqual([129, 2, 1]);
    const { tree } = hashesOf(rootOf(129));
    expect(tree.subarray(64, 4096).every((byte) => byte === 0)).toBe(true);
  });

  test('are told of when they are those of another root', () => {
    const [root, other] = [rootOf(5), rootOf(6).subarray(4096)];
    const { tree } = hashesOf(root);
    expect(wordFor(Buffer.concat([root, tree]), root.length)).toMatch(/^lichen\.root=5:[0-9a-f]{64}$/);
    expect(() => wordFor(Buffer.concat([other, tree]), other.length)).toThrow(/not those of its root/);
  });
});
