import { describe, expect, test } from 'vitest';
import type { KernelFiles } from '../../../recipes/hello-sensor/files.ts';
import { openSources } from '../../../recipes/hello-sensor/sources.ts';
import { Bus } from '../../../sim/hardware/bus.ts';
import { Sensor } from '../../../sim/hardware/sensor.ts';
import type { SensorSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const sensor = (name: string, bus: SensorSpec['bus'], value: number): Sensor =>
  new Sensor({ name, bus, source: { kind: 'constant', value }, noise: 0 }, chanceFrom(name));

describe('bus', () => {
  test('iio shows the units of the kernel, one device a sensor', () => {
    const bus = new Bus('b', [
      sensor('air-temperature', 'iio', 21.537),
      sensor('humidity', 'iio', 48.25),
      sensor('pressure', 'iio', 101.325),
      sensor('rain', 'iio', 7),
    ]);
    expect(bus.read('/sys/bus/iio/devices/iio:device0/in_temp_input', 0)).toBe('21537\n');
    expect(bus.read('/sys/bus/iio/devices/iio:device0/name', 0)).toBe('air-temperature\n');
    expect(bus.read('/sys/bus/iio/devices/iio:device1/in_humidityrelative_input', 0)).toBe('48250\n');
    expect(bus.read('/sys/bus/iio/devices/iio:device2/in_pressure_input', 0)).toBe('101.325000\n');
    expect(bus.read('/sys/bus/iio/devices/iio:device3/in_count0_raw', 0)).toBe('7\n');
    expect(bus.read('/sys/bus/iio/devices/iio:device4/in_temp_input', 0)).toBeNull();
  });

  test('1-wire: a DS18B20 in sixteenths of a degree, with the checksum of a real one', () => {
    // What a DS18B20 tells after power-on, known to everyone who has wired one badly.
    const bus = new Bus('b', [sensor('soil', '1-wire', 85.01)]);
    const [temperature = '', slave = ''] = bus.paths();
    expect(temperature).toMatch(/^\/sys\/bus\/w1\/devices\/28-[0-9a-f]{12}\/temperature$/);
    expect(bus.read(temperature, 0)).toBe('85000\n');
    expect(bus.read(slave, 0)).toBe('50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n');
    const cold = new Bus('b', [sensor('soil', '1-wire', -10.125)]);
    expect(cold.read(temperature, 0)).toBe('-10125\n');
    expect(cold.read(slave, 0)).toMatch(/^5e ff /);
    expect(new Bus('c', [sensor('soil', '1-wire', 0)]).paths()).not.toContain(temperature);
    expect(new Bus('b', [sensor('soil', '1-wire', 200)]).read(temperature, 0)).toBe('125000\n');
  });

  test('gpio is 0 or 1, i2c an LM75', () => {
    const bus = new Bus('b', [
      sensor('door', 'gpio', 1),
      sensor('window', 'gpio', 0.49),
      sensor('box', 'i2c', 25.5),
      sensor('out', 'i2c', -0.5),
    ]);
    expect(bus.read('/sys/class/gpio/gpio17/value', 0)).toBe('1\n');
    expect(bus.read('/sys/class/gpio/gpio27/value', 0)).toBe('0\n');
    expect(bus.read('/sys/bus/i2c/devices/1-0048/name', 0)).toBe('lm75\n');
    expect(bus.i2c(0x48, 0, 0)).toEqual([0x19, 0x80]);
    expect(bus.i2c(0x49, 0, 0)).toEqual([0xff, 0x80]);
    expect(bus.i2c(0x48, 3, 0)).toEqual([0, 0]);
    expect(bus.i2c(0x50, 0, 0)).toBeNull();
  });

  test('a sensor that is absent cannot be read anywhere', () => {
    const all = [sensor('t', 'iio', 1), sensor('t', '1-wire', 1), sensor('t', 'gpio', 1), sensor('t', 'i2c', 1)];
    const bus = new Bus('b', all);
    const values = bus.paths().filter((path) => !path.endsWith('iio:device0/name'));
    for (const path of values) expect(bus.read(path, 0)).not.toBeNull();
    for (const one of all) one.fail(0, 'absent');
    for (const path of values) expect(bus.read(path, 0)).toBeNull();
    expect(bus.i2c(0x48, 0, 0)).toBeNull();
  });

  test('the recipe hello-sensor finds and reads what is there', () => {
    const bus = new Bus(
      'b',
      [sensor('temperature', 'iio', 21.5), sensor('humidity', 'iio', 40), sensor('pressure', 'iio', 99.5)],
      () => 54.321,
    );
    const files: KernelFiles = {
      list: (path, pattern) => {
        const names = bus.paths().flatMap((file) => (file.startsWith(`${path}/`) ? [file.slice(path.length + 1).split('/')[0] ?? ''] : []));
        return [...new Set(names)].filter((name) => pattern.test(name));
      },
      read: (path) => {
        const text = bus.read(path, 0);
        if (text === null) throw new Error(`ENOENT ${path}`);
        return text.trim();
      },
    };
    const found = openSources(files, { realtimeMicros: () => 0, monotonicMicros: () => 0 })();
    expect(found.map((source) => [source.kind, source.unit, source.label, source.read()])).toEqual([
      ['temperature', '°C', 'cpu-thermal', 54.321],
      ['temperature', '°C', 'temperature', 21.5],
      ['relative humidity', '%', 'humidity', 40],
      ['pressure', 'kPa', 'pressure', 99.5],
    ]);
  });
});
