/** What the judge says of leases that a majority of guardians has to renew. */
import { describe, expect, it } from 'vitest';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { renewalNoun } from '../../../runtime/protocol/nouns/grant.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { keyOf } from '../../support/crypto.ts';
import { GATEWAYS, idOf } from '../../support/federation.ts';
import { grantOf } from '../../support/paper-gateway.ts';
import { asked, Day, type DayBoard, MINUTE } from './day.ts';

const { leaseMs, killMs } = LIMITS;
const guarded = { leaseMs, guardians: GATEWAYS.map((name) => idOf<GatewayId>(name)) };

const setUp = () => {
  const day = new Day();
  const board = day.board('board 1');
  const lease = day.lease({ on: 'board 1', onIsolation: 'stop', guarded });
  board.assign([lease], asked(day, { onIsolation: 'stop', sequence: 2 }));
  return { day, board, lease };
};

let nonces = 0;

const renew = (board: DayBoard, lease: Lease, by: string[] = GATEWAYS, pause: () => void = () => {}): void => {
  const renewal = { v: 1 as const, board: board.id, nonce: new Uint8Array(16).fill(++nonces), leases: [lease.lease] };
  board.say('renew', seal(renewalNoun, renewal, keyOf(board.name)));
  pause();
  for (const name of by) board.hear('grant', grantOf(renewal, name));
};

describe('a guarded program', () => {
  it('may run for as long as the lease says after a majority renewed it, and be ended then', () => {
    const { day, board, lease } = setUp();
    renew(board, lease, GATEWAYS.slice(1));
    board.open(lease);
    day.pass(leaseMs - killMs);
    board.finish(lease, 'stopped');
    expect(day.found).toEqual([]);
  });

  it('may be killed at its deadline', () => {
    const { day, board, lease } = setUp();
    renew(board, lease);
    board.open(lease);
    day.pass(leaseMs + 20);
    board.finish(lease, 'deadline');
    expect(day.found).toEqual([]);
  });

  it('ran-unguarded: it begins, and nobody renewed it', () => {
    const { day, board, lease } = setUp();
    board.open(lease);
    expect(day.codes).toEqual(['ran-unguarded']);
  });

  it('ran-unguarded: one of three renewed it', () => {
    const { day, board, lease } = setUp();
    renew(board, lease, ['gateway b']);
    board.open(lease);
    expect(day.codes).toEqual(['ran-unguarded']);
  });

  it('ran-unguarded: it went on for longer, whatever was granted later', () => {
    const { day, board, lease } = setUp();
    renew(board, lease);
    board.open(lease);
    day.pass(leaseMs + killMs + 1000);
    renew(board, lease);
    expect(day.codes).toEqual(['ran-unguarded']);
  });

  it('ran-unguarded: what was granted is counted from when that was heard', () => {
    const { day, board, lease } = setUp();
    renew(board, lease, GATEWAYS, () => day.pass(30_000));
    board.open(lease);
    day.pass(leaseMs);
    board.finish(lease, 'deadline');
    expect(day.codes).toEqual(['ran-unguarded']);
  });

  it('ran-unguarded, seen in the end', () => {
    const { day, board, lease } = setUp();
    renew(board, lease);
    board.open(lease);
    day.pass(2 * leaseMs).settle(new Map());
    expect(day.codes).toContain('ran-unguarded');
  });

  it('stopped-without-reason: it had been renewed just before', () => {
    const { day, board, lease } = setUp();
    renew(board, lease);
    board.open(lease);
    day.pass(leaseMs / 4);
    board.finish(lease, 'stopped');
    expect(day.codes).toEqual(['stopped-without-reason']);
  });

  it('need not begin again by itself after a power cut', () => {
    const { day, board, lease } = setUp();
    renew(board, lease);
    board.open(lease);
    board.finish(lease, 'power').power(false).power(true);
    board.reach(false);
    day.pass(60 * MINUTE).settle(new Map());
    expect(day.codes).not.toContain('not-restarted');
  });
});

describe('guarded-not-run', () => {
  const wait = (day: Day, board: DayBoard, lease: Lease, minutes: number): void => {
    for (let i = 0; i < minutes; i++) {
      day.pass(MINUTE);
      renew(board, lease, []);
    }
  };

  it('when everybody who is needed is well', () => {
    const { day, board, lease } = setUp();
    wait(day, board, lease, 12);
    expect(day.codes).toEqual(['guarded-not-run']);
  });

  it.each<[string, (day: Day) => void]>([
    ['two guardians are dead', (day) => void day.dies('gateway b').dies('gateway c')],
    [
      'two guardians do not hear its home',
      (day) => GATEWAYS.slice(1).forEach((name) => void day.judge.peered(0, idOf('gateway a'), idOf(name), false)),
    ],
    ['the tenant does not want it', (day) => void asked(day, { onIsolation: 'stop', sequence: 3, state: 'stopped' })],
  ])('not while %s', (name, spoil) => {
    const { day, board, lease } = setUp();
    spoil(day);
    if (name.includes('tenant')) board.assign([lease], asked(day, { onIsolation: 'stop', sequence: 3, state: 'stopped' }));
    wait(day, board, lease, 30);
    expect(day.codes).not.toContain('guarded-not-run');
  });

  it('not before the time is over, which begins again with each trouble', () => {
    const { day, board, lease } = setUp();
    for (let i = 0; i < 4; i++) {
      wait(day, board, lease, 8);
      day.judge.gateway(day.atMs, idOf('gateway c'), 'down');
      day.judge.gateway(day.atMs, idOf('gateway c'), 'up');
    }
    expect(day.found).toEqual([]);
  });
});
