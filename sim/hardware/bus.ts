/**
 * How sensors appear to a program: as the files that Linux shows, with its units (Documentation/ABI/testing/sysfs-bus-iio,
 * Documentation/w1/slaves/w1_therm.rst, Documentation/ABI/obsolete/sysfs-gpio), and on i2c as registers. A scenario's
 * values are in °C, %, kPa, lx, V, A and W, which a sensor's name tells apart; any other name is a count.
 */
import type { SensorSpec } from '../scenario/scenario.ts';
import type { Hardware } from './profiles.ts';
import type { Sensor } from './sensor.ts';

/** What a word in the name says of the channel's type and how many of the kernel's units are one of the scenario's. */
const IIO: { says: RegExp; channel: string; factor: number }[] = [
  { says: /temp|heat|therm/, channel: 'temp_input', factor: 1000 },
  { says: /humid|moist/, channel: 'humidityrelative_input', factor: 1000 },
  { says: /press|baro/, channel: 'pressure_input', factor: 1 },
  { says: /light|lux|illum/, channel: 'illuminance_input', factor: 1 },
  { says: /volt/, channel: 'voltage0_input', factor: 1000 },
  { says: /current|amp/, channel: 'current0_input', factor: 1000 },
  { says: /power|watt/, channel: 'power0_input', factor: 1000 },
];
const COUNT = { channel: 'count0_raw', factor: 1 };

/** Lines of the 40-pin header that are free on every model, GPIO numbers. */
const GPIO_LINES = [17, 27, 22, 23, 24, 25, 5, 6, 12, 13, 16, 26];
/** Where an LM75 and its kin begin. */
const I2C_FIRST = 0x48;
/** DS18B20: a sixteenth of a degree, from -55 to 125 °C. */
const W1_FAMILY = '28';
const SIXTEENTH = 16;

/** The grant under which programs reach a bus; null: its readings lie in /sys, open to all. */
export const grantOf = (bus: SensorSpec['bus']): string | null => {
  if (bus === 'iio') return null;
  return bus === '1-wire' ? '1wire' : bus;
};

/** By a program that was granted these. */
export const isSeen = (bus: SensorSpec['bus'], granted: string[]): boolean => {
  const grant = grantOf(bus);
  return grant === null || granted.includes(grant);
};

/** What a program gets of what it tells: of a line, whether it is high. */
export const asRead = (bus: SensorSpec['bus'], value: number): number => (bus === 'gpio' ? Number(value >= 0.5) : value);

/** The kinds of devices that a board can give. */
export const kindsOf = ({ buses }: Pick<Hardware, 'buses'>): string[] => buses.flatMap((bus) => grantOf(bus) ?? []);

type Reader = (atMs: number) => string | null;

export class Bus {
  readonly #files = new Map<string, Reader>();
  readonly #registers = new Map<number, Sensor>();

  /** `board`: its name, for serial numbers. `socC`: of its processor; shown as the kernel's thermal zone. */
  constructor(board: string, sensors: readonly Sensor[], socC?: (atMs: number) => number) {
    const counts = { gpio: 0, i2c: 0, iio: 0, '1-wire': 0 };
    for (const sensor of sensors) {
      const index = counts[sensor.spec.bus]++;
      if (sensor.spec.bus === 'iio') this.#iio(sensor, index);
      else if (sensor.spec.bus === '1-wire') this.#oneWire(sensor, `${W1_FAMILY}-${serial(`${board}/${sensor.spec.name}`)}`);
      else if (sensor.spec.bus === 'gpio') this.#gpio(sensor, index);
      else this.#i2c(sensor, I2C_FIRST + index);
    }
    if (socC === undefined) return;
    this.#files.set('/sys/class/thermal/thermal_zone0/temp', (atMs) => `${Math.round(socC(atMs) * 1000)}\n`);
    this.#files.set('/sys/class/thermal/thermal_zone0/type', () => 'cpu-thermal\n');
  }

  /** In the order of the board's sensors. */
  paths(): string[] {
    return [...this.#files.keys()];
  }

  /** What a program reads from a file; null: there is none, or the device behind it does not answer. */
  read(path: string, atMs: number): string | null {
    return this.#files.get(path)?.(atMs) ?? null;
  }

  /**
   * Register 0 of an LM75 at this address of bus 1: two bytes, the higher first, sixteenths in the upper 12 bits.
   * Null: nobody acknowledges; other registers read 0, as reserved ones do.
   */
  i2c(address: number, register: number, atMs: number): [number, number] | null {
    const value = this.#registers.get(address)?.read(atMs) ?? null;
    if (value === null) return null;
    const word = register === 0 ? (Math.min(2047, Math.max(-2048, Math.round(value * SIXTEENTH))) << 4) & 0xffff : 0;
    return [word >> 8, word & 0xff];
  }

  #iio(sensor: Sensor, index: number): void {
    const home = `/sys/bus/iio/devices/iio:device${index}`;
    const { channel, factor } = IIO.find(({ says }) => says.test(sensor.spec.name)) ?? COUNT;
    const isWhole = channel !== 'pressure_input';
    this.#files.set(`${home}/name`, () => `${sensor.spec.name}\n`);
    this.#files.set(`${home}/in_${channel}`, (atMs) => {
      const value = sensor.read(atMs);
      if (value === null) return null;
      return isWhole ? `${Math.round(value * factor)}\n` : `${(value * factor).toFixed(6)}\n`;
    });
  }

  #oneWire(sensor: Sensor, device: string): void {
    const home = `/sys/bus/w1/devices/${device}`;
    const sixteenths = (atMs: number): number | null => {
      const celsius = sensor.read(atMs);
      return celsius === null ? null : Math.round(Math.min(125, Math.max(-55, celsius)) * SIXTEENTH);
    };
    this.#files.set(`${home}/temperature`, (atMs) => {
      const raw = sixteenths(atMs);
      return raw === null ? null : `${Math.trunc((raw * 1000) / SIXTEENTH)}\n`;
    });
    this.#files.set(`${home}/w1_slave`, (atMs) => {
      const raw = sixteenths(atMs);
      return raw === null ? null : w1Slave(raw);
    });
  }

  #gpio(sensor: Sensor, index: number): void {
    const line = GPIO_LINES[index % GPIO_LINES.length];
    this.#files.set(`/sys/class/gpio/gpio${line}/value`, (atMs) => {
      const value = sensor.read(atMs);
      return value === null ? null : `${asRead('gpio', value)}\n`;
    });
  }

  #i2c(sensor: Sensor, address: number): void {
    this.#registers.set(address, sensor);
    const present = (text: string): Reader => {
      return (atMs) => (sensor.read(atMs) === null ? null : text);
    };
    this.#files.set(`/sys/bus/i2c/devices/1-00${address.toString(16)}/name`, present('lm75\n'));
  }
}

/** 48 bits by name: FNV-1a twice. */
const serial = (name: string): string => {
  const fnv = (basis: number): number => {
    let hash = basis;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
    return hash;
  };
  return `${fnv(0x811c9dc5).toString(16).padStart(8, '0')}${(fnv(0x050c5d1f) & 0xffff).toString(16).padStart(4, '0')}`;
};

/** The scratchpad of a DS18B20, twice, as w1_therm prints it. */
const w1Slave = (raw: number): string => {
  const scratchpad = [raw & 0xff, (raw >> 8) & 0xff, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10];
  const crc = dallasCrc(scratchpad);
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
  const line = [...scratchpad, crc].map(hex).join(' ');
  return `${line} : crc=${hex(crc)} YES\n${line} t=${Math.trunc((raw * 1000) / SIXTEENTH)}\n`;
};

/** x⁸ + x⁵ + x⁴ + 1, the lowest bit first (Maxim application note 27). */
const dallasCrc = (bytes: number[]): number => {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8c : crc >> 1;
  }
  return crc;
};
