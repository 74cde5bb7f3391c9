/**
 * What this kernel really measures. Nothing is made up: a source exists because its file does, its unit is the one
 * that the kernel's documentation gives (Documentation/ABI/testing/sysfs-class-thermal, -hwmon, sysfs-bus-iio), and
 * where that gives none the value is passed on as it stands and called raw.
 */
import { type KernelFiles, readIfAny } from './files.ts';

export interface Source {
  /** The file, or for clocks the pair of clocks, that the value comes from. */
  source: string;
  kind: string;
  unit: string;
  /** What the kernel calls it, if it says. */
  label: string | null;
  /** Throws when the source has gone or gives no number. */
  read(): number;
}

export interface Clocks {
  realtimeMicros(): number;
  monotonicMicros(): number;
}

const numberIn = (text: string | undefined): number => {
  const value = Number(text);
  if (text === undefined || text === '' || !Number.isFinite(value)) throw new Error(`"${text ?? ''}" is not a number`);
  return value;
};

/** Sums of sysfs are short decimals; without this 48.3 would read 48.300000000000004. */
const rounded = (value: number): number => Number(value.toPrecision(9));

const thermal = (files: KernelFiles): Source[] =>
  files
    .list('/sys/class/thermal', /^thermal_zone\d+$/)
    .map((zone) => `/sys/class/thermal/${zone}`)
    .filter((zone) => readIfAny(files, `${zone}/temp`) !== null)
    .map((zone) => ({
      source: `${zone}/temp`,
      kind: 'temperature',
      unit: '°C',
      label: readIfAny(files, `${zone}/type`),
      read: () => rounded(numberIn(files.read(`${zone}/temp`)) / 1000),
    }));

const hwmon = (files: KernelFiles): Source[] =>
  files.list('/sys/class/hwmon', /^hwmon\d+$/).flatMap((chip) => {
    const home = `/sys/class/hwmon/${chip}`;
    return files
      .list(home, /^temp\d+_input$/)
      .filter((input) => readIfAny(files, `${home}/${input}`) !== null)
      .map((input) => ({
        source: `${home}/${input}`,
        kind: 'temperature',
        unit: '°C',
        label: readIfAny(files, `${home}/${input.replace('_input', '_label')}`) ?? readIfAny(files, `${home}/name`),
        read: () => rounded(numberIn(files.read(`${home}/${input}`)) / 1000),
      }));
  });

/** Of a channel's type: what is measured, the unit after scale and offset, and what turns it into the unit shown. */
const IIO: Record<string, { kind: string; unit: string; factor: number }> = {
  temp: { kind: 'temperature', unit: '°C', factor: 1 / 1000 },
  humidityrelative: { kind: 'relative humidity', unit: '%', factor: 1 / 1000 },
  pressure: { kind: 'pressure', unit: 'kPa', factor: 1 },
  illuminance: { kind: 'illuminance', unit: 'lx', factor: 1 },
  voltage: { kind: 'voltage', unit: 'V', factor: 1 / 1000 },
  current: { kind: 'current', unit: 'A', factor: 1 / 1000 },
  power: { kind: 'power', unit: 'W', factor: 1 / 1000 },
  resistance: { kind: 'resistance', unit: 'Ω', factor: 1 },
  accel: { kind: 'acceleration', unit: 'm/s²', factor: 1 },
  anglvel: { kind: 'angular velocity', unit: 'rad/s', factor: 1 },
  magn: { kind: 'magnetic field', unit: 'G', factor: 1 },
};

const CHANNEL = /^in_([a-z]+)(\d*)(_[a-z0-9_]+?)?_(raw|input)$/;

const channel = (files: KernelFiles, home: string, file: string): Source => {
  const [, type = '', index = '', modifier = '', form = ''] = CHANNEL.exec(file) ?? [];
  const path = `${home}/${file}`;
  /** A channel's own scale or offset, else that of all channels of its type. */
  const shared = (what: string): string | null =>
    readIfAny(files, `${home}/in_${type}${index}${modifier}_${what}`) ?? readIfAny(files, `${home}/in_${type}_${what}`);
  const known = IIO[type];
  const base = { source: path, label: readIfAny(files, `${home}/name`) };
  if (known === undefined || (form === 'raw' && shared('scale') === null)) {
    return { ...base, kind: type, unit: form, read: () => numberIn(files.read(path)) };
  }
  const { kind, unit, factor } = known;
  if (form === 'input') return { ...base, kind, unit, read: () => rounded(numberIn(files.read(path)) * factor) };
  const read = (): number => {
    const offset = numberIn(shared('offset') ?? '0');
    const scale = numberIn(shared('scale') ?? undefined);
    return rounded((numberIn(files.read(path)) + offset) * scale * factor);
  };
  return { ...base, kind, unit, read };
};

const iio = (files: KernelFiles): Source[] =>
  files.list('/sys/bus/iio/devices', /^iio:device\d+$/).flatMap((device) => {
    const home = `/sys/bus/iio/devices/${device}`;
    return files
      .list(home, CHANNEL)
      .filter((file) => readIfAny(files, `${home}/${file}`) !== null)
      .map((file) => channel(files, home, file));
  });

/** What every Linux has, for boards without a sensor. */
const system = (files: KernelFiles, clocks: Clocks, startMicros: number): Source[] => {
  const load = '/proc/loadavg';
  const pressure = '/proc/pressure/memory';
  const found: Source[] = [];
  if (readIfAny(files, load) !== null) {
    const read = () => numberIn(files.read(load).split(' ')[0]);
    found.push({ source: load, kind: 'load', unit: 'tasks', label: 'average of the last minute', read });
  }
  if (readIfAny(files, pressure) !== null) {
    const read = () => numberIn(/^some avg10=(\S+)/m.exec(files.read(pressure))?.[1]);
    found.push({ source: pressure, kind: 'memory pressure', unit: '%', label: 'time some task waited for memory, last 10 s', read });
  }
  const read = () => clocks.realtimeMicros() - clocks.monotonicMicros() - startMicros;
  found.push({
    source: 'CLOCK_REALTIME - CLOCK_MONOTONIC',
    kind: 'clock drift',
    unit: 'µs',
    label: 'since the start of this program',
    read,
  });
  return found;
};

/** Answers, each time it is asked, with the sensors of this moment; without any, with what the system itself can tell. */
export const openSources = (files: KernelFiles, clocks: Clocks): (() => Source[]) => {
  const startMicros = clocks.realtimeMicros() - clocks.monotonicMicros();
  return () => {
    const sensors = [...thermal(files), ...hwmon(files), ...iio(files)];
    return sensors.length > 0 ? sensors : system(files, clocks, startMicros);
  };
};
