/** What programs of a board get from its sensors: whether it is fair, and what a promise about a number looks at. */
import { type Probed, probedNumber } from '../../runtime/adapters/partitions/probed.ts';
import type { PartitionSpec, Probe } from '../../runtime/ports/partitions.ts';
import { asRead, Bus, isSeen } from '../hardware/bus.ts';
import type { Sensor } from '../hardware/sensor.ts';
import type { ReadSpec } from '../scenario/scenario.ts';

export type NumberProbe = Extract<Probe, { kind: 'value' | 'reading' }>;

/** Digits after the point that a program writes of what it read. */
const WRITTEN = 3;

export class Senses {
  readonly #board: string;
  readonly #sensors: readonly Sensor[];
  readonly #now: () => number;
  /** By the sensor, once a promise has looked for its files. */
  readonly #files = new Map<Sensor, Bus>();

  constructor(board: string, sensors: readonly Sensor[], now: () => number) {
    this.#board = board;
    this.#sensors = sensors;
    this.#now = now;
  }

  /** Whether all that it reads is there and within what it takes for fair. `ranMs`: so long it has been reading. */
  fair(reads: readonly ReadSpec[], { devices }: PartitionSpec, ranMs: number): boolean {
    return reads.every((read) => {
      const sensor = this.#seen(read, devices);
      sensor?.readBy(read);
      const value = sensor === null ? null : this.#get(sensor);
      if (sensor === null || value === null || value < (read.least ?? value) || value > (read.most ?? value)) return false;
      return read.sameMs === null || ranMs < read.sameMs || sensor.sameMs(this.#now(), read.sameMs) < read.sameMs;
    });
  }

  /** What a promise about a number finds. Null: it reads nothing, and what such a program says nobody knows. */
  number(reads: readonly ReadSpec[], { devices }: PartitionSpec, probe: NumberProbe): Probed | null {
    const [first] = reads;
    if (first === undefined) return null;
    const isShown = probe.kind === 'value' && probe.path.startsWith('/sys/');
    const text = isShown ? this.#shown(reads, devices, probe.path) : this.#said(first, devices);
    return text === null ? { ok: false, detail: 'nothing to read' } : probedNumber(text, probe);
  }

  /** Of a program that says or writes what its first sensor tells. */
  #said(read: ReadSpec, devices: string[]): string | null {
    const sensor = this.#seen(read, devices);
    const value = sensor === null ? null : this.#get(sensor);
    return value === null ? null : value.toFixed(WRITTEN);
  }

  /** What the kernel shows of a sensor that it reads in a file of that name: the folders above are each machine's own. */
  #shown(reads: readonly ReadSpec[], devices: string[], path: string): string | null {
    const file = path.slice(path.lastIndexOf('/'));
    for (const read of reads) {
      const sensor = this.#seen(read, devices);
      const bus = sensor === null ? null : this.#bus(sensor);
      const shown = bus?.paths().find((one) => one.endsWith(file));
      if (sensor === null || bus === null || shown === undefined) continue;
      return bus.read(shown, this.#now());
    }
    return null;
  }

  #seen({ sensor: name }: ReadSpec, devices: string[]): Sensor | null {
    const sensor = this.#sensors.find(({ spec }) => spec.name === name);
    return sensor !== undefined && isSeen(sensor.spec.bus, devices) ? sensor : null;
  }

  #get(sensor: Sensor): number | null {
    const value = sensor.read(this.#now());
    return value === null ? null : asRead(sensor.spec.bus, value);
  }

  #bus(sensor: Sensor): Bus {
    const bus = this.#files.get(sensor) ?? new Bus(this.#board, [sensor]);
    this.#files.set(sensor, bus);
    return bus;
  }
}
