import { describe, expect, test } from 'vitest';
import { parseExit, UNKNOWN_EXIT } from '../../../../runtime/adapters/partitions/exits.ts';

const yes = () => true;
const no = () => false;

describe('an exit file', () => {
  test('says nothing while it is empty or half-written', () => expect(parseExit('', yes)).toBeNull());
  test('of a program that ended by itself', () => expect(parseExit('3\n', no)).toEqual({ code: 3, signal: null, oomKilled: false }));
  test('of one that was killed, for memory or not', () => {
    expect(parseExit('137', yes)).toEqual({ code: null, signal: 'SIGKILL', oomKilled: true });
    expect(parseExit('143', no)).toEqual({ code: null, signal: 'SIGTERM', oomKilled: false });
  });
  test('never blames memory for success', () => expect(parseExit('0', yes)).toEqual({ code: 0, signal: null, oomKilled: false }));
  test('of -1 means over, with its status unknown: the partition is not waited for any longer', () =>
    expect(parseExit('-1', no)).toEqual(UNKNOWN_EXIT));
});
