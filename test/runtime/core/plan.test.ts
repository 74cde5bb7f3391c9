import { describe, expect, test } from 'vitest';
import { plan, restartDelayMs, type Step } from '../../../runtime/core/plan.ts';
import type { Content, Instance, Process, Run } from '../../../runtime/core/tables.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { lease } from '../../support/federation.ts';

const instance = (changes: Partial<Instance> = {}): Instance => ({
  ...{
    lease: lease({ on: 'board 1' }),
    request: new Uint8Array(32),
    asked: null,
    sequence: 1,
    wanted: 'started',
    opened: true,
    closed: false,
    unpaid: false,
  },
  ...{ registers: ZERO, base: ZERO, bootId: 'boot', recordedMonoMs: 0 },
  ...{ wants: '', given: '', bang: 0, banged: 0, supersededMonoMs: null, holdMs: null },
  ...{ listed: [], shares: [] },
  ...{ fallback: null, trial: 'open', failure: '', begun: 0, outcome: null, windows: null, began: null, left: null, hook: 'none' },
  ...changes,
});
const run = (process: Process, changes: Partial<Run> = {}): Run => ({
  ...{
    process,
    busy: false,
    rootPath: null,
    startedMonoMs: 0,
    restarts: 0,
    retryMonoMs: 0,
    address: null,
    promises: {},
    error: '',
    over: '',
    endedMonoMs: null,
  },
  ...{ lastEnd: '', streak: 0, connection: null, unfit: '', holds: null, giving: '', said: new Map() },
  ...changes,
});
const content = (phase: Content['phase']): Content => ({
  ...{
    door: 'files',
    phase,
    files: [],
    targets: new Map(),
    queue: [],
    cursor: 0,
    inflight: new Map(),
    writing: 0,
    left: new Map(),
    found: new Set<string>(),
    unsealed: 0,
    window: 8,
    rootPath: null,
    error: '',
    lacks: false,
    belied: false,
    movedMonoMs: 0,
  },
});

interface Given {
  instance?: Partial<Instance>;
  run?: Partial<Run>;
  verified?: boolean;
  /** Its content is. */
  here?: boolean;
  /** Its lease holds. */
  held?: boolean;
  nowMs?: number;
  reloads?: boolean;
  isOther?: boolean;
  holdsOff?: boolean;
  waits?: boolean;
  parts?: boolean;
  hook?: 'before' | 'after';
  leaves?: boolean;
}

const CALM = { reloads: false, isOther: false, holdsOff: false, waits: false, parts: false, hook: null, leaves: false };

const next = (
  process: Process,
  { instance: of = {}, run: state = {}, verified = true, here = true, held = true, nowMs = 1000, ...more }: Given = {},
): Step | null =>
  plan(instance(of), run(process, state), { ...CALM, verified, held, content: content(here ? 'held' : 'fetching'), ...more }, nowMs);

/** Whatever is wanted and whatever is the case: verified, content held, lease opened. A step under way has no row. */
const TABLE: Record<Instance['wanted'], Record<Exclude<Process, 'unknown' | 'starting' | 'stopping' | 'removing'>, Step | null>> = {
  unknown: { none: null, running: null, stopped: null },
  started: { none: 'start', running: null, stopped: 'remove' },
  stopped: { none: null, running: 'stop', stopped: null },
  gone: { none: 'close', running: 'stop', stopped: 'close' },
};
const WANTED = ['unknown', 'started', 'stopped', 'gone'] as const;
const RESTING = ['none', 'running', 'stopped'] as const;
const UNDER_WAY: Process[] = ['unknown', 'starting', 'stopping', 'removing'];
const ROWS = WANTED.flatMap((wanted) => RESTING.map((process) => [wanted, process, TABLE[wanted][process]] as const));

test('an instance that runs another release than is to run is stopped first, whatever it could be told', () => {
  expect(next('running', { isOther: true, reloads: true })).toBe('stop');
  expect(next('stopped', { isOther: true })).toBe('remove');
  expect(next('none', { isOther: true })).toBe('start');
});

describe('an instance that runs with what is not asked for any more', () => {
  const outdated = { given: 'one', wants: 'two' };

  test('is told so where it can be, and begins anew where not', () => {
    expect(next('running', { instance: outdated, reloads: true })).toBe('reload');
    expect(next('running', { instance: outdated })).toBe('stop');
    expect(next('running', { instance: { given: 'one', wants: 'one' } })).toBeNull();
    expect(next('running', { instance: { given: 'one', wants: '' } })).toBeNull();
  });

  test('begins anew for a bang, whatever it can be told', () => {
    expect(next('running', { instance: { given: 'one', wants: 'one', bang: 2, banged: 1 }, reloads: true })).toBe('stop');
    expect(next('running', { instance: { given: 'one', wants: 'one', bang: 2, banged: 2 }, reloads: true })).toBeNull();
  });

  test('is left in peace for a while after that was refused', () => {
    expect(next('running', { instance: outdated, reloads: true, run: { retryMonoMs: 2000 } })).toBeNull();
  });
});

describe('an update', () => {
  test('waits for the former lease, and begins nothing meanwhile', () => {
    expect(next('none', { instance: { opened: false }, waits: true })).toBeNull();
    expect(next('none', { here: false, instance: { opened: false }, waits: true })).toBe('fetch');
  });

  test('is held off by what runs while that may: not when its lease ends or is spent', () => {
    expect(next('running', { instance: { wanted: 'gone' }, holdsOff: true })).toBeNull();
    expect(next('running', { instance: { wanted: 'gone' }, holdsOff: true, held: false })).toBe('stop');
    expect(next('running', { instance: { wanted: 'gone', unpaid: true }, holdsOff: true })).toBe('stop');
  });

  test('has what it waits for begin again, and only that whose lease holds and is not spent', () => {
    const stands = { instance: { wanted: 'gone' as const }, holdsOff: true };
    expect(next('stopped', stands)).toBe('remove');
    expect(next('none', stands)).toBe('start');
    expect(next('none', { ...stands, here: false })).toBe('fetch');
    expect(next('none', { ...stands, verified: false })).toBe('verify');
    expect(next('none', { ...stands, run: { retryMonoMs: 2000 } })).toBeNull();
    expect(next('none', { ...stands, held: false })).toBe('close');
    expect(next('none', { ...stands, instance: { wanted: 'gone', unpaid: true } })).toBe('close');
  });

  test('is no reason to tell what it waits for anything, but to return to the release before', () => {
    const outdated = { instance: { wanted: 'gone' as const, given: 'one', wants: 'two', bang: 2 }, holdsOff: true };
    expect(next('running', { ...outdated, reloads: true })).toBeNull();
    expect(next('running', { ...outdated, isOther: true })).toBe('stop');
  });

  test('does not keep what it waits for from ending in good order before the machine starts anew', () => {
    const stands = { instance: { wanted: 'gone' as const }, holdsOff: true, parts: true };
    expect(next('running', stands)).toBe('stop');
    for (const process of ['none', 'stopped'] as const) expect(next(process, stands)).toBeNull();
  });
});

describe('the next step', () => {
  test.each(ROWS)('wanted %s, process %s: %s', (wanted, process, step) => expect(next(process, { instance: { wanted } })).toBe(step));

  test('is none while one is under way or nothing is known of the process', () => {
    for (const wanted of WANTED) {
      for (const process of UNDER_WAY) expect(next(process, { instance: { wanted }, run: { busy: process !== 'unknown' } })).toBeNull();
      for (const process of RESTING) expect(next(process, { instance: { wanted }, run: { busy: true } })).toBeNull();
    }
  });

  test('towards a start: documents, content, the zero record, the process', () => {
    expect(next('none', { verified: false, here: false, instance: { opened: false } })).toBe('verify');
    expect(next('none', { here: false, instance: { opened: false } })).toBe('fetch');
    expect(next('none', { instance: { opened: false } })).toBe('open');
    expect(next('none')).toBe('start');
    expect(plan(instance({ opened: false }), run('none'), { ...CALM, verified: true, held: true, content: null }, 0)).toBe('fetch');
  });

  test('of what leaves is its hook, once its program has ended, and not without a lease or while the machine parts', () => {
    const leaves = { instance: { wanted: 'gone' as const }, leaves: true };
    expect(next('running', leaves)).toBe('stop');
    expect(next('stopped', leaves)).toBe('remove');
    expect(next('none', leaves)).toBe('leave');
    expect(next('none', { ...leaves, parts: true })).toBeNull();
    expect(next('none', { ...leaves, held: false })).toBe('close');
    expect(next('none', { instance: { wanted: 'gone', unpaid: true }, leaves: true })).toBe('close');
    expect(next('running', { ...leaves, hook: 'before' })).toBeNull();
    expect(next('running', { ...leaves, hook: 'before', held: false })).toBe('stop');
    expect(next('running', { ...leaves, hook: 'after' })).toBe('stop');
  });

  test('of what runs a hook is none, whatever is wished anew', () => {
    expect(next('running', { instance: { given: 'a', wants: 'b' }, hook: 'after' })).toBeNull();
    expect(next('running', { instance: { given: 'a', wants: 'b' }, hook: 'after', isOther: true })).toBe('stop');
  });

  test('of what began and is over is to take it away, though nothing runs', () => {
    expect(next('none', { instance: { wanted: 'gone', closed: true, began: new Uint8Array(32) } })).toBe('remove');
    expect(next('none', { instance: { wanted: 'gone', closed: true } })).toBe('forget');
    expect(next('none', { instance: { wanted: 'started', closed: true, began: new Uint8Array(32) } })).toBe('forget');
  });

  test('of what was refused before its wish was known is none', () => {
    expect(next('none', { verified: false, instance: { wanted: 'unknown' }, run: { error: 'bad-parameter' } })).toBeNull();
  });

  test('before the wish is known is to learn it', () => {
    for (const process of RESTING) expect(next(process, { verified: false, instance: { wanted: 'unknown' } })).toBe('verify');
  });

  test('of what may not run is none, and it can still end', () => {
    const error = { error: 'wrong-publisher' };
    for (const process of RESTING) expect(next(process, { run: error })).toBeNull();
    expect(next('none', { run: error, instance: { wanted: 'gone', opened: false } })).toBe('forget');
    expect(next('running', { run: error, instance: { wanted: 'stopped' } })).toBe('stop');
  });

  test('after a crash comes when its time has come', () => {
    for (const process of ['none', 'stopped'] as const) expect(next(process, { run: { retryMonoMs: 1001 } })).toBeNull();
    expect(next('stopped', { run: { retryMonoMs: 1000 } })).toBe('remove');
    expect(next('none', { run: { retryMonoMs: 1000 } })).toBe('start');
  });

  test('of what has spent its cap is to stop, and never to start', () => {
    expect(next('running', { instance: { unpaid: true } })).toBe('stop');
    expect(next('stopped', { instance: { unpaid: true } })).toBeNull();
    expect(next('none', { instance: { unpaid: true } })).toBeNull();
    expect(next('running', { instance: { unpaid: true, wanted: 'gone' } })).toBe('stop');
  });

  test('of what nobody grants any more is to stop, and everything but a start [guardians-4]', () => {
    for (const wanted of WANTED) expect(next('running', { held: false, instance: { wanted } })).toBe('stop');
    expect(next('running', { held: false, run: { error: 'wrong-publisher' } })).toBe('stop');
    expect(next('stopped', { held: false })).toBe('remove');
    expect(next('none', { held: false, here: false })).toBe('fetch');
    expect(next('none', { held: false, instance: { opened: false } })).toBe('open');
    expect(next('none', { held: false })).toBeNull();
  });

  test('towards the end: stop, close record, removal, oblivion', () => {
    const gone = { wanted: 'gone' as const };
    expect(next('running', { instance: gone })).toBe('stop');
    expect(next('stopped', { instance: gone })).toBe('close');
    expect(next('stopped', { instance: { ...gone, closed: true } })).toBe('remove');
    expect(next('none', { instance: { ...gone, closed: true } })).toBe('forget');
    expect(next('none', { instance: { ...gone, opened: false } })).toBe('forget');
  });

  test('of a lease that has its close record is never a start, whoever lists it again', () => {
    expect(next('none', { instance: { closed: true } })).toBe('forget');
    expect(next('stopped', { instance: { closed: true } })).toBe('remove');
  });

  test('that was refused waits, also on the way out', () => {
    const wait = { retryMonoMs: 1001 };
    expect(next('running', { run: wait, instance: { wanted: 'gone' } })).toBeNull();
    expect(next('running', { run: wait, instance: { wanted: 'stopped' } })).toBeNull();
    expect(next('running', { run: wait, instance: { unpaid: true } })).toBeNull();
    expect(next('stopped', { run: wait, instance: { wanted: 'gone', closed: true } })).toBeNull();
    // A record is no step of the engine.
    expect(next('stopped', { run: wait, instance: { wanted: 'gone' } })).toBe('close');
  });
});

test('restarts come slower and slower, up to a minute', () => {
  expect([0, 1, 2, 3].map(restartDelayMs)).toEqual([500, 1000, 2000, 4000]);
  expect([7, 20, 21, 1000].map(restartDelayMs)).toEqual(Array(4).fill(60_000));
});
