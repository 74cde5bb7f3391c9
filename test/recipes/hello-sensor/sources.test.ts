/** hello-sensor finds what the kernel has, in the documented order and units, and never makes a value up. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClocks } from '../../../recipes/hello-sensor/clocks.ts';
import { openKernelFiles } from '../../../recipes/hello-sensor/files.ts';
import { openReadings } from '../../../recipes/hello-sensor/readings.ts';
import { openSources } from '../../../recipes/hello-sensor/sources.ts';

let root = '';
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'lichen-sensor-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (files: Record<string, string>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

const clock = { real: 5_000_000, mono: 1_000_000 };
const clocks = { realtimeMicros: () => clock.real, monotonicMicros: () => clock.mono };
const find = () => openSources(openKernelFiles(root), clocks)();
const readAll = () => find().map(({ source, kind, unit, label, read }) => [source, kind, read(), unit, label]);

const THERMAL = '/sys/class/thermal';
const HWMON = '/sys/class/hwmon';
const IIO = '/sys/bus/iio/devices';
const SYSTEM = {
  '/proc/loadavg': '0.42 0.30 0.20 1/100 1234\n',
  '/proc/pressure/memory': 'some avg10=1.25 avg60=0 avg300=0 total=7\nfull avg10=0.5 avg60=0\n',
};

describe('sensors', () => {
  test('come in the order thermal, hwmon, iio, each by number, and nothing else with them', () => {
    put({
      ...SYSTEM,
      [`${IIO}/iio:device0/in_temp_input`]: '21500\n',
      [`${HWMON}/hwmon0/name`]: 'nvme\n',
      [`${HWMON}/hwmon0/temp1_input`]: '35850\n',
      [`${HWMON}/hwmon0/temp2_input`]: '-5000\n',
      [`${HWMON}/hwmon0/temp2_label`]: 'outside\n',
      [`${HWMON}/hwmon0/fan1_input`]: '1200\n',
      [`${THERMAL}/thermal_zone10/temp`]: '1000\n',
      [`${THERMAL}/thermal_zone2/temp`]: '48312\n',
      [`${THERMAL}/thermal_zone2/type`]: 'cpu-thermal\n',
      [`${THERMAL}/cooling_device0/temp`]: '1\n',
    });
    expect(readAll()).toEqual([
      [`${THERMAL}/thermal_zone2/temp`, 'temperature', 48.312, '°C', 'cpu-thermal'],
      [`${THERMAL}/thermal_zone10/temp`, 'temperature', 1, '°C', null],
      [`${HWMON}/hwmon0/temp1_input`, 'temperature', 35.85, '°C', 'nvme'],
      [`${HWMON}/hwmon0/temp2_input`, 'temperature', -5, '°C', 'outside'],
      [`${IIO}/iio:device0/in_temp_input`, 'temperature', 21.5, '°C', null],
    ]);
  });

  const bme = `${IIO}/iio:device1`;
  const channels: [string, Record<string, string>, [kind: string, value: number, unit: string]][] = [
    ['processed', { in_humidityrelative_input: '45300' }, ['relative humidity', 45.3, '%']],
    ['raw with scale and offset', { in_temp_raw: '100', in_temp_offset: '50', in_temp_scale: '10.5' }, ['temperature', 1.575, '°C']],
    ['raw with the scale of its type', { in_voltage3_raw: '1000', in_voltage_scale: '0.5' }, ['voltage', 0.5, 'V']],
    ['raw with a scale of its own', { in_voltage3_raw: '1000', in_voltage_scale: '9', in_voltage3_scale: '0.5' }, ['voltage', 0.5, 'V']],
    ['raw along an axis', { in_accel_x_raw: '-10', in_accel_scale: '0.009' }, ['acceleration', -0.09, 'm/s²']],
    ['raw without a scale: as it stands', { in_pressure_raw: '1013' }, ['pressure', 1013, 'raw']],
    ['of a type without a unit here: as it stands', { in_steps_input: '7' }, ['steps', 7, 'input']],
    ['raw of an unknown type: as it stands, scale or not', { in_foo_raw: '7', in_foo_scale: '2' }, ['foo', 7, 'raw']],
  ];
  test.each(channels)('of iio, %s', (_name, files, [kind, value, unit]) => {
    put({
      [`${bme}/name`]: 'bme280\n',
      ...Object.fromEntries(Object.entries(files).map(([file, text]) => [`${bme}/${file}`, `${text}\n`])),
    });
    const [first] = Object.keys(files);
    expect(readAll()).toEqual([[`${bme}/${first}`, kind, value, unit, 'bme280']]);
  });
});

describe('without a sensor', () => {
  test('the system tells what it can', () => {
    put(SYSTEM);
    const sources = openSources(openKernelFiles(root), clocks);
    clock.real += 1_000_250;
    clock.mono += 1_000_000;
    expect(sources().map(({ source, kind, unit, read }) => [source, kind, read(), unit])).toEqual([
      ['/proc/loadavg', 'load', 0.42, 'tasks'],
      ['/proc/pressure/memory', 'memory pressure', 1.25, '%'],
      ['CLOCK_REALTIME - CLOCK_MONOTONIC', 'clock drift', 250, 'µs'],
    ]);
  });

  test('what this kernel lacks is not listed', () => {
    expect(find().map(({ kind }) => kind)).toEqual(['clock drift']);
  });

  test('the real clocks drift by less than a second while this test runs', () => {
    const real = openClocks();
    const sources = openSources(openKernelFiles(root), real);
    const drift = sources()[0]?.read() ?? Number.NaN;
    expect(Number.isInteger(drift)).toBe(true);
    expect(Math.abs(drift)).toBeLessThan(1_000_000);
  });
});

describe('readings', () => {
  const at = (ms: number) => ({ wallMs: 1_800_000_000_000 + ms, monotonicMs: ms });
  const zone = `${THERMAL}/thermal_zone0/temp`;

  test('say of each value where and when it was read', () => {
    put({ [zone]: '48000\n' });
    const readings = openReadings(openSources(openKernelFiles(root), clocks));
    expect(readings.all()).toEqual([]);
    expect(readings.ageMs(at(0))).toBe(Number.POSITIVE_INFINITY);
    readings.round(at(1000));
    const [reading] = readings.all();
    expect(reading).toEqual({
      source: zone,
      kind: 'temperature',
      unit: '°C',
      label: null,
      value: 48,
      at: '2027-01-15T08:00:01.000Z',
      state: 'live',
      why: null,
    });
    expect(readings.ageMs(at(3500))).toBe(2500);
  });

  test('say of a source that has gone that it has, keep its time but not its value, and go on with the others', () => {
    put({ [zone]: '48000\n', [`${HWMON}/hwmon0/temp1_input`]: '30000\n' });
    const readings = openReadings(openSources(openKernelFiles(root), clocks));
    readings.round(at(1000));
    rmSync(join(root, THERMAL), { recursive: true });
    readings.round(at(2000));
    expect(readings.all()).toMatchObject([
      { source: `${HWMON}/hwmon0/temp1_input`, state: 'live', value: 30 },
      { source: zone, state: 'gone', value: null, at: '2027-01-15T08:00:01.000Z', why: `${zone} is no longer there` },
    ]);
    put({ [zone]: '50000\n' });
    readings.round(at(3000));
    expect(readings.all().map(({ source, value }) => [source, value])).toEqual([
      [zone, 50],
      [`${HWMON}/hwmon0/temp1_input`, 30],
    ]);
  });

  test.each(['', 'hot', 'NaN', '1e999'])('call a source that says %j unreadable and are not fresh by it', (text) => {
    put({ [zone]: '48000\n' });
    const readings = openReadings(openSources(openKernelFiles(root), clocks));
    readings.round(at(1000));
    put({ [zone]: text });
    readings.round(at(2000));
    expect(readings.all()).toMatchObject([{ source: zone, state: 'unreadable', value: null, why: `"${text}" is not a number` }]);
    expect(readings.ageMs(at(2000))).toBe(1000);
  });

  test('take the system when the last sensor has gone, and remember only so many that have', () => {
    put({ ...SYSTEM, ...Object.fromEntries(Array.from({ length: 40 }, (_, zoneAt) => [`${THERMAL}/thermal_zone${zoneAt}/temp`, '1000'])) });
    const readings = openReadings(openSources(openKernelFiles(root), clocks));
    readings.round(at(1000));
    rmSync(join(root, THERMAL), { recursive: true });
    for (let round = 2; round < 6; round++) readings.round(at(round * 1000));
    const all = readings.all();
    expect(all.filter(({ state }) => state === 'live').map(({ kind }) => kind)).toEqual(['load', 'memory pressure', 'clock drift']);
    expect(all.filter(({ state }) => state === 'gone')).toHaveLength(32);
  });
});
