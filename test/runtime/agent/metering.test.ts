/** Usage: signed, chained, kept until peers have it, and never lost or counted twice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Pace } from '../../../runtime/agent/events.ts';
import { chains, ONE } from '../../../runtime/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { costMicro } from '../../../runtime/protocol/money.ts';
import { REGISTERS, type Usage } from '../../../runtime/protocol/nouns/board.ts';
import { BOARD, BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { RATES } from '../../support/federation.ts';
import type { MemoryDisk } from '../../support/memory-store.ts';
import { newShelf, recordHash } from '../../support/paper-gateway.ts';
import { runs } from '../../support/properties.ts';

const running = (options: Parameters<typeof placed>[1] = {}, pace: Partial<Pace> = {}): { world: BoardWorld; one: Placed } => {
  const world = new BoardWorld(pace).pair();
  const one = placed(world, options);
  world.assign(one).pass(3000);
  return { world, one };
};

/** Every record names the one before it, and no register falls. */
const checkChain = (records: Usage[]): void => {
  records.forEach((record, i) => {
    const before = records[i - 1];
    if (record.bootId === before?.bootId || before === undefined) expect(record.seq).toBe((before?.seq ?? 0) + 1);
    else expect(record.seq).toBeGreaterThan(before.seq + 1000);
    if (before !== undefined) expect(hex(record.prev)).toBe(hex(recordHash(before)));
    const last = records.slice(0, i).findLast(({ lease }) => lease === record.lease);
    if (last !== undefined) for (const name of REGISTERS) expect(record.registers[name]).toBeGreaterThanOrEqual(last.registers[name]);
  });
};

describe('records', () => {
  test('are signed at their interval, chained, and say what the kernel counted', () => {
    const { world, one } = running();
    world.pass(600_000);
    checkChain(world.records);
    expect(world.records.length).toBeGreaterThanOrEqual(11);
    const { registers } = world.records.at(-1)!;
    expect(registers.netInBytes).toBe(registers.cpuMicros / 10n);
    expect(registers.netOutBytes).toBe(registers.cpuMicros / 5n);
    expect(registers.diskBytes).toBe((registers.cpuMicros / 10n) * 3n);
    // A tenth of a core, and 16 MiB.
    expect(Number(registers.cpuMicros)).toBeCloseTo(Number(registers.wallMs) * 100, -4);
    expect(Number(registers.memoryMibS)).toBeCloseTo((Number(registers.wallMs) / 1000) * 16, -2);
    const steps = world.records.slice(2).map(({ monoMs }, i) => monoMs - world.records[i + 1]!.monoMs);
    for (const step of steps) expect(Math.abs(step - PACE.recordMs)).toBeLessThan(2 * PACE.meterMs);
    expect(one.lease.lease).toBe(world.records[0]!.lease);
  });

  test('do not charge the time in which an instance was not granted, also in a boot in which it begins late', () => {
    const { world, one } = running();
    const ask = (sequence: number, state: 'started' | 'stopped'): void => {
      const next = placed(world, { request: { sequence, state } });
      world.assign({ assigned: { ...one.assigned, request: next.assigned.request } }).pass(3000);
    };
    ask(2, 'stopped');
    world.reboot().pass(300_000);
    ask(3, 'started');
    expect(world.state(one.lease)?.state).toBe('running');
    world.assign().pass(5000);
    expect(world.records.at(-1)).toMatchObject({ kind: 'close' });
    expect(Number(world.records.at(-1)!.registers.wallMs)).toBeLessThan(15_000);
  });

  test('charge what was sampled up to when that was, however late a runtime that hung hears of it', () => {
    const { world, one } = running();
    world.pass(60_000);
    const partition = one.lease.lease;
    const counters = new Map([[partition, world.engine.counters(partition)]]);
    const atMonoMs = world.clock.now().monoMs;
    world.clock.sleep(600_000);
    world.driven.submit(
      { kind: 'sampled', counters, atMonoMs },
      { kind: 'exited', partition, exit: { code: 1, signal: null, oomKilled: false }, atMonoMs },
    );
    world.engine.die(partition);
    world.pass(5000);
    const { registers } = world.records.at(-1)!;
    expect(registers.wallMs).toBeLessThan(90_000n);
    expect(registers.wallMs).toBeGreaterThan(50_000n);
  });

  test('of several instances stand in one chain', () => {
    const world = new BoardWorld().pair();
    const many = [0, 1, 2].map((index) => placed(world, { lease: { index } }));
    world.assign(...many).pass(130_000);
    checkChain(world.records);
    for (const { lease } of many) expect(world.records.filter((record) => record.lease === lease.lease).length).toBeGreaterThanOrEqual(3);
  });
});

describe('settling', () => {
  test('prunes what peers hold, and nothing beyond', () => {
    const { world } = running();
    expect([world.records.length, world.outbox]).toEqual([2, []]);
    for (const gateway of world.gateways) gateway.replicated = 2;
    world.pass(250_000);
    expect([world.records.length, world.outbox]).toEqual([6, [3, 4, 5, 6]]);
    for (const gateway of world.gateways) gateway.replicated = 4;
    world.linked!.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
    world.pass(10);
    expect(world.outbox).toEqual([5, 6]);
    for (const gateway of world.gateways) gateway.replicated = null;
    world.linked!.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
    world.pass(10);
    expect(world.outbox).toEqual([]);
  });

  test('brings to another home what it runs and what that was given upon, before its hello, while nobody else is known to have it', () => {
    const world = new BoardWorld().pair();
    for (const gateway of world.gateways) gateway.replicated = 0;
    const one = placed(world);
    world.assign(one).pass(130_000);
    const first = world.linked!;
    // Who gave it knows it.
    expect(first.brought).toEqual([]);
    const { lease, request } = one.assigned;
    const [asked, paid] = [request, one.lease.voucher].map((hash) => first.shelf.held.get(hex(hash)));
    // Its guardian is gone, and so is all that it was told.
    first.up = false;
    Object.assign(first.shelf, newShelf());
    world.cut();
    world.pass(200_000);
    const next = world.linked!;
    expect(next).not.toBe(first);
    // With each of its hellos.
    expect(next.brought).toEqual(next.hellos.map(() => ({ v: 1, lease, request: asked, voucher: paid })));
    expect(next.heard.slice(0, 2)).toEqual(['bring', 'hello']);
    checkChain(world.records);
    next.replicated = null;
    next.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
    world.pass(10);
    expect([...world.disk.rows.keys()].filter((key) => /^(lease|opening)\//.test(key))).toEqual([]);
  });

  test('believes no acknowledgement of more than it has signed, nor one that another signed', () => {
    const { world } = running();
    const { known } = world.linked!.shelf;
    for (const gateway of world.gateways) gateway.deaf = true;
    world.pass(200_000);
    const held = world.outbox;
    expect(held.length).toBeGreaterThan(2);
    world.linked!.replicated = 1_000_000;
    world.linked!.forge = { by: 'gateway c' };
    world.linked!.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
    world.pass(10);
    expect(world.outbox).toEqual(held);
    expect(world.journal.some((line) => /ack refused: wrong-signer/.test(line))).toBe(true);
    world.linked!.forge = {};
    // Of what the board has never signed nothing follows for what it holds; nor is more let go than is called stored.
    for (const seq of [1_000_000, known.seq]) {
      world.linked!.shelf.known = { ...known, seq };
      world.linked!.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
      world.pass(10);
      expect(world.outbox).toEqual(held);
    }
    world.linked!.shelf.known = { ...known, seq: held.at(-1)! };
    world.linked!.acknowledge(BOARD, (topic, bytes) => world.message(topic, bytes));
    world.pass(10);
    expect(world.outbox).toEqual([]);
    expect(world.read((work) => chains.get(work, ONE))?.pruned).toBe(held.at(-1));
  });

  test('sends again what is not acknowledged, and the same records', () => {
    const { world } = running();
    for (const gateway of world.gateways) gateway.deaf = true;
    world.pass(100_000);
    const tries = world.linked!.batches.slice(-3);
    expect(tries).toEqual([[3], [3], [3]]);
    for (const gateway of world.gateways) gateway.deaf = false;
    world.pass(15_000);
    checkChain(world.records);
    expect(world.outbox).toEqual([]);
  });

  test('after weeks without a link sends everything, in batches of the allowed size and oldest first', () => {
    const { world } = running();
    for (const gateway of world.gateways) gateway.up = false;
    // Its pulse is slower, so that the test is not: a tick a minute.
    Object.assign(world.pace, { tickMs: 60_000, meterMs: 60_000 });
    world.restart().pass(6 * 60 * PACE.recordMs);
    const held = world.outbox.length;
    expect(held).toBeGreaterThan(340);
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(180_000);
    checkChain(world.records);
    expect(world.outbox).toEqual([]);
    const batches = world.linked!.batches.filter((batch) => batch.length > 50);
    expect(batches.length).toBeGreaterThan(1);
    expect(Math.max(...batches.map((batch) => batch.length)) * 200).toBeLessThan(LIMITS.usageBatchBytes);
  });

  test('to another home goes on where that one stands', () => {
    const { world } = running();
    world.pass(70_000);
    const sent = world.records.length;
    const first = world.linked!;
    first.up = false;
    world.cut();
    world.pass(200_000);
    expect(world.linked).not.toBe(first);
    checkChain(world.records);
    expect(world.linked!.batches.flat().filter((seq) => seq <= sent)).toEqual([]);
  });

  test('to a home that lags behind waits until it has caught up', () => {
    const { world } = running();
    world.pass(200_000);
    const { shelf } = world.linked!;
    const { known, hashes } = shelf;
    const behind = world.records[1]!;
    shelf.known = { seq: behind.seq, hash: recordHash(behind) };
    shelf.hashes = new Set(world.records.slice(0, 2).map((record) => hex(recordHash(record))));
    world.cut();
    world.pass(70_000);
    // Pruned already: a gap that only the other gateways can fill.
    expect(world.outbox[0]).toBe(known.seq + 1);
    Object.assign(shelf, { known, hashes });
    world.pass(30_000);
    checkChain(world.records);
    expect(world.outbox).toEqual([]);
  });
});

describe('a board that lost its newest writes', () => {
  /** The disk goes back to where it was, as a card does that had not written yet. */
  const losing = (between: number): { world: BoardWorld; one: Placed; kept: number } => {
    const { world, one } = running();
    world.pass(70_000);
    const before: MemoryDisk = world.disk.copy();
    const kept = world.records.length;
    world.pass(between);
    world.reboot(before);
    return { world, one, kept };
  };

  test('goes on above what the federation holds, and says so once', () => {
    const { world, kept } = losing(130_000);
    const known = world.records.length;
    expect(known).toBeGreaterThan(kept);
    world.pass(200_000);
    const marks = world.records.map(({ amnesia }, i) => (amnesia ? i + 1 : 0)).filter((seq) => seq > 0);
    expect(marks).toEqual([known + 1]);
    // From what it remembers, and above all that it may have forgotten.
    expect(hex(world.records[known]!.prev)).toBe(hex(recordHash(world.records[kept - 1]!)));
    expect(world.records[known]!.seq).toBeGreaterThan(world.records[known - 1]!.seq + 1000);
    expect(world.outbox).toEqual([]);
    expect(world.journal.filter((line) => line.includes('fork'))).toEqual([]);
  });

  test('keeps those of its old records that peers may not hold', () => {
    const { world } = running();
    for (const gateway of world.gateways) gateway.replicated = 0;
    world.pass(130_000);
    const before = world.disk.copy();
    const held = world.outbox;
    world.pass(130_000);
    world.reboot(before).pass(1500);
    expect(world.outbox.slice(0, held.length)).toEqual(held);
    for (const gateway of world.gateways) gateway.replicated = null;
    world.pass(120_000);
    expect(world.outbox).toEqual([]);
  });

  test('that lost nothing which had left it says nothing', () => {
    const { world } = losing(100);
    world.pass(200_000);
    expect(world.records.some(({ amnesia }) => amnesia)).toBe(false);
    checkChain(world.records);
  });
});

describe('a store without room', () => {
  test('keeps nothing from being metered: memory, too, is counted through all of it', () => {
    const { world, one } = running();
    world.pass(65_000);
    world.full = true;
    world.pass(3_600_000);
    expect(world.linked).not.toBeNull();
    const during = world.records.length;
    world.full = false;
    world.pass(120_000);
    const { registers } = world.records.at(-1)!;
    expect(world.records.length).toBeGreaterThan(during);
    checkChain(world.records);
    expect(Number(registers.wallMs)).toBeGreaterThan(3_600_000);
    expect(Number(registers.memoryMibS)).toBeCloseTo((Number(registers.wallMs) / 1000) * 16, -3);
    expect(world.engine.did('start')).toEqual([one.lease.lease]);
  });

  test('is asked seldom, however long it stays so', () => {
    const { world } = running();
    world.full = true;
    world.pass(600_000);
    const before = world.commits;
    world.pass(3_600_000);
    expect(world.commits - before).toBeLessThan(3600 / 20);
  });
});

describe('a cap', () => {
  // What a minute costs, and a bit.
  const minute = {
    wallMs: 60_000n,
    cpuMicros: 6_000_000n,
    memoryMibS: 960n,
    netInBytes: 600_000n,
    netOutBytes: 1_200_000n,
    diskBytes: 1_800_000n,
    diskMibS: 0n,
    energyMj: 0n,
  };
  const capMicro = costMicro(minute, RATES) * 2n;

  test('that is reached stops the instance, also with no gateway in reach [metering-29]', () => {
    const { world, one } = running({ lease: { capMicro } });
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    world.pass(300_000);
    expect(world.instance(one.lease)?.unpaid).toBe(true);
    expect(world.engine.cells.get(one.lease.lease)?.running).toBe(false);
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(70_000);
    expect(world.state(one.lease)?.state).toBe('unpaid');
    const used = world.records.at(-1)!.registers;
    expect(costMicro(used, RATES)).toBeGreaterThanOrEqual(capMicro);
    expect(costMicro(used, RATES)).toBeLessThan(2n * capMicro);
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('that was reached stays so over a reboot', () => {
    const { world, one } = running({ lease: { capMicro } });
    world.pass(300_000).reboot().pass(60_000);
    expect(world.state(one.lease)?.state).toBe('unpaid');
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('that is not reached stops nothing', () => {
    const { world, one } = running({ lease: { capMicro: capMicro * 100n } });
    world.pass(300_000);
    expect(world.state(one.lease)?.state).toBe('running');
  });
});

test('through any order of cuts, crashes, restarts and reboots the chain holds and nothing is started twice (property)', () => {
  const blow = fc.constantFrom('cut', 'crash', 'restart', 'reboot', 'silence', 'return');
  fc.assert(
    fc.property(fc.array(fc.tuple(blow, fc.integer({ min: 100, max: 40_000 })), { maxLength: 6 }), (blows) => {
      const { world, one } = running();
      for (const [what, ms] of blows) {
        if (what === 'cut') world.cut();
        else if (what === 'crash' && world.engine.cells.get(one.lease.lease)?.running === true) world.engine.crash(one.lease.lease);
        else if (what === 'restart') world.restart();
        else if (what === 'reboot') world.reboot();
        else if (what === 'silence' || what === 'return') for (const gateway of world.gateways) gateway.up = what === 'return';
        world.pass(ms);
      }
      for (const gateway of world.gateways) gateway.up = true;
      world.pass(130_000);
      checkChain(world.records);
      expect(world.outbox).toEqual([]);
      expect(world.state(one.lease)?.state).toBe('running');
      expect(world.engine.cells.size).toBe(1);
      expect(world.records.filter(({ kind }) => kind === 'open')).toHaveLength(1);
      const wallMs = Number(world.records.at(-1)!.registers.wallMs);
      expect(wallMs).toBeLessThanOrEqual(world.clock.now().monoMs - 1_000_000);
    }),
    runs(12),
  );
});
