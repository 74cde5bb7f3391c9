/**
 * What the kernel tells of a board's card and power (Linux, Documentation/ABI/testing/sysfs-bus-mmc and sysfs-class-hwmon). Cards
 * for cameras tell nothing of their wear; memory that is soldered on, and better drives, do.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Health {
  /** The disk that the board's data lie on; null: none, or several. */
  card: {
    disk: string;
    /** Hundredths of the life that its maker gave it which are used up, at least; null: it does not say. */
    usedPercent: number | null;
    /** Of the blocks that it keeps for when others wear out. */
    spare: 'normal' | 'low' | 'urgent' | null;
    /** Since the board was started. */
    writtenBytes: number;
  } | null;
  /** The power was too low in the last seconds; null: nothing measures it. */
  powerLow: boolean | null;
}

const SECTOR = 512;
const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    // Not there, or the driver has no answer.
    return null;
  }
};

/** Steps of a tenth, for two kinds of memory in one: `0x01` is up to 10 %, `0x0b` beyond the end. */
const usedOf = (lifeTime: string | null): number | null => {
  const steps = (lifeTime ?? '').split(/\s+/).flatMap((word) => {
    const step = Number(word);
    return word !== '' && step >= 1 && step <= 11 ? [(step - 1) * 10] : [];
  });
  return steps.length === 0 ? null : Math.max(...steps);
};

const SPARE = new Map<number, 'normal' | 'low' | 'urgent'>([
  [1, 'normal'],
  [2, 'low'],
  [3, 'urgent'],
]);

/** Directory of the disk under which the kernel tells of it. */
const diskAt = (path: string, sys: string): string | null => {
  const { dev } = statSync(path, { bigint: true });
  // glibc, sysmacros.h: both numbers lie in two parts.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  const link = join(sys, 'dev/block', `${major}:${minor}`);
  if (!existsSync(link)) return null;
  const at = realpathSync(link);
  return existsSync(join(at, 'partition')) ? dirname(at) : at;
};

/** From the directory of a disk. */
export const cardOf = (at: string): NonNullable<Health['card']> => {
  const [, , , , , , sectors = '0'] = textOf(join(at, 'stat'))?.split(/\s+/) ?? [];
  return {
    disk: basename(at),
    usedPercent: usedOf(textOf(join(at, 'device/life_time'))),
    spare: SPARE.get(Number(textOf(join(at, 'device/pre_eol_info')) ?? Number.NaN)) ?? null,
    writtenBytes: Number(sectors) * SECTOR,
  };
};

/** By the Pi's own sensor, of which the driver forgets what it said each time it asks it, every two seconds (Linux, drivers/hwmon/raspberrypi-hwmon.c). */
export const powerOf = (sys: string): boolean | null => {
  const sensors = join(sys, 'class/hwmon');
  const names = existsSync(sensors) ? readdirSync(sensors) : [];
  const found = names.find((name) => textOf(join(sensors, name, 'name')) === 'rpi_volt');
  const alarm = found === undefined ? null : textOf(join(sensors, found, 'in0_lcrit_alarm'));
  return alarm === null ? null : alarm !== '0';
};

/** `path`: where the board's data lie. */
export const healthOf = (path: string, sys = '/sys'): Health => {
  const at = diskAt(path, sys);
  return { card: at === null ? null : cardOf(at), powerLow: powerOf(sys) };
};
