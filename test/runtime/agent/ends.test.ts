/** How an instance ends: asked to, by itself again and again, to make way for another release, without money. */
import { describe, expect, test } from 'vitest';
import { decode, encode } from '../../../runtime/protocol/cbor.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { sign1 } from '../../../runtime/protocol/cose.ts';
import { payloadOf, seal } from '../../../runtime/protocol/noun.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { type Manifest, manifestNoun } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, request } from '../../support/federation.ts';
import { smallRelease } from '../../support/small-release.ts';

const begun = (changes: Partial<Manifest> = {}, lease: Partial<Lease> = {}) => {
  const world = new BoardWorld().pair();
  const one = placed(world, { release: smallRelease(changes), lease });
  world.assign(one).pass(3000);
  return { world, one };
};

const stops = (world: BoardWorld): object[] => world.engine.steps.filter(({ kind }) => kind === 'stop');

describe('a stop', () => {
  const stopped = (world: BoardWorld, one: Placed): void => {
    const asked = request({ release: one.release.release, sequence: 2, state: 'stopped' });
    const hash = hashOf(requestNoun, asked);
    world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    world.assign({ ...one, assigned: { ...one.assigned, request: hash } }).pass(3000);
  };

  test('is by the signal and with the grace that the release asks for [instances-9]', () => {
    const { world, one } = begun({ stop: { signal: 'SIGINT', graceMs: 20_000 } });
    stopped(world, one);
    expect(stops(world)).toEqual([{ kind: 'stop', partition: one.lease.lease, signal: 'SIGINT', graceMs: 20_000 }]);
  });

  test('is by SIGTERM and three seconds where it asks for nothing', () => {
    const { world, one } = begun();
    stopped(world, one);
    expect(stops(world)).toEqual([{ kind: 'stop', partition: one.lease.lease, signal: 'SIGTERM', graceMs: 3000 }]);
  });
});

describe('an instance that ends by itself', () => {
  test('again and again is told to be in a loop, until it has run for ten minutes; then its delay is short again [instances-10]', () => {
    const { world, one } = begun();
    for (let i = 0; i < 5; i++) {
      world.engine.crash(one.lease.lease);
      world.pass(30_000);
    }
    expect(world.state(one.lease)).toMatchObject({ state: 'running', restarts: 5, detail: 'crash loop: exit 1, 5 times in a row' });
    world.pass(620_000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', restarts: 5, detail: '' });
    world.engine.crash(one.lease.lease);
    world.pass(100);
    expect(world.state(one.lease)).toMatchObject({ state: 'crashed', detail: 'exit 1' });
    world.pass(2000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', restarts: 6, detail: '' });
  });

  test('for want of memory is told so', () => {
    const { world, one } = begun();
    world.engine.crash(one.lease.lease, { code: null, signal: 'SIGKILL', oomKilled: true });
    world.pass(100);
    expect(world.state(one.lease)).toMatchObject({ state: 'crashed', detail: 'out of memory' });
  });
});

describe('a program that does not even begin', () => {
  test('is told with what the engine said, until it does', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.balks = 'mount: no such file';
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'crashed', detail: 'could not begin: mount: no such file' });
    world.engine.balks = null;
    world.pass(60_000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', detail: '' });
  });
});

describe('a program that this board cannot run', () => {
  test('is refused with the reason, and not tried again and again', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.unfit.add(one.lease.lease);
    world.assign(one).pass(60_000);
    expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: 'bad-release: as told' });
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test.each<[string, Partial<Manifest>, string]>([
    ['impossible limits', { limits: { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 64 } }, 'limits.tmpMib'],
    [
      'a promise that never returns',
      { promises: [{ name: 'p', probe: { kind: 'tcp', port: 1 }, intervalMs: 1e5, timeoutMs: 1e8, graceMs: 0 }] },
      'timeoutMs',
    ],
    ['a program that is not there', { args: ['/bin/other'] }, 'the release has no /bin/other'],
    ['a program that is not executable', { args: ['/data'] }, '/data is not executable'],
  ])('is refused though a gateway assigned it: %s', (_what, changes, words) => {
    const { world, one } = begun(changes);
    expect(world.state(one.lease)?.state).toBe('refused');
    expect(world.state(one.lease)?.detail).toMatch(/^bad-release: /);
    expect(world.state(one.lease)?.detail).toContain(words);
    expect(world.engine.did('start')).toEqual([]);
  });
});

test('a release with words that this board does not know is refused, whoever let it pass', () => {
  const world = new BoardWorld().pair();
  const release = smallRelease();
  const payload = encode({ ...(decode(payloadOf(manifestNoun, release.manifest)) as Record<string, Value>), powers: ['reboot'] });
  const document = sign1(manifestNoun.typ, payload, keyOf('release key'));
  const one = placed(world, { release: { ...release, document, release: testCrypto.sha256(payload) } });
  world.assign(one).pass(3000);
  expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringMatching(/^bad-schema: .*powers/) });
  expect(world.engine.did('start')).toEqual([]);
});

describe('another release of the same instance', () => {
  const asks = (world: BoardWorld, before: Placed, changes: Partial<Request> = {}): Placed => {
    const next = placed(world, {
      release: smallRelease({ sequence: 2 }),
      lease: { term: before.lease.term + 1 },
      request: { sequence: 2, ...changes },
    });
    world.assign(next);
    return next;
  };
  const started = (world: BoardWorld): string[] => world.engine.did('start');

  test('begins only when the former has ended and left its data to it [instances-12]', () => {
    const { world, one } = begun();
    const next = asks(world, one);
    world.pass(5000);
    expect(started(world)).toEqual([one.lease.lease, next.lease.lease]);
    expect(world.engine.steps).toContainEqual({ kind: 'remove', partition: one.lease.lease, data: true, heir: next.lease.lease });
    const order = world.records.map(({ lease, kind }) => `${lease === one.lease.lease ? 'former' : 'next'} ${kind}`);
    expect(order.indexOf('former close')).toBeLessThan(order.indexOf('next open'));
  });

  test('waits while the former holds it off, and begins once that is over', () => {
    const { world, one } = begun({ holdMs: 600_000 });
    world.engine.holds = true;
    const next = asks(world, one);
    world.pass(120_000);
    expect(started(world)).toEqual([one.lease.lease]);
    expect(world.records.filter(({ lease }) => lease === next.lease.lease)).toEqual([]);
    world.engine.holds = false;
    world.pass(5000);
    expect(started(world)).toEqual([one.lease.lease, next.lease.lease]);
  });

  test('is held off for no longer than the release may, also across a restart of the runtime [instances-13]', () => {
    const { world, one } = begun({ holdMs: 60_000 });
    world.engine.holds = true;
    const next = asks(world, one);
    world.pass(40_000).restart().pass(15_000);
    expect(started(world)).toEqual([one.lease.lease]);
    world.pass(10_000);
    expect(started(world)).toEqual([one.lease.lease, next.lease.lease]);
  });

  test('is held off for no longer than its tenant lets it', () => {
    const { world, one } = begun({ holdMs: 600_000 });
    world.engine.holds = true;
    const next = asks(world, one, { holdMs: 10_000 });
    world.pass(20_000);
    expect(started(world)).toEqual([one.lease.lease, next.lease.lease]);
  });

  test('is not held off by one that was not allowed to, or cannot be asked', () => {
    const never = begun();
    never.world.engine.holds = true;
    asks(never.world, never.one);
    expect(started(never.world.pass(5000))).toHaveLength(2);
    const deaf = begun({ holdMs: 600_000 });
    deaf.world.engine.broken.add('look');
    asks(deaf.world, deaf.one);
    expect(started(deaf.world.pass(10_000))).toHaveLength(2);
  });

  test('that is not wanted any more lets the former end at once', () => {
    const { world, one } = begun({ holdMs: 600_000 });
    world.engine.holds = true;
    asks(world, one);
    world.pass(10_000).assign().pass(5000);
    expect(world.instance(one.lease)).toBeNull();
    expect(world.engine.cells.size).toBe(0);
  });
});

describe('an instance whose cap is reached', () => {
  test('is paused and not billed while it is, and goes on under a lease that is paid for [instances-11]', () => {
    const { world, one } = begun(
      {},
      { capMicro: 20n, rates: { wallHour: 0n, cpuSecond: 100_000n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n } },
    );
    world.pass(120_000);
    expect(world.state(one.lease)?.state).toBe('unpaid');
    expect(world.engine.cells.get(one.lease.lease)?.running).toBe(false);
    const { registers } = world.records.at(-1)!;
    world.pass(600_000);
    expect(world.records.at(-1)!.registers).toEqual(registers);
    const paid = placed(world, { lease: { term: 2, capMicro: 1_000_000n }, request: { sequence: 2 } });
    world.assign(paid).pass(5000);
    expect(world.state(paid.lease)?.state).toBe('running');
    expect(world.engine.steps).toContainEqual({ kind: 'remove', partition: one.lease.lease, data: true, heir: paid.lease.lease });
  });
});
