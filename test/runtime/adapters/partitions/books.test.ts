import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitOf, spentIn } from '../../../../runtime/adapters/partitions/exits.ts';
import { identify, isAlive, readState, type State, writeState } from '../../../../runtime/adapters/partitions/state.ts';

const STATE: State = {
  v: 1,
  partition: 'p'.repeat(32),
  bootId: 'b',
  first: { pid: 12, startTicks: '99' },
  reaper: { pid: 11, startTicks: '98' },
  address: 'fd4c:6963:6865::1',
  deadman: { pid: 13, startTicks: '100' },
  logKib: 256,
  isHook: true,
  exit: { code: null, signal: 'SIGKILL', oomKilled: true },
  ended: true,
};

describe('the books of partitions', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-books-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('come back as they were written, with nothing beside them', () => {
    for (const state of [STATE, { ...STATE, first: null, reaper: null, address: null, exit: null, ended: false }]) {
      writeState(directory, state);
      expect(readState(directory)).toEqual(state);
    }
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it.each(['', 'null', '{', '[]', '{"v":2}', '{"v":1,"partition":5,"bootId":"b"}'])('are none when they read %j', (text) => {
    writeFileSync(join(directory, 'state.json'), text);
    expect(readState(directory)).toBeNull();
  });

  it('tell a process from a later one of the same number', () => {
    const own = identify(process.pid);
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ pid: process.pid, startTicks: `${own?.startTicks}0` })).toBe(false);
    expect(isAlive(null)).toBe(false);
  });
});

describe('exits', () => {
  it('are a status or a signal', () => {
    expect(exitOf(0, false)).toEqual({ code: 0, signal: null, oomKilled: false });
    expect(exitOf(128, false)).toEqual({ code: 128, signal: null, oomKilled: false });
    expect(exitOf(137, true)).toEqual({ code: null, signal: 'SIGKILL', oomKilled: true });
    expect(exitOf(143, false)).toEqual({ code: null, signal: 'SIGTERM', oomKilled: false });
    expect(exitOf(255, false)).toEqual({ code: 255, signal: null, oomKilled: false });
  });

  it('of the dev engine carry what the children took', () => {
    expect(spentIn('0\n0m0.00s 0m0.01s\n1m2.25s 0m0.75s\n')).toBe(63_000_000n);
    expect(spentIn('0\n0m0.000000s 0m0.000000s\n0m0.020000s 0m0.003000s\n')).toBe(23_000n);
    expect(spentIn('0\n')).toBe(0n);
  });
});
