/**
 * A board looks only at what may have to be done, and may leave out ticks that would do nothing. Neither may change what it
 * does, nor when: the same history is lived through by a board that always looks at everything, by one as it is, and by
 * one whose ticks before the moment that it names are left out.
 */

import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nodeSealer, openerFromSeed } from '../../../runtime/adapters/hpke.ts';
import { unpackZstd } from '../../../runtime/adapters/zstd.ts';
import { type Concern, conclude, tick } from '../../../runtime/agent/attention.ts';
import type { Board, Effect, Event } from '../../../runtime/agent/events.ts';
import { attentions, docWants, flows, ONE, probes } from '../../../runtime/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { Draft, type Memory } from '../../../runtime/turn/draft.ts';
import type { Core } from '../../../runtime/turn/turn.ts';
import { BOARD, BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, request, secondOperator, signedOperator } from '../../support/federation.ts';
import { openMemoryStore } from '../../support/memory-store.ts';
import { OFFER } from '../../support/paper-board.ts';
import { runs } from '../../support/properties.ts';
import { smallRelease } from '../../support/small-release.ts';
import { seededEntropy } from '../../support/world.ts';

const OPENER = openerFromSeed(new Uint8Array(32).fill(1));

type Looks = 'always' | 'as it does' | 'with ticks left out';

const mode = vi.hoisted((): { looks: Looks; leftOut: number; restMonoMs: () => number } => ({
  ...{ looks: 'as it does', leftOut: 0 },
  restMonoMs: () => 0,
}));

vi.mock('../../../runtime/agent/agent.ts', async (original) => {
  const actual = await original<typeof import('../../../runtime/agent/agent.ts')>();
  const boardCore: typeof actual.boardCore = (board) => {
    const core = actual.boardCore(board);
    if (mode.looks === 'always') return forgetful(core);
    return mode.looks === 'as it does' ? core : drowsy(core);
  };
  return { boardCore };
});

/** Has not looked at anything yet, every time. */
function forgetful(core: Core<Event, Effect>): Core<Event, Effect> {
  return {
    ...core,
    decide: (work, event, now) => {
      attentions.remove(work, ONE);
      core.decide(work, event, now);
      attentions.remove(work, ONE);
    },
  };
}

/** Sees no tick before the moment that was told last. */
function drowsy(core: Core<Event, Effect>): Core<Event, Effect> {
  let awake = false;
  return {
    decide: (work, event, now) => {
      if (event.kind === 'tick' && now.monoMs < mode.restMonoMs()) mode.leftOut++;
      else {
        awake = true;
        core.decide(work, event, now);
      }
    },
    refused: core.refused,
    conclude: (work, now) => {
      if (awake) core.conclude(work, now);
      awake = false;
    },
  };
}

/** Everything that leaves the board, with its moment and its bytes. */
class Watched {
  readonly world: BoardWorld;
  readonly log: string[] = [];
  readonly #placed: Placed[];
  #sequence = 1;
  #hidden: [string, Uint8Array][] = [];

  constructor(looks: Looks) {
    mode.looks = looks;
    mode.leftOut = 0;
    this.world = new BoardWorld({ tickMs: 400, recordMs: 20_000, reportMs: 30_000, meterMs: 4000 });
    mode.restMonoMs = () => this.#restMonoMs();
    this.#watch();
    const other = smallRelease({ recipe: 'other', promises: [] });
    this.#placed = [
      placed(this.world),
      placed(this.world, { request: { name: 'second' }, lease: { index: 1 } }),
      placed(this.world, { request: { name: 'third' }, lease: { index: 2 }, release: other }),
    ];
  }

  #restMonoMs(): number {
    const told = this.world.driven.effects.findLast(({ kind }) => kind === 'rest');
    return told?.kind === 'rest' ? told.untilMonoMs : 0;
  }

  /** A life of the runtime has effects of its own. */
  #watch(): void {
    const { effects } = this.world.driven;
    effects.push = (...fresh) => {
      for (const effect of fresh) if (effect.kind !== 'rest') this.log.push(`${this.world.clock.now().monoMs} ${text(effect)}`);
      return Array.prototype.push.apply(effects, fresh);
    };
  }

  take(step: Step): void {
    const { world } = this;
    switch (step.do) {
      case 'pass':
        world.pass(step.ms);
        break;
      case 'pair':
        world.pair();
        break;
      case 'cut':
        world.cut();
        break;
      case 'gateways':
        for (const gateway of world.gateways) Object.assign(gateway, step.are);
        break;
      case 'assign':
        world.assign(...step.which.map((index) => this.#asked(index, step.state)));
        break;
      case 'hide':
        this.#hide(step.newest);
        break;
      case 'operator':
        for (const gateway of world.gateways) gateway.operators = step.second ? [secondOperator().body] : [signedOperator().body];
        break;
      case 'crash':
        for (const id of [...world.engine.cells.keys()].slice(0, step.instances)) world.engine.crash(id);
        break;
      case 'engine':
        Object.assign(world.engine, { probesOk: step.probesOk, startMs: step.startMs });
        world.engine.broken.clear();
        for (const kind of step.broken) world.engine.broken.add(kind);
        break;
      case 'full':
        world.full = step.store;
        world.files.full = step.files;
        break;
      case 'again':
        if (step.power) world.reboot();
        else world.restart();
        this.#watch();
    }
    world.pass(1);
  }

  /** The newest of what the gateways hold is nowhere to be had; what was hidden before is. */
  #hide(count: number): void {
    const { held } = this.world.home.shelf;
    for (const [hash, bytes] of this.#hidden) held.set(hash, bytes);
    this.#hidden = [...held].slice(held.size - count);
    for (const [hash] of this.#hidden) held.delete(hash);
  }

  #asked(index: number, state: 'started' | 'stopped' | 'destroyed'): Placed {
    const one = this.#placed[index % this.#placed.length]!;
    const names = ['echo', 'second', 'third'];
    const asked = request({
      ...{ release: one.release.release, name: names[index % names.length]!, state, sequence: ++this.#sequence },
      parameters: { greeting: 'moin' },
    });
    const hash = hashOf(requestNoun, asked);
    this.world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    return { ...one, assigned: { ...one.assigned, request: hash } };
  }
}

const text = (effect: Effect): string =>
  JSON.stringify(effect, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return hex(value);
    if (value instanceof Map) return [...value];
    return typeof value === 'bigint' ? `${value}` : value;
  });

type Step =
  | { do: 'pass'; ms: number }
  | { do: 'pair' | 'cut' }
  | { do: 'gateways'; are: { up?: boolean; silent?: boolean; deaf?: boolean; replicated?: number | null } }
  | { do: 'assign'; which: number[]; state: 'started' | 'stopped' | 'destroyed' }
  | { do: 'hide'; newest: number }
  | { do: 'operator'; second: boolean }
  | { do: 'crash'; instances: number }
  | { do: 'engine'; probesOk: boolean; startMs: number; broken: ('start' | 'stop' | 'remove' | 'survey' | 'probe' | 'sample')[] }
  | { do: 'full'; store: boolean; files: boolean }
  | { do: 'again'; power: boolean };

const often = fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(10, 400, 1000, 3700, 12_000, 35_000, 130_000) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: often, weight: 8 },
  fc.constantFrom<Step>({ do: 'pair' }, { do: 'cut' }),
  fc.record({
    do: fc.constant('gateways' as const),
    are: fc.constantFrom(
      ...[{ up: false }, { up: true }, { silent: true }, { silent: false, up: true }],
      ...[{ deaf: true }, { deaf: false }, { replicated: 1 }, { replicated: null }],
    ),
  }),
  {
    arbitrary: fc.record({
      do: fc.constant('assign' as const),
      which: fc.subarray([0, 1, 2]),
      state: fc.constantFrom('started' as const, 'started' as const, 'started' as const, 'stopped' as const, 'destroyed' as const),
    }),
    weight: 4,
  },
  fc.record({ do: fc.constant('hide' as const), newest: fc.nat(20) }),
  fc.record({ do: fc.constant('operator' as const), second: fc.boolean() }),
  fc.record({ do: fc.constant('crash' as const), instances: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    do: fc.constant('engine' as const),
    probesOk: fc.boolean(),
    startMs: fc.constantFrom(5, 5, 2500),
    broken: fc.subarray(['start', 'stop', 'remove', 'survey', 'probe', 'sample'] as const, { maxLength: 2 }),
  }),
  fc.record({ do: fc.constant('full' as const), store: fc.boolean(), files: fc.boolean() }),
  fc.record({ do: fc.constant('again' as const), power: fc.boolean() }),
);

const pass = (ms: number): Step => ({ do: 'pass', ms });
const all = (are: Extract<Step, { do: 'gateways' }>['are']): Step => ({ do: 'gateways', are });
const engine = (changes: Partial<Extract<Step, { do: 'engine' }>>): Step => ({
  ...{ do: 'engine', probesOk: true, startMs: 5, broken: [] },
  ...changes,
});
const hide = (newest: number): Step => ({ do: 'hide', newest });
const assign = (...which: number[]): Step => ({ do: 'assign', which, state: 'started' });

const START: Step[] = [{ do: 'pair' }, assign(0, 1), pass(6000)];

/** What only a later moment brings, for each concern. */
const EXAMPLES: [string, Step[]][] = [
  [
    'a dial that fails, one that is not answered',
    [{ do: 'cut' }, all({ up: false }), pass(35_000), all({ up: true, silent: true }), pass(35_000)],
  ],
  ['a hello that is answered late', [{ do: 'cut' }, all({ silent: true }), pass(8000), all({ silent: false }), pass(35_000)]],
  ['a survey that is refused', [engine({ broken: ['survey'] }), { do: 'again', power: false }, pass(3700), engine({}), pass(3700)]],
  ['content that comes late', [hide(12), assign(0, 2), pass(25_000), hide(6), pass(35_000), hide(0), pass(35_000)]],
  ['documents that come late', [all({ deaf: true }), hide(30), assign(0, 2), pass(35_000), hide(0), pass(35_000)]],
  [
    'a card that is full',
    [{ do: 'full', store: false, files: true }, assign(0, 1, 2), pass(35_000), { do: 'full', store: false, files: false }, pass(35_000)],
  ],
  ['usage that is not taken', [all({ deaf: true }), pass(35_000), all({ deaf: false }), pass(35_000)]],
  ['a release that nobody needs', [assign(0), pass(700_000)]],
  [
    'instances that end',
    [{ do: 'crash', instances: 2 }, pass(12_000), engine({ broken: ['start'] }), { do: 'crash', instances: 1 }, pass(12_000)],
  ],
  ['a promise that breaks', [engine({ probesOk: false }), pass(35_000), engine({ broken: ['probe'] }), pass(35_000)]],
  ['a promise that holds late', [engine({ probesOk: false }), { do: 'again', power: true }, pass(2000), engine({}), pass(35_000)]],
  [
    'a store that is full',
    [
      { do: 'full', store: true, files: false },
      pass(12_000),
      { do: 'cut' },
      pass(35_000),
      { do: 'full', store: false, files: false },
      pass(12_000),
    ],
  ],
  ['an operator that says something new', [{ do: 'operator', second: true }, { do: 'cut' }, pass(12_000), pass(35_000)]],
];

/** What a board did in a history, and how many ticks it was spared. */
const lived = (looks: Looks, steps: Step[]): { log: string[]; disk: Record<string, string>; leftOut: number } => {
  const watched = new Watched(looks);
  for (const one of steps) watched.take(one);
  return { log: watched.log, disk: watched.world.disk.dump(), leftOut: mode.leftOut };
};

afterEach(() => {
  mode.looks = 'as it does';
});

/** Of a history: how many ticks it has, and how many of them are spared. */
const compared = (history: Step[]): { ticks: number; spared: number } => {
  const always = lived('always', history);
  const asItDoes = lived('as it does', history);
  const rested = lived('with ticks left out', history);
  expect(asItDoes.log).toEqual(always.log);
  expect(rested.log).toEqual(always.log);
  expect([asItDoes.disk, rested.disk]).toEqual([always.disk, always.disk]);
  return { ticks: history.reduce((sum, one) => sum + (one.do === 'pass' ? one.ms / 400 : 0), 0), spared: rested.leftOut };
};

describe('a board that looks only when it may have to', () => {
  test.each(EXAMPLES)('does what one does that always looks, at the same moments: %s', (_name, steps) => {
    const { ticks, spared } = compared([...START, ...steps]);
    expect(spared / ticks).toBeGreaterThan(0.2);
  });

  test('does so in any history (property)', () => {
    const history = fc.tuple(fc.boolean(), fc.array(step, { minLength: 4, maxLength: 14 }));
    fc.assert(
      fc.property(history, ([started, steps]) => void compared(started ? [...START, ...steps] : steps)),
      runs(8),
    );
  });

  test('says how long it rests: until the next sample while it runs something, for ever while it is not paired', () => {
    const watched = new Watched('as it does');
    const rests = () => watched.world.driven.effects.flatMap((effect) => (effect.kind === 'rest' ? [effect.untilMonoMs] : []));
    watched.take(pass(2000));
    expect(rests().at(-1)).toBe(Number.POSITIVE_INFINITY);
    for (const one of START) watched.take(one);
    watched.take(pass(10_000));
    const nowMs = watched.world.clock.now().monoMs;
    expect(rests().at(-1)! - nowMs).toBeGreaterThan(0);
    expect(rests().at(-1)! - nowMs).toBeLessThanOrEqual(4000);
  });

  test('reads nothing of its store for a tick that has nothing to do, nor for a sample', () => {
    const { world } = new Watched('as it does');
    const one = placed(world);
    world.pair().assign(one).pass(6000);
    const reads = [vi.spyOn(world.disk, 'get'), vi.spyOn(world.disk, 'range')];
    const count = (): number[] => reads.map(({ mock }) => mock.calls.splice(0).length);
    const counters = new Map([[one.lease.lease as string, world.engine.counters(one.lease.lease)]]);
    // The first tick after something happened looks at everything.
    world.driven.submit({ kind: 'tick' });
    count();
    for (let i = 0; i < 5; i++) world.driven.submit({ kind: 'tick' });
    expect(count()).toEqual([0, 0]);
    world.driven.submit({ kind: 'sampled', counters });
    expect(count()).toEqual([0, 0]);
    world.driven.submit({ kind: 'tick' });
    expect(count()).toEqual([0, 0]);
  });
});

describe('a concern', () => {
  /** Turns of concerns that are told what to do; each says that it acted. */
  const turns = (tickActs: Partial<Concern>[], turnActs: Partial<Concern>[]) => {
    const memory: Memory = new Map();
    const board: Board = {
      ...{
        crypto: testCrypto,
        unpack: unpackZstd,
        sealer: nodeSealer,
        opener: OPENER,
        signer: keyOf('board 1'),
        entropy: seededEntropy('board 1'),
        id: BOARD,
      },
      ...{ bootId: 'boot', software: 'test', offer: OFFER, pace: PACE, neighbours: false },
    };
    let log: string[] = [];
    const told = (kind: string, list: Partial<Concern>[]): Concern[] =>
      list.map((given, i) => ({
        moments: () => [],
        ...given,
        act: (...args) => {
          log.push(`${kind} ${i}`);
          given.act?.(...args);
        },
      }));
    const concerns = { tick: told('tick', tickActs), turn: told('turn', turnActs) };
    return (monoMs: number, ...events: ('tick' | ((work: Draft<Effect>) => void))[]) => {
      const work = new Draft<Effect>(openMemoryStore().snapshot(), memory);
      const now = { monoMs, wallMs: 0 };
      for (const event of events) {
        if (event === 'tick') tick(work, board, concerns, now);
        else event(work);
        work.keep();
      }
      conclude(work, board, concerns, now);
      work.keep();
      const rests = work.effects.flatMap((effect) => (effect.kind === 'rest' ? [effect.untilMonoMs] : []));
      const acted = log;
      log = [];
      return { acted, rests };
    };
  };
  const change = (work: Draft<Effect>): void => docWants.put(work, 1, 'something');

  test('is looked at until it changes nothing, and then at its moments only', () => {
    const turn = turns([{ moments: () => [5, 30] }], [{ moments: () => [20] }]);
    expect(turn(1)).toEqual({ acted: ['turn 0'], rests: [] });
    expect(turn(2, 'tick')).toEqual({ acted: ['tick 0'], rests: [5] });
    expect(turn(3, 'tick')).toEqual({ acted: [], rests: [] });
    // What falls on this very moment is looked at once more.
    expect(turn(5, 'tick')).toEqual({ acted: ['tick 0'], rests: [] });
    expect(turn(6, 'tick')).toEqual({ acted: ['tick 0'], rests: [20] });
    expect(turn(20)).toEqual({ acted: ['turn 0'], rests: [] });
    expect(turn(21, 'tick')).toEqual({ acted: ['turn 0'], rests: [30] });
    expect(turn(30, 'tick')).toEqual({ acted: ['tick 0'], rests: [] });
    expect(turn(31, 'tick')).toEqual({ acted: ['tick 0'], rests: [Number.POSITIVE_INFINITY] });
  });

  test('is looked at when anything was written, by an event before the tick too', () => {
    const turn = turns([{}], [{}]);
    turn(1, 'tick');
    expect(turn(2, 'tick').acted).toEqual([]);
    expect(turn(3, change)).toEqual({ acted: ['turn 0'], rests: [0] });
    expect(turn(4, 'tick')).toEqual({ acted: ['tick 0'], rests: [Number.POSITIVE_INFINITY] });
    expect(turn(5, change, 'tick').acted).toEqual(['tick 0', 'turn 0']);
    expect(turn(6, 'tick').acted).toEqual(['tick 0']);
    expect(turn(7, 'tick').acted).toEqual([]);
  });

  test('that changes something is seen by those after it at once, and by those before it in the next turn', () => {
    let moment = 10;
    const changing = {
      act: (work: Draft<Effect>, _board: Board, now: { monoMs: number }) => void (now.monoMs === moment && change(work)),
      moments: () => [moment],
    };
    const turn = turns([{}, changing, {}], [{}, changing, {}]);
    moment = 10;
    turn(1, 'tick');
    expect(turn(9, 'tick').acted).toEqual([]);
    expect(turn(10).acted).toEqual(['turn 1', 'turn 2']);
    expect(turn(11, 'tick').acted).toEqual(['tick 0', 'tick 1', 'tick 2', 'turn 0', 'turn 1', 'turn 2']);
    moment = 20;
    turn(12, change);
    turn(13, 'tick');
    expect(turn(19, 'tick').acted).toEqual([]);
    expect(turn(20, 'tick').acted).toEqual(['tick 1', 'tick 2', 'turn 0', 'turn 1', 'turn 2']);
  });

  test('that alone reads a table is alone looked at when that is written', () => {
    const turn = turns([{}, { reads: [flows.name] }], [{}, { reads: [probes.name] }]);
    turn(1, 'tick');
    expect(turn(2, 'tick').acted).toEqual([]);
    expect(turn(3, (work) => probes.remove(work, 'a')).acted).toEqual(['turn 1']);
    expect(turn(4, (work) => flows.remove(work, ONE))).toEqual({ acted: [], rests: [0] });
    expect(turn(5, 'tick')).toEqual({ acted: ['tick 1'], rests: [Number.POSITIVE_INFINITY] });
    expect(turn(6, (work) => flows.remove(work, ONE), 'tick').acted).toEqual(['tick 1']);
  });
});
