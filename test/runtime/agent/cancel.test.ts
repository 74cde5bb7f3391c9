/** What nobody wants any more is left, however far it had come, and the next begins. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { BoardWorld, placed } from '../../support/board-world.ts';
import { smallRelease } from '../../support/small-release.ts';
import { assign, hexOf, slottedWorld, system } from '../../support/system.ts';

type Phase = 'checking' | 'gathering' | 'fetching' | 'planting';
type Answer = (event: unknown) => void;

const STEPS: Record<Phase, string[]> = {
  checking: ['check', 'receive'],
  gathering: ['gather'],
  fetching: [],
  planting: ['plant'],
};

/** A door that does one thing after another, and the first of that phase is done when the test says so. */
const slowed = (door: object, phase: Phase): { waits(): number; goOn(instead?: object): void } => {
  const slow = door as { perform(step: { kind: string }, answer: Answer): void };
  const perform = slow.perform.bind(door);
  let held: ((instead?: object) => void) | null = null;
  let behind: (() => void)[] | null = null;
  let toHold = 1;
  slow.perform = (step, answer) => {
    if (behind !== null) return void behind.push(() => perform(step, answer));
    if (toHold === 0 || !STEPS[phase].includes(step.kind)) return perform(step, answer);
    toHold = 0;
    behind = [];
    held = (instead) => (instead === undefined ? perform(step, answer) : answer(instead));
  };
  return {
    waits: () => (held === null ? 0 : 1),
    goOn: (instead) => {
      const rest = behind ?? [];
      behind = null;
      held?.(instead);
      for (const act of rest) act();
    },
  };
};

const asked = (world: BoardWorld): string[] => world.gateways.flatMap(({ wanted }) => wanted.flat());

describe('a release that nobody wants any more makes way for the next', () => {
  test.each<Phase>(['checking', 'gathering', 'fetching', 'planting'])('while it is %s', (phase) => {
    const world = new BoardWorld().pair();
    const { waits, goOn } = slowed(world.files, phase);
    const one = placed(world, { release: smallRelease({ recipe: 'first' }) });
    const [lost = ''] = one.release.chunks;
    if (phase === 'fetching') world.home.shelf.held.delete(lost);
    world.assign(one).pass(3000);
    expect([waits(), asked(world).includes(lost)]).toEqual([phase === 'fetching' ? 0 : 1, phase === 'fetching' || phase === 'planting']);
    const next = placed(world, { release: smallRelease({ recipe: 'second' }), lease: { index: 1 } });
    world.assign(next).pass(3000);
    goOn();
    world.pass(10_000);
    expect(world.state(next.lease)?.state).toBe('running');
    expect(world.instance(one.lease)).toBeNull();
    expect(world.engine.did('start')).toHaveLength(1);
    const before = asked(world).length;
    world.pass(15 * 60_000);
    expect(asked(world)).toHaveLength(before);
    expect([...world.files.roots]).toEqual([hex(next.release.release)]);
  });
});

describe('a system that its home thought better of makes way for the next', () => {
  test.each<[string, Phase, object?]>([
    ['checked', 'checking'],
    ['gathered', 'gathering'],
    ['fetched', 'fetching'],
    [
      'checked, in vain',
      'checking',
      { kind: 'slots-refused', part: 'system', step: 'receive', error: new LichenError('storage-full', 'as told') },
    ],
  ])('while it is %s', (_what, phase, instead) => {
    const { world, slots } = slottedWorld();
    world.pass(3000);
    const { waits, goOn } = slowed(slots, phase);
    const [two, three] = [system(2), system(3)];
    assign(world, two);
    const lost = [...two.content.keys()].filter((key) => !three.content.has(key)).slice(1);
    if (phase === 'fetching') for (const key of lost) world.home.shelf.held.delete(key);
    world.pass(3000);
    expect(waits()).toBe(phase === 'fetching' ? 0 : 1);
    assign(world, three);
    world.pass(3000);
    const before = asked(world).length;
    goOn(instead);
    world.pass(instead === undefined ? 40_000 : 100_000);
    expect([slots.system.release, hex(slots.system.root) === hex(three.root)]).toEqual([hexOf(three), true]);
    expect(
      asked(world)
        .slice(before)
        .filter((key) => lost.includes(key)),
    ).toEqual([]);
    expect(world.journal.filter((line) => line.includes('files ') || line.includes('arm:'))).toEqual([]);
  });
});

describe('a board that was away', () => {
  test('asks for nothing of what it missed but the newest', () => {
    const world = new BoardWorld().pair();
    const releases = ['one', 'two', 'three'].map((label, at) =>
      smallRelease({ recipe: 'echo', label, sequence: at + 1, env: { AT: label } }),
    );
    const [first, ...missed] = releases.map((release, at) =>
      placed(world, { release, request: { sequence: at + 1 }, lease: { term: at + 1 } }),
    );
    world.assign(first!).pass(5000);
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    for (const one of missed) world.assign(one).pass(60_000);
    const before = asked(world).length;
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(120_000);
    const [, newest] = missed;
    expect(world.state(newest!.lease)?.state).toBe('running');
    const late = asked(world).slice(before);
    expect(late).toContain(hex(newest!.release.release));
    expect(late).not.toContain(hex(missed[0]!.release.release));
  });
});
