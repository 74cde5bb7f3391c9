import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, boardName, isId, isPartitionUid, linkOf, uidOf } from '../../../../runtime/adapters/partitions/names.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567'.split('');
const id = fc.array(fc.constantFrom(...LETTERS), { minLength: 32, maxLength: 32 }).map((letters) => letters.join(''));

describe('names of partitions', () => {
  it('fit the kernel, whatever the ids', () => {
    fc.assert(
      fc.property(id, id, (board, partition) => {
        expect(isId(board)).toBe(true);
        expect(linkOf(board, partition)).toMatch(/^lc[0-9a-f]{13}$/);
        expect(isIPv6(addressOf(board, partition))).toBe(true);
        expect(addressOf(board, partition).startsWith('fd4c:6963:6865:')).toBe(true);
        expect(isPartitionUid(uidOf(board, partition))).toBe(true);
        expect(boardName(board)).toHaveLength(19);
      }),
    );
  });

  it('differ where board or partition differ', () => {
    fc.assert(
      fc.property(id, id, id, (board, other, partition) => {
        fc.pre(board !== other);
        expect(addressOf(board, partition)).not.toBe(addressOf(other, partition));
        expect(linkOf(board, partition)).not.toBe(linkOf(other, partition));
        expect(addressOf(board, partition)).not.toBe(addressOf(partition, board));
      }),
    );
  });

  it('give the next free uid when one is taken, round the end of the range', () => {
    const board = 'b'.repeat(32);
    const partition = 'p'.repeat(32);
    const first = uidOf(board, partition);
    expect(uidOf(board, partition, new Set([first]))).toBe(first + 1);
    expect(uidOf(board, partition, new Set([first, first + 1]))).toBe(first + 2);
    expect(isPartitionUid(0x7fff_ffff), 'the last 31-bit number stays free').toBe(false);
    expect(isPartitionUid(0x6fff_ffff)).toBe(false);
  });

  it('refuse ids that could be a path', () => {
    for (const name of ['', '..', '../'.repeat(10), 'A'.repeat(32), '1'.repeat(32), 'a'.repeat(31), `${'a'.repeat(32)}\n`])
      expect(isId(name)).toBe(false);
  });
});
