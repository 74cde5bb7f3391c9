/** A board's own system: who may replace it, what a bad one comes to, and what is left of it when the power goes. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { type Report, systemOutcomeNoun } from '../../../runtime/protocol/nouns/board.ts';
import type { Upkeep } from '../../../runtime/protocol/nouns/upkeep.ts';
import { BOARD, type BoardWorld, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { smallRelease } from '../../support/small-release.ts';
import { assign, FIRST_ROOT, hexOf, runtimeRelease, type System, slottedWorld, system, upkeep } from '../../support/system.ts';

const HOUR_MS = 3_600_000;

const said = (world: BoardWorld): Report['system'] =>
  world.gateways
    .flatMap((gateway) => gateway.reports)
    .sort((a, b) => a.monoMs - b.monoMs || a.bootId.localeCompare(b.bootId))
    .at(-1)?.system;
const lastSaid = (world: BoardWorld): Report['system'] => world.home.reports.at(-1)?.system ?? said(world);
const told = (world: BoardWorld): string => {
  const found = lastSaid(world);
  return `${found?.slot} ${found?.update?.phase ?? '-'}`;
};

describe('a system that its publisher signed, its owner wants and its home assigns', () => {
  test('is written to the other slot, started from there, and kept [updates-8]', () => {
    const { world, slots } = slottedWorld();
    const two = system(2);
    world.pass(3000);
    expect(lastSaid(world)).toMatchObject({ slot: 'a', release: null, update: null });
    assign(world, two);
    world.pass(60_000);
    expect(slots.system).toMatchObject({ release: hexOf(two), root: two.root });
    expect([slots.running, slots.state.trial]).toEqual(['b', false]);
    expect(told(world)).toBe('b kept');
    expect(hex(lastSaid(world)?.release ?? new Uint8Array())).toBe(hexOf(two));
  });

  test('is fetched only as far as the running slot has not got it [updates-5]', () => {
    const { world } = slottedWorld();
    const two = system(2);
    assign(world, two);
    world.pass(60_000);
    const asked = new Set(world.gateways.flatMap(({ wanted }) => wanted.flat()));
    const bytes = [...two.content].filter(([key]) => asked.has(key)).reduce((sum, [, piece]) => sum + piece.length, 0);
    expect(told(world)).toBe('b kept');
    expect(bytes).toBeLessThan(two.root.length - FIRST_ROOT.length + 14_000 + 66_000);
    expect([...two.content.keys()].filter((key) => !asked.has(key)).length).toBeGreaterThan(1);
  });

  test('and the next one takes the first slot again', () => {
    const { world, slots } = slottedWorld();
    assign(world, system(2));
    world.pass(60_000);
    assign(world, system(3));
    world.pass(60_000);
    expect(slots.system).toMatchObject({ release: hexOf(system(3)), root: system(3).root });
    expect(told(world)).toBe('a kept');
  });

  test('comes after the instances have ended, and they run again', () => {
    const { world, slots } = slottedWorld();
    const one = placed(world);
    world.assign(one).pass(5000);
    expect(world.state(one.lease)?.state).toBe('running');
    assign(world, system(2));
    world.pass(90_000);
    expect(slots.running).toBe('b');
    const kinds = world.released.filter((kind) => kind === 'start' || kind === 'stop');
    expect(kinds).toEqual(['start', 'stop', 'start']);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(told(world)).toBe('b kept');
  });

  test('is given again when the card loses some of it, and only what was lost is fetched [updates-12]', () => {
    const { world, slots, powerOn } = slottedWorld();
    const two = system(2);
    assign(world, two);
    world.pass(60_000);
    const wanted = (): string[] => world.gateways.flatMap((gateway) => gateway.wanted.flat());
    const before = wanted().length;
    slots.rot(FIRST_ROOT.length + 20_000);
    powerOn();
    expect([slots.running, slots.state.idle]).toEqual(['a', 'spent']);
    assign(world, two);
    world.pass(90_000);
    expect(told(world)).toBe('b kept');
    expect(slots.system).toMatchObject({ release: hexOf(two), root: two.root });
    // What goes to the boot partition is as long as 14 kB, and was collected elsewhere.
    const bytes = wanted()
      .slice(before)
      .reduce((sum, key) => sum + (two.content.get(key)?.length ?? 0), 0);
    expect(bytes).toBeGreaterThan(14_000);
    expect(bytes).toBeLessThan(14_000 + 66_000);
  });

  test('that the card loses again and again is given up', () => {
    const { world, slots, powerOn } = slottedWorld();
    const two = system(2);
    assign(world, two);
    world.pass(60_000);
    for (const _ of [1, 2, 3]) {
      slots.rot(FIRST_ROOT.length + 20_000);
      powerOn();
      assign(world, two);
      world.pass(90_000);
    }
    expect(told(world)).toBe('a failed');
    expect(lastSaid(world)?.update?.detail).toMatch(/card loses/);
  });

  test('that its card cannot take is tried again, ever more seldom, and whoever asks is told why', () => {
    const { world, slots } = slottedWorld();
    const why = `the card failed ${'x'.repeat(5000)}`;
    let tries = 0;
    const { perform } = slots;
    const refusing: typeof perform = (step, answer) => {
      if (step.kind !== 'arm') return perform.call(slots, step, answer);
      tries++;
      world.clock.after(1, () => answer({ kind: 'slots-refused', step: 'arm', error: new LichenError('storage-broken', why) }));
    };
    slots.perform = refusing;
    assign(world, system(2));
    world.pass(30_000);
    expect(tries).toBe(1);
    expect(lastSaid(world)?.update).toMatchObject({
      phase: 'fetching',
      detail: expect.stringMatching(/^storage-broken: the card failed x{1,200}$/),
    });
    // Of what was refused it is not the word on whoever wrote it.
    expect(lastSaid(world)?.outcome).toBeUndefined();
    world.pass(180_000);
    expect(tries).toBe(3);
    world.pass(3 * HOUR_MS);
    expect(tries).toBeGreaterThanOrEqual(5);
    expect(tries).toBeLessThanOrEqual(6);
    // Of a newer one that is not said.
    assign(world, system(3));
    slots.perform = perform;
    world.pass(HOUR_MS);
    const details = world.home.reports.flatMap(({ system: said }) =>
      said?.update && hex(said.update.release) === hexOf(system(3)) ? said.update.detail : [],
    );
    expect(details.length).toBeGreaterThan(0);
    expect(details.join('')).toBe('');
    world.pass(300_000);
    expect(slots.system.release).toBe(hexOf(system(3)));
    expect(lastSaid(world)?.update).toMatchObject({ phase: 'kept', detail: '' });
  });

  test('waits for an instance that holds it off, for as long as that may [updates-7]', () => {
    const { world, slots } = slottedWorld();
    const one = placed(world, { release: smallRelease({ holdMs: 300_000 }), request: { holdMs: 300_000 } });
    world.engine.holds = true;
    world.assign(one).pass(5000);
    assign(world, system(2));
    world.pass(200_000);
    expect(slots.running).toBe('a');
    expect(told(world)).toBe('a armed');
    world.pass(200_000);
    expect(told(world)).toBe('b kept');
  });
});

describe('a system is not taken', () => {
  const refused = (why: RegExp, give: (world: BoardWorld) => void): void => {
    const { world, slots } = slottedWorld();
    world.pass(3000);
    give(world);
    world.pass(60_000);
    expect(slots.running).toBe('a');
    expect(told(world)).toBe('a failed');
    expect(lastSaid(world)?.update?.detail).toMatch(why);
  };

  test('whose owner did not sign that it is wanted [updates-2]', () =>
    refused(/wrong-signer/, (world) => assign(world, system(2), upkeep(), 'stranger')));
  test('that its owner wants for another board', () =>
    refused(/about board/, (world) => assign(world, system(2), upkeep({ board: 'a'.repeat(32) as typeof BOARD }))));
  test('when its owner has its system stay as it is', () =>
    refused(/lets its system be/, (world) => assign(world, system(2), upkeep({ publisher: null }))));
  test('when its owner named another one', () =>
    refused(/named another one/, (world) => assign(world, system(2), upkeep({ release: system(3).release }))));
  test('that its publisher did not sign', () => refused(/wrong-publisher/, (world) => assign(world, system(2, {}, { by: 'stranger' }))));
  test('that is for another kind of board', () =>
    refused(/is for pi/, (world) => assign(world, system(2, { image: { board: 'pi' }, recipe: 'image-pi' }))));
  test('that is for another processor', () => refused(/is for arm64/, (world) => assign(world, system(2, { arch: 'arm64' }))));

  test('that is older than one that was kept, or than the word of its owner that was obeyed [updates-4]', () => {
    const { world, slots } = slottedWorld();
    assign(world, system(5), upkeep({ version: 4 }));
    world.pass(60_000);
    expect(told(world)).toBe('b kept');
    for (const [give, why] of [
      [() => assign(world, system(4), upkeep({ version: 5 })), /sequence 5 of its publisher was kept/],
      [() => assign(world, system(6), upkeep({ version: 3 })), /version 5 was obeyed|version 4 was obeyed/],
    ] as const) {
      give();
      world.pass(60_000);
      expect(told(world)).toBe('b failed');
      expect(lastSaid(world)?.update?.detail).toMatch(why);
    }
    expect(slots.running).toBe('b');
  });
});

describe('a system that does not work', () => {
  const broken = (two: System) => slottedWorld((release) => release !== hexOf(two));

  test('and starts nothing is left by itself, and not tried again until there is a newer one [updates-9]', () => {
    const two = system(2);
    const { world, slots } = broken(two);
    assign(world, two);
    world.pass(60_000);
    expect([slots.running, slots.state.idle]).toEqual(['a', 'spent']);
    expect(told(world)).toBe('a failed');
    const deeds = slots.deeds;
    world.pass(5 * HOUR_MS);
    world.cut();
    world.pass(HOUR_MS);
    expect(slots.deeds).toBe(deeds);
    assign(world, system(3));
    world.pass(60_000);
    expect(told(world)).toBe('b kept');
  });

  test('is tried again when its owner says so again', () => {
    const two = system(2);
    let isGood = false;
    const { world, slots } = slottedWorld((release) => isGood || release !== hexOf(two));
    assign(world, two);
    world.pass(60_000);
    expect(told(world)).toBe('a failed');
    isGood = true;
    assign(world, two, upkeep({ version: 2 }));
    world.pass(60_000);
    expect([slots.running, told(world)]).toEqual(['b', 'b kept']);
  });

  test('and never comes home is left by the board, and tried again after a while, but not for ever', () => {
    const { world, slots } = slottedWorld((release, { gateways }) => {
      for (const gateway of gateways) gateway.silent = release !== null;
      return true;
    });
    assign(world, system(2));
    world.pass(6 * HOUR_MS);
    expect(slots.running).toBe('a');
    expect(told(world)).toBe('a failed');
    expect(lastSaid(world)?.update?.detail).toMatch(/did not come home/);
    expect(world.journal.filter((line) => /on trial is left/.test(line))).toHaveLength(3);
  });

  test('with which an instance does not run again is left', () => {
    const { world } = slottedWorld((release, { engine }) => {
      if (release === null) engine.broken.delete('start');
      else engine.broken.add('start');
      return true;
    });
    const one = placed(world);
    world.assign(one).pass(5000);
    assign(world, system(2));
    world.pass(1_500_000);
    expect(told(world)).toBe('a failed');
    expect(lastSaid(world)?.update?.detail).toMatch(/1 of its instances/);
    expect(world.state(one.lease)?.state).toBe('running');
  });
});

describe('the runtime alone', () => {
  const toldOf = (world: BoardWorld): string => {
    const found = world.home.reports.at(-1)?.runtime;
    return `${found?.slot} ${found?.update?.phase ?? '-'}`;
  };

  test('is replaced while instances go on, and kept [updates-11]', () => {
    const { world, slots, versions } = slottedWorld();
    const one = placed(world);
    world.assign(one).pass(5000);
    assign(world, runtimeRelease(2));
    world.pass(60_000);
    expect(versions.system).toMatchObject({ release: hexOf(runtimeRelease(2)), root: runtimeRelease(2).root });
    expect(toldOf(world)).toBe('b kept');
    expect([slots.running, told(world)]).toEqual(['a', 'a -']);
    expect(world.released.filter((kind) => kind === 'start' || kind === 'stop')).toEqual(['start']);
    expect(world.state(one.lease)?.state).toBe('running');
  });

  test('is left when it does not start, and the one before runs on', () => {
    const bad = runtimeRelease(2);
    const { world, versions } = slottedWorld((release) => release !== hexOf(bad));
    assign(world, bad);
    world.pass(60_000);
    expect([versions.running, toldOf(world)]).toEqual(['a', 'a failed']);
    assign(world, runtimeRelease(3));
    world.pass(60_000);
    expect(toldOf(world)).toBe('b kept');
  });

  test('and a system come one after the other', () => {
    const { world, slots, versions } = slottedWorld();
    world.pass(3000);
    assign(world, system(2));
    assign(world, runtimeRelease(2));
    world.pass(120_000);
    expect([slots.running, versions.running]).toEqual(['b', 'b']);
    expect([told(world), toldOf(world)]).toEqual(['b kept', 'b kept']);
  });
});

describe('how a system did is said by its board [updates-14]', () => {
  const outcome = (world: BoardWorld) => {
    const document = lastSaid(world)?.outcome;
    if (document === undefined) return null;
    const { value, signer } = unseal(testCrypto, systemOutcomeNoun, document);
    expect(signer).toEqual(keyOf('board 1').publicKey);
    return { release: hex(value.release), upkeep: value.upkeep, result: value.result, why: value.why };
  };
  const word = (bakeMs: number, version = 1): Upkeep => upkeep({ version, rollout: { wave: 1, tolerated: 0, bakeMs } });

  test('once it was kept and all has run well for as long as its owner wants', () => {
    const { world } = slottedWorld();
    const one = placed(world);
    world.assign(one).pass(5000);
    assign(world, system(2), word(600_000));
    world.pass(120_000);
    expect([told(world), outcome(world)]).toEqual(['b kept', null]);
    world.pass(600_000);
    expect(outcome(world)).toEqual({ release: hexOf(system(2)), upkeep: 1, result: 'passed', why: '' });
    // It is said in every report, also by the next life.
    world.reboot();
    world.pass(60_000);
    expect(outcome(world)?.result).toBe('passed');
  });

  test('and not while an instance that ran before it does not', () => {
    const { world } = slottedWorld();
    const one = placed(world);
    world.assign(one).pass(5000);
    assign(world, system(2), word(600_000));
    world.pass(120_000);
    world.engine.broken.add('start');
    world.engine.crash(one.lease.lease);
    world.pass(1_200_000);
    expect([told(world), outcome(world)]).toEqual(['b kept', null]);
    world.engine.broken.delete('start');
    world.pass(1_200_000);
    expect(outcome(world)?.result).toBe('passed');
  });

  test('failed, with why it was left, and once more under a newer word', () => {
    const two = system(2);
    let isGood = false;
    const { world } = slottedWorld((release) => isGood || release !== hexOf(two));
    assign(world, two, word(0));
    world.pass(60_000);
    expect(outcome(world)).toMatchObject({ upkeep: 1, result: 'failed', why: expect.stringMatching(/did not come so far/) });
    isGood = true;
    assign(world, two, word(0, 2));
    world.pass(60_000);
    expect(outcome(world)).toMatchObject({ upkeep: 2, result: 'passed' });
  });

  test('not yet while it may have been the network that it did not come home', () => {
    const { world } = slottedWorld((release, { gateways }) => {
      for (const gateway of gateways) gateway.silent = release !== null;
      return true;
    });
    assign(world, system(2), word(0));
    world.pass(HOUR_MS / 2);
    expect([told(world), outcome(world)]).toEqual(['a failed', null]);
    world.pass(6 * HOUR_MS);
    expect(outcome(world)).toMatchObject({ result: 'failed', why: expect.stringMatching(/did not come home/) });
  });

  test('failed, when it is none that such a board could run; of an old one nothing is said', () => {
    const { world } = slottedWorld();
    assign(world, system(2, { arch: 'arm64' }), word(0));
    world.pass(60_000);
    expect(outcome(world)).toMatchObject({ result: 'failed', why: expect.stringMatching(/arm64/) });
    assign(world, system(5), word(0, 2));
    world.pass(60_000);
    expect(outcome(world)).toMatchObject({ release: hexOf(system(5)), result: 'passed' });
    assign(world, system(4), word(0, 3));
    world.pass(60_000);
    expect([told(world), outcome(world)?.release]).toEqual(['b failed', hexOf(system(5))]);
  });
});

describe('a system that was fetched', () => {
  test('takes the place of what runs at a time of the day that its owner lets it [updates-15]', () => {
    const { world, slots } = slottedWorld();
    world.pass(3000);
    const minute = Math.floor((world.clock.now().wallMs / 60_000 + 90) % (24 * 60));
    assign(world, system(2), upkeep({ windows: [{ fromMinute: minute, minutes: 30 }] }));
    world.pass(HOUR_MS);
    expect([slots.running, told(world)]).toEqual(['a', 'a written']);
    world.pass(HOUR_MS);
    expect([slots.running, told(world)]).toEqual(['b', 'b kept']);
  });

  test('does not once its home has thought better of it', () => {
    const { world, slots } = slottedWorld();
    const minute = Math.floor((world.clock.now().wallMs / 60_000 + 90) % (24 * 60));
    assign(world, system(2), upkeep({ windows: [{ fromMinute: minute, minutes: 30 }] }));
    world.pass(HOUR_MS);
    expect(told(world)).toBe('a written');
    for (const gateway of world.gateways) {
      const { image: _, ...rest } = gateway.forge.desired ?? {};
      gateway.forge.desired = rest;
      gateway.seq++;
    }
    world.message('desired', world.home.desired(BOARD, world.tenure));
    world.pass(3 * HOUR_MS);
    expect(slots.running).toBe('a');
  });
});

describe('when the power goes', () => {
  /** Which of them survive that were not synced is drawn by a seed. */
  const drawn = (seed: number) => (deed: number) =>
    testCrypto.sha256(new Uint8Array([seed & 255, seed >> 8, deed & 255, deed >> 8]))[0]! < 128;

  const updated = (cutAt: number, seed: number) => {
    const { world, slots } = slottedWorld();
    const [two, three] = [system(2), system(3)];
    const good = new Map<string | null, Uint8Array>([
      [null, FIRST_ROOT],
      [hexOf(two), two.root],
      [hexOf(three), three.root],
    ]);
    const whole = (): void => {
      const { release, root, files } = slots.system;
      const wanted = good.get(release);
      expect(wanted, `a slot with ${release}`).toBeDefined();
      expect(testCrypto.sha256(root.subarray(0, wanted!.length))).toEqual(testCrypto.sha256(wanted!));
      if (release !== null) expect([...files.keys()].sort()).toEqual(['boot/first', 'boot/linux', 'boot/words']);
    };
    slots.cutAt = cutAt;
    let cuts = 0;
    slots.cut = () => {
      cuts++;
      slots.cutAt = 0;
      world.clock.after(0, () => {
        slots.powerCut(drawn(seed));
        slots.boot();
        whole();
        world.reboot();
      });
    };
    assign(world, two);
    world.pass(100_000);
    expect(told(world), `cut at ${cutAt}`).toBe('b kept');
    assign(world, three);
    world.pass(100_000);
    expect(told(world), `cut at ${cutAt}`).toBe('a kept');
    whole();
    return { deeds: slots.deeds, cuts };
  };

  test('at any write of two updates, on a card that drops what was not synced, it starts, from one of both whole, and is updated in the end [updates-6]', () => {
    const { deeds } = updated(0, 0);
    expect(deeds).toBeGreaterThan(30);
    let cuts = 0;
    for (let at = 1; at <= deeds; at++) cuts += updated(at, at).cuts;
    expect(cuts).toBe(deeds);
  });
});
