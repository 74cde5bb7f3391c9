/** An instance from its lease to its last record. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, request } from '../../support/federation.ts';

/** A board that runs one instance. */
const running = (): { world: BoardWorld; one: Placed } => {
  const world = new BoardWorld().pair();
  const one = placed(world);
  world.assign(one).pass(3000);
  expect(world.state(one.lease)?.state).toBe('running');
  return { world, one };
};

/** The tenant says something new of its request. */
const ask = (world: BoardWorld, one: Placed, changes: Parameters<typeof request>[0]): Placed => {
  const asked = request({ release: one.release.release, sequence: 2, ...changes });
  const hash = hashOf(requestNoun, asked);
  world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
  const next = { ...one, assigned: { ...one.assigned, request: hash } };
  world.assign(next).pass(3000);
  return next;
};

const kinds = (world: BoardWorld): string[] => world.records.map(({ kind }) => kind);

describe('an instance', () => {
  test('goes from power on to a promise that holds', () => {
    const { world, one } = running();
    expect(world.dialled).toEqual(['gateway a']);
    expect(world.released.slice(0, 3)).toEqual(['survey', 'hello', 'report']);
    expect(world.files.count('plant')).toBe(1);
    expect(world.state(one.lease)).toEqual({
      lease: one.lease.lease,
      state: 'running',
      promise: 'held',
      restarts: 0,
      address: 'fd00::1',
      detail: '',
    });
    const states = world.gateways.flatMap(({ reports }) => reports.map(({ instances }) => instances[0]?.state));
    expect(states.filter((state, i) => state !== states[i - 1])).toEqual(['fetching', 'starting', 'running']);
  });

  test('has its zero record before its start is asked for', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.startMs = 60_000;
    world.assign(one).pass(3000);
    expect(world.engine.did('start')).toEqual([one.lease.lease]);
    expect(world.instance(one.lease)).toMatchObject({ opened: true, registers: ZERO });
    expect(world.records.map(({ kind, seq, registers }) => [kind, seq, registers])).toEqual([['open', 1, ZERO]]);
  });

  test('is given what its manifest says, with the parameters that its tenant set', () => {
    const { world } = running();
    const [step] = world.engine.steps.filter(({ kind }) => kind === 'start');
    expect(step).toMatchObject({
      spec: {
        args: ['/bin/main', '--greet=moin'],
        env: { LANG: 'C', LICHEN_GREETING: 'moin', LICHEN_LOG_LEVEL: 'info' },
        limits: { memoryMib: 32 },
      },
    });
  });

  test('stopped by its tenant keeps its partition and gets a last point', () => {
    const { world, one } = running();
    const stopped = ask(world, one, { state: 'stopped' });
    expect([world.engine.did('stop'), world.engine.did('remove')]).toEqual([[one.lease.lease], []]);
    expect(world.state(one.lease)?.state).toBe('stopped');
    expect(kinds(world)).toEqual(['open', 'point', 'point']);
    expect(world.records.at(-1)?.registers.cpuMicros).toBe(world.engine.counters(one.lease.lease).cpuMicros);
    const used = world.records.at(-1)!.registers;
    world.pass(100_000);
    expect(world.records.at(-1)!.registers).toEqual(used);
    ask(world, stopped, { sequence: 3 });
    expect(world.state(one.lease)?.state).toBe('running');
    // The partition was taken away in between, and what it had counted is the base of the next.
    expect(world.engine.did('remove')).toEqual([one.lease.lease]);
    world.pass(130_000);
    expect(world.records.at(-1)!.registers.cpuMicros).toBeGreaterThan(used.cpuMicros);
    expect(world.records.at(-1)!.registers.wallMs).toBeLessThan(used.wallMs + 140_000n);
  });

  test('destroyed by its tenant gets its close record once it has ended, and is forgotten', () => {
    const { world, one } = running();
    ask(world, one, { state: 'destroyed' });
    expect(kinds(world).slice(-1)).toEqual(['close']);
    expect(world.released.filter((what) => ['stop', 'remove'].includes(what))).toEqual(['stop', 'remove']);
    expect(world.instance(one.lease)).toBeNull();
    expect(world.engine.cells.size).toBe(0);
    expect(world.files.roots.size).toBe(1);
    world.pass(11 * 60_000);
    expect(world.files.roots.size).toBe(0);
  });

  test('that is not assigned any more ends the same way', () => {
    const { world, one } = running();
    world.assign().pass(3000);
    expect(kinds(world).slice(-1)).toEqual(['close']);
    expect(world.records.at(-1)?.registers.cpuMicros).toBeGreaterThan(0n);
    expect(world.engine.steps.at(-1)).toEqual({ kind: 'remove', partition: one.lease.lease, data: true });
  });

  test('has a close record that says what the stopped partition had counted', () => {
    const { world, one } = running();
    let final = 0n;
    const { perform } = world.engine;
    world.engine.perform = (step, answer) =>
      perform.call(world.engine, step, (event) => {
        if (event.kind === 'stopped') final = event.counters.cpuMicros;
        answer(event);
      });
    world.assign().pass(3000);
    expect(world.records.at(-1)).toMatchObject({ kind: 'close', lease: one.lease.lease, registers: { cpuMicros: final } });
  });

  test('that never started is closed without a stop', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.broken.add('start');
    world.assign(one).pass(2000);
    world.assign().pass(5000);
    expect(kinds(world)).toEqual(['open', 'close']);
    expect(world.instance(one.lease)).toBeNull();
  });
});

describe('an instance that ends by itself', () => {
  const starts = (world: BoardWorld): number => world.engine.did('start').length;

  test('is started again after a while, each time a longer one', () => {
    const { world, one } = running();
    world.engine.crash(one.lease.lease);
    world.pass(100);
    expect(world.state(one.lease)?.state).toBe('crashed');
    expect([starts(world), world.engine.did('stop')]).toEqual([1, [one.lease.lease]]);
    world.pass(2000);
    expect([starts(world), world.state(one.lease)?.state, world.state(one.lease)?.restarts]).toEqual([2, 'running', 1]);
    for (let i = 0; i < 4; i++) {
      world.engine.crash(one.lease.lease);
      world.pass(20_000);
    }
    expect(starts(world)).toBe(6);
    world.engine.crash(one.lease.lease);
    world.pass(14_000);
    expect(starts(world)).toBe(6);
    world.pass(4000);
    expect(starts(world)).toBe(7);
  });

  test('loses nothing of what it had counted', () => {
    const { world, one } = running();
    const before = world.engine.counters(one.lease.lease).cpuMicros;
    world.engine.crash(one.lease.lease);
    world.pass(10_000);
    const since = world.engine.counters(one.lease.lease).cpuMicros;
    world.assign().pass(3000);
    expect(world.records.at(-1)!.kind).toBe('close');
    expect(world.records.at(-1)!.registers.cpuMicros).toBeGreaterThanOrEqual(before + since);
    expect(world.records.at(-1)!.registers.cpuMicros).toBeLessThan(before + since + 200_000n);
  });

  test('before its start was answered is noticed all the same', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.stillborn.add(one.lease.lease);
    world.assign(one).pass(600);
    expect([starts(world), world.state(one.lease)?.state]).toEqual([1, 'crashed']);
    world.engine.stillborn.clear();
    world.pass(5000);
    expect([world.state(one.lease)?.state, world.state(one.lease)?.restarts]).toEqual(['running', 1]);
  });

  test('breaks its promise only when its grace is over', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.probesOk = false;
    world.assign(one).pass(2000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', promise: 'unknown' });
    world.pass(60_000);
    expect(world.state(one.lease)).toMatchObject({ promise: 'broken', detail: 'answers: no answer' });
    world.engine.probesOk = true;
    world.pass(12_000);
    expect(world.state(one.lease)).toMatchObject({ promise: 'held', detail: '' });
  });
});

describe('the promises of an instance', () => {
  const probes = (world: BoardWorld): number => world.engine.steps.filter(({ kind }) => kind === 'probe').length;

  test('are probed at their interval, and at once when it was started anew', () => {
    const { world, one } = running();
    const first = probes(world);
    world.pass(30_000);
    expect(probes(world) - first).toBe(3);
    world.engine.crash(one.lease.lease);
    const before = probes(world);
    // Back after half a second; its promise was to be probed in ten.
    world.pass(2000);
    expect([world.state(one.lease)?.restarts, probes(world) - before]).toEqual([1, 1]);
    expect(world.state(one.lease)?.promise).toBe('held');
  });

  test('are probed at once when the runtime finds it running, which is reached where it was', () => {
    const { world, one } = running();
    const [before, address] = [probes(world), world.state(one.lease)?.address];
    expect(address).toMatch(/^fd00::/);
    world.restart().pass(2000);
    expect(probes(world) - before).toBe(1);
    expect(world.state(one.lease)?.address).toBe(address);
  });

  test('that cannot be probed are tried again at their interval', () => {
    const { world } = running();
    world.engine.broken.add('probe');
    const before = probes(world);
    world.pass(40_000);
    expect(probes(world) - before).toBe(4);
  });
});

describe('an engine that refuses', () => {
  test.each(['start', 'stop', 'remove'] as const)('a %s is asked again now and then, not all the time', (kind) => {
    const { world, one } = running();
    world.engine.broken.add(kind);
    const before = world.engine.did(kind).length;
    if (kind === 'start') world.engine.crash(one.lease.lease);
    else world.assign();
    world.pass(20_000);
    const tries = world.engine.did(kind).length - before;
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThan(8);
    world.engine.broken.clear();
    world.pass(70_000);
    if (kind === 'start') expect(world.state(one.lease)?.state).toBe('running');
    else expect(world.instance(one.lease)).toBeNull();
    expect(world.journal.some((line) => line.includes('engine-failed'))).toBe(true);
  });

  test('a survey is asked again: what ran before is not forgotten', () => {
    const { world, one } = running();
    world.engine.broken.add('survey');
    world.restart().pass(3000);
    world.engine.broken.clear();
    world.pass(3000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(world.engine.did('start')).toHaveLength(1);
  });
});

describe('a restart of the runtime', () => {
  test('adopts what runs: nothing is started twice, and the registers go on', () => {
    const { world, one } = running();
    world.pass(20_000);
    const before = world.records.at(-1)!;
    world.restart().pass(3000);
    expect(world.engine.did('start')).toHaveLength(1);
    expect(world.engine.did('stop')).toEqual([]);
    expect(world.state(one.lease)?.state).toBe('running');
    world.assign().pass(3000);
    const last = world.records.at(-1)!;
    expect(last.kind).toBe('close');
    expect(last.seq).toBeGreaterThan(before.seq);
    expect(world.records.filter(({ kind }) => kind === 'open')).toHaveLength(1);
    // All of the time, also that without a runtime, as the cgroup counted it and the clock of this boot says.
    expect(Number(last.registers.wallMs)).toBeGreaterThan(22_500);
    expect(Number(last.registers.wallMs)).toBeLessThan(26_100);
    expect(last.registers.cpuMicros).toBeGreaterThan(2_200_000n);
  });

  test('in the middle of a start asks for nothing twice', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.engine.startMs = 100;
    world.assign(one).pass(60);
    expect(world.engine.did('start')).toHaveLength(1);
    world.restart().pass(5000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(world.engine.cells.size).toBe(1);
  });

  test('finds what ended meanwhile and starts it again, and does not charge the time in which nobody knows', () => {
    const { world, one } = running();
    world.pass(2000);
    world.engine.die(one.lease.lease);
    const cpu = world.engine.counters(one.lease.lease).cpuMicros;
    const { wallMs } = world.records.at(-1)!.registers;
    world.off(3_600_000).restart();
    world.pass(2000);
    expect(world.state(one.lease)?.state).toBe('running');
    world.assign().pass(3000);
    const last = world.records.at(-1)!;
    expect(last.kind).toBe('close');
    expect(last.registers.cpuMicros).toBeGreaterThanOrEqual(cpu);
    // What it ran after it was started again, and nothing of the hour.
    expect(last.registers.wallMs - wallMs).toBeLessThan(5000n);
  });

  test('takes away what belongs to no lease', () => {
    const { world } = running();
    const stray = 'z'.repeat(32);
    world.engine.perform(
      {
        kind: 'start',
        deadlineMonoMs: null,
        spec: {
          partition: stray,
          rootPath: '/',
          args: ['/x'],
          env: {},
          engine: 'none',
          limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 0 },
          network: null,
          devices: [],
          secrets: {},
          parameters: '{}',
        },
      },
      () => {},
    );
    world.pass(100).restart().pass(1000);
    expect([...world.engine.cells.keys()]).not.toContain(stray);
    expect(world.engine.steps.filter((step) => 'partition' in step && step.partition === stray).map(({ kind }) => kind)).toEqual([
      'stop',
      'remove',
    ]);
  });

  test('does not mistake what was leased before its survey came for something lost', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.assign(one).pass(3000);
    world.assign().pass(3000);
    const { perform } = world.engine;
    // This survey looks at once and takes its time to tell.
    world.engine.perform = (step, answer) =>
      perform.call(world.engine, step, step.kind === 'survey' ? (event) => void world.clock.after(2000, () => answer(event)) : answer);
    world.restart();
    const other = placed(world, { lease: { index: 1 } });
    world.assign(other).pass(6000);
    expect(world.engine.did('start').filter((id) => id === other.lease.lease)).toHaveLength(1);
    expect(world.state(other.lease)?.state).toBe('running');
  });
});

describe('a reboot', () => {
  test('starts everything again without a gateway in reach, above the registers of the last record', () => {
    const { world, one } = running();
    world.pass(70_000);
    const last = world.records.at(-1)!;
    expect(last.registers.cpuMicros).toBeGreaterThan(0n);
    for (const gateway of world.gateways) gateway.up = false;
    world.reboot().pass(10_000);
    expect(world.engine.did('start')).toEqual([one.lease.lease, one.lease.lease]);
    expect(world.engine.cells.get(one.lease.lease)?.running).toBe(true);
    expect(world.files.count('write')).toBe(3);
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(120_000);
    const next = world.records.find(({ seq }) => seq > last.seq)!;
    expect(next).toMatchObject({ kind: 'point', bootId: 'boot 1', quality: 'bounded' });
    expect(next.registers.cpuMicros).toBeGreaterThanOrEqual(last.registers.cpuMicros);
    expect(world.records.at(-1)!.quality).toBe('exact');
  });

  test('leaves what its tenant had stopped as it is', () => {
    const { world, one } = running();
    ask(world, one, { state: 'stopped' });
    world.reboot().pass(5000);
    expect(world.engine.did('start')).toHaveLength(1);
    expect(world.state(one.lease)?.state).toBe('stopped');
  });

  test('and one after the other do not lose the release: its files are not fetched again', () => {
    const { world, one } = running();
    world.reboot().pass(5000).reboot().pass(5000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(world.files.count('write')).toBe(3);
    expect(world.files.roots.has(hex(one.release.release))).toBe(true);
  });
});

describe('a store without room', () => {
  test('loses nothing that happened meanwhile: what ran goes on, what ended is started again, and all is recorded', () => {
    const { world, one } = running();
    const other = placed(world, { lease: { index: 1 } });
    world.full = true;
    world.assign(one, other).pass(3000);
    world.engine.crash(one.lease.lease);
    world.cut();
    world.pass(20_000);
    expect(world.engine.did('start')).toEqual([one.lease.lease]);
    const used = world.engine.counters(one.lease.lease).cpuMicros;
    world.full = false;
    world.pass(20_000);
    for (const { lease } of [one, other]) expect(world.state(lease)?.state).toBe('running');
    world.assign().pass(5000);
    const close = world.records.findLast(({ lease, kind }) => lease === one.lease.lease && kind === 'close');
    expect(close?.registers.cpuMicros).toBeGreaterThan(used);
    expect(world.outbox).toEqual([]);
  });

  test('charges no time for a program that ended while its end could not be kept', () => {
    const { world, one } = running();
    world.pass(120_000);
    world.full = true;
    world.engine.crash(one.lease.lease);
    world.pass(600_000);
    world.full = false;
    world.assign().pass(5000);
    const close = world.records.findLast(({ lease, kind }) => lease === one.lease.lease && kind === 'close');
    // What it ran before and after, and at most one look at the meters; not the ten minutes between.
    expect(Number(close?.registers.wallMs)).toBeLessThan(120_000 + 5000 + 2 * world.pace.meterMs);
  });

  test('lets no effect out that it could not keep', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.assign(one).pass(1);
    world.full = true;
    world.pass(30_000);
    expect(world.engine.did('start')).toEqual([]);
    expect(world.gateways.flatMap(({ hellos }) => hellos)).toEqual([]);
    world.full = false;
    world.pass(15_000);
    expect(world.state(one.lease)?.state).toBe('running');
  });
});
