import { describe, expect, test } from 'vitest';
import type { PartitionSpec } from '../../../runtime/ports/partitions.ts';
import { type NumberProbe, Senses } from '../../../sim/fleet/senses.ts';
import { Sensor } from '../../../sim/hardware/sensor.ts';
import type { ReadSpec, SensorSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const MIN_MS = 60_000;
const inside: PartitionSpec = {
  ...{ partition: 'a', rootPath: '/roots/a', args: ['/bin/a'], env: {}, engine: 'none', network: null, secrets: {}, parameters: '{}' },
  limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 },
  devices: ['1wire'],
};
type Source = SensorSpec['source'];
/** 20, a minute later 21, and so on to 25. */
const rising: Source = { kind: 'trace', points: [0, 1, 2, 3, 4, 5].map((i) => ({ atMs: i * MIN_MS, value: 20 + i })) };

const worldOf = (bus: SensorSpec['bus'] = '1-wire', source: Source = rising) => {
  const sensor = new Sensor({ name: 'air-temp', bus, source, noise: 0 }, chanceFrom('senses'));
  const clock = { nowMs: 0 };
  return Object.assign(clock, { sensor, senses: new Senses('board', [sensor], () => clock.nowMs) });
};
const readOf = (more: Partial<ReadSpec> = {}): ReadSpec => ({
  ...{ sensor: 'air-temp', least: null, most: null, sameMs: null, promised: false },
  ...more,
});

describe('a reading is fair', () => {
  test('between its bounds, both included, as the trace has it at that moment', () => {
    const world = worldOf();
    const reads = [readOf({ least: 21, most: 24 })];
    const seen = [0, 0.9, 1, 4, 4.9, 5].map((minutes) => {
      world.nowMs = minutes * MIN_MS;
      return world.senses.fair(reads, inside, MIN_MS);
    });
    expect(seen).toEqual([false, false, true, true, true, false]);
  });

  test('while it is there and its bus is granted, and of several each has to be', () => {
    const world = worldOf();
    expect(world.senses.fair([readOf()], inside, 0)).toBe(true);
    expect(world.senses.fair([readOf()], { ...inside, devices: ['i2c'] }, 0)).toBe(false);
    expect(world.senses.fair([readOf(), readOf({ most: 0 })], inside, 0)).toBe(false);
    expect(world.senses.fair([readOf({ sensor: 'soil' })], inside, 0)).toBe(false);
    expect(world.senses.fair([], inside, 0)).toBe(true);
    world.sensor.fail(0, 'absent');
    expect(world.senses.fair([readOf()], inside, 0)).toBe(false);
  });

  test('until it has been the same for too long, by a program that ran as long', () => {
    const world = worldOf();
    const reads = [readOf({ sameMs: 3 * MIN_MS })];
    const end = world.sensor.fail(0, 'stuck');
    world.nowMs = 3 * MIN_MS - 1;
    expect(world.senses.fair(reads, inside, 60 * MIN_MS)).toBe(true);
    world.nowMs++;
    expect(world.senses.fair(reads, inside, 60 * MIN_MS)).toBe(false);
    expect(world.senses.fair(reads, inside, 3 * MIN_MS - 1)).toBe(true);
    end();
    expect(world.senses.fair(reads, inside, 60 * MIN_MS)).toBe(true);
  });

  test('of a line it is high or low', () => {
    const world = worldOf('gpio', { kind: 'constant', value: 0.7 });
    expect(world.senses.fair([readOf({ least: 1, most: 1 })], { ...inside, devices: ['gpio'] }, 0)).toBe(true);
  });

  test('and who heeds a fault has felt it, also where it is told nothing else', () => {
    const world = worldOf();
    let felt = 0;
    world.sensor.fail(0, 'stuck', () => felt++);
    world.senses.fair([readOf()], inside, 0);
    expect(felt).toBe(0);
    world.senses.fair([readOf({ most: 99 })], inside, 0);
    expect(felt).toBe(1);
  });
});

describe('a promise about a number', () => {
  const says: NumberProbe = { kind: 'reading', args: ['/bin/level'], min: '20', max: '22.5' };
  const shows = (path: string): NumberProbe => ({ kind: 'value', path, min: '20000', max: '22500' });

  test('finds what the first sensor tells, where the program says or writes it', () => {
    const world = worldOf();
    for (const probe of [says, { ...says, kind: 'value' as const, path: '/data/degrees' }]) {
      world.nowMs = 0;
      expect(world.senses.number([readOf({ promised: true })], inside, probe)).toEqual({ ok: true, detail: '20.000' });
      world.nowMs = 3 * MIN_MS;
      expect(world.senses.number([readOf({ promised: true })], inside, probe)).toEqual({
        ...{ ok: false, detail: '23.000 is not between 20 and 22.5' },
      });
    }
    world.sensor.fail(0, 'absent');
    expect(world.senses.number([readOf()], inside, says)).toEqual({ ok: false, detail: 'nothing to read' });
  });

  test('finds what the kernel shows below /sys, by the name of the file and in its unit', () => {
    const world = worldOf();
    const path = '/sys/devices/w1_bus_master1/28-0316a2795e20/temperature';
    expect(world.senses.number([readOf()], inside, shows(path))).toEqual({ ok: true, detail: '20000' });
    expect(world.senses.number([readOf()], inside, shows('/sys/devices/platform/humidity'))).toEqual({
      ok: false,
      detail: 'nothing to read',
    });
    const iio = worldOf('iio');
    iio.nowMs = 4 * MIN_MS;
    expect(iio.senses.number([readOf()], inside, shows('/sys/devices/platform/iio:device3/in_temp_input'))).toMatchObject({ ok: false });
  });

  test('finds nothing out of a program that reads nothing', () => {
    expect(worldOf().senses.number([], inside, says)).toBeNull();
  });
});
