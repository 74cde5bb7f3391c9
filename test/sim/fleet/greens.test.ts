/** Who counts as well: what runs, and was last said to be so by the runtime that looks after it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type BoardId, fingerprint, type LeaseId } from '../../../runtime/protocol/ids.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { reportNoun } from '../../../runtime/protocol/nouns/board.ts';
import { bootIdOf } from '../../../sim/fleet/agent.ts';
import { Greens } from '../../../sim/fleet/greens.ts';
import { standInKeys } from '../../../sim/world/crypto.ts';

const keys = standInKeys();
const signer = keys.signer(new Uint8Array(32).fill(7));
const id = fingerprint<BoardId>(keys.crypto, signer.publicKey);
const LEASES = ['a'.repeat(32), 'b'.repeat(32)] as LeaseId[];

const shed = { at: id as string, boots: 1 };
let greens: Greens;

const says = (monoMs: number, promises: ('held' | 'broken')[], machine = shed): void => {
  const instances = promises.map((promise, i) => ({
    ...{ lease: LEASES[i] as LeaseId, state: 'running' as const, promise, restarts: 0, address: null, detail: '' },
  }));
  greens.heard('report', seal(reportNoun, { v: 1, board: id, bootId: bootIdOf(machine), monoMs, instances }, signer));
};

beforeEach(() => {
  greens = new Greens(keys.crypto, { leases: new Map([['web', new Set(LEASES.slice(0, 1))]]) });
  greens.runtime(shed, true, 1000.5);
  says(5000, ['held', 'held']);
});

test('the newest word counts', () => {
  expect([greens.count(''), greens.count('web'), greens.count('other')]).toEqual([2, 1, 0]);
  says(6000, ['broken', 'held']);
  expect([greens.count(''), greens.count('web')]).toEqual([1, 0]);
});

describe('of what is gone nothing counts until it is said anew', () => {
  test('a runtime that ended, or a board that lost its power', () => {
    greens.runtime(shed, false, 7000);
    expect(greens.count('')).toBe(0);
    greens.runtime(shed, true, 8000);
    expect(greens.count('')).toBe(0);
    says(7000, ['held', 'held']);
    expect(greens.count('')).toBe(0);
    says(8000, ['held', 'held']);
    expect(greens.count('')).toBe(2);
  });

  test('a word of an earlier boot that came late', () => {
    greens.runtime(shed, false, 7000);
    const again = { ...shed, boots: 2 };
    greens.runtime(again, true, 20);
    says(6999, ['held', 'held']);
    expect(greens.count('')).toBe(0);
    says(40, ['held'], again);
    expect(greens.count('')).toBe(1);
  });

  test('a program that ended, and what was said before and comes after', () => {
    greens.ended(shed, LEASES[0] as LeaseId, 9000);
    expect(greens.count('')).toBe(1);
    says(8999, ['held', 'held']);
    expect(greens.count('')).toBe(1);
    says(9500, ['held', 'held']);
    expect(greens.count('')).toBe(2);
  });
});

test('a clone speaks for itself, though it has the same key', () => {
  const clone = { at: `${id} clone`, boots: 1 };
  greens.runtime(clone, true, 50);
  says(60, ['broken', 'broken'], clone);
  expect(greens.count('')).toBe(2);
  greens.ended(clone, LEASES[0] as LeaseId, 70);
  greens.runtime(clone, false, 80);
  expect(greens.count('')).toBe(2);
});
