/**
 * What the kernel tells of a board's card and power (Linux, Documentation/ABI/testing/sysfs-bus-mmc, sysfs-fs-ext4 and
 * sysfs-class-hwmon). Cards for cameras tell nothing of their wear; memory that is soldered on does.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Card } from '../ports/card.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { CardHealth } from '../protocol/nouns/card.ts';
import { printableLine } from '../protocol/printable.ts';
import type { Clock } from '../turn/clock.ts';

export interface Health {
  /** The disk that the board's data lie on; null: none, or several. */
  card: CardHealth | null;
  /** The power was too low in the last seconds; null: nothing measures it. */
  powerLow: boolean | null;
}

const SECTOR = 512;
const MIB = 1024 * 1024;
const SAYS_MAX = 100;

const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    // Not there, or the driver has no answer.
    return null;
  }
};

const numberOf = (path: string): number | null => {
  const text = textOf(path);
  const value = text === null || text === '' ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
};

/** Steps of a tenth, for two kinds of memory in one: `0x01` is up to 10 %, `0x0b` beyond the end (JEDEC JESD84-B51, 7.4.39). */
const wornOf = (at: string): Pick<CardHealth, 'wornPercent'> => {
  const steps = (textOf(join(at, 'device/life_time')) ?? '').split(/\s+/).flatMap((word) => {
    const step = Number(word);
    return word !== '' && step >= 1 && step <= 11 ? [(step - 1) * 10] : [];
  });
  return steps.length === 0 ? {} : { wornPercent: Math.max(...steps) };
};

const SPARE = new Map<number, NonNullable<CardHealth['spare']>>([
  [1, 'normal'],
  [2, 'low'],
  [3, 'urgent'],
]);

const spareOf = (at: string): Pick<CardHealth, 'spare'> => {
  const spare = SPARE.get(numberOf(join(at, 'device/pre_eol_info')) ?? 0);
  return spare === undefined ? {} : { spare };
};

/** Its number of series is left out: it would tell whose card it is. */
const saysOf = (at: string): string =>
  ['manfid', 'vendor', 'name', 'model', 'date']
    .flatMap((name) => textOf(join(at, 'device', name)) ?? [])
    .filter((word) => word !== '')
    .map(printableLine)
    .join(' ')
    .slice(0, SAYS_MAX);

/** `name`: that of the partition, by which ext4 calls what lies on it. */
const ext4Of = (sys: string, name: string): Pick<CardHealth, 'errors' | 'erredMs' | 'everWrittenMib'> => {
  const errors = numberOf(join(sys, 'fs/ext4', name, 'errors_count'));
  const seconds = numberOf(join(sys, 'fs/ext4', name, 'last_error_time')) ?? 0;
  const kib = numberOf(join(sys, 'fs/ext4', name, 'lifetime_write_kbytes'));
  return {
    ...(errors !== null && { errors }),
    ...(errors !== null && errors > 0 && seconds > 0 && { erredMs: seconds * 1000 }),
    ...(kib !== null && { everWrittenMib: Math.floor(kib / 1024) }),
  };
};

interface Mounted {
  /** `8:1`; of what lies on no disk of its own, there is none under this number. */
  number: string;
  sizeMib: number;
  freeMib: number;
}

const mountedAt = (path: string): Mounted => {
  const { dev } = statSync(path, { bigint: true });
  // glibc, sysmacros.h: both numbers lie in two parts.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  const { bsize, blocks, bavail } = statfsSync(path);
  return { number: `${major}:${minor}`, sizeMib: Math.floor((blocks * bsize) / MIB), freeMib: Math.floor((bavail * bsize) / MIB) };
};

/** By the file system's own options, the last of a line (proc(5)): one mount of it may be read-only and the disk be well. */
export const isReadOnly = (mounts: string, number: string): boolean =>
  mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words[2] === number)
    .some((words) => (words.at(-1) ?? '').split(',').some((word) => word === 'ro' || word === 'emergency_ro'));

export interface Kernel {
  /** Trees of the kernel's; of others, in tests. */
  sys: string;
  proc: string;
}
const KERNEL: Kernel = { sys: '/sys', proc: '/proc' };

/** Of the disk on which `mounted` lies; null: of none. `damaged`: of the system that runs, as the image's start found it. */
export const cardOf = (mounted: Mounted, { sys, proc }: Kernel, damaged: boolean | null): CardHealth | null => {
  const { number, sizeMib, freeMib } = mounted;
  const link = join(sys, 'dev/block', number);
  if (!existsSync(link)) return null;
  const partition = realpathSync(link);
  const at = existsSync(join(partition, 'partition')) ? dirname(partition) : partition;
  const [, , , , , , sectors = '0'] = textOf(join(at, 'stat'))?.split(/\s+/) ?? [];
  return {
    ...{ disk: basename(at), says: saysOf(at) },
    ...wornOf(at),
    ...spareOf(at),
    ...ext4Of(sys, basename(partition)),
    readOnly: isReadOnly(textOf(join(proc, 'self/mountinfo')) ?? '', number),
    ...(damaged !== null && { damaged }),
    ...{ sizeMib, freeMib, writtenBytes: Number(sectors) * SECTOR },
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
export const healthOf = (path: string, damaged: boolean | null = null): Health => ({
  card: cardOf(mountedAt(path), KERNEL, damaged),
  powerLow: powerOf(KERNEL.sys),
});

/** `look`: at what is told of it now; what it throws, as from a disk that was pulled out, is no word on the card. */
export const openCard = (look: () => CardHealth | null, clock: Pick<Clock, 'after' | 'soon'>): Card => ({
  watch: (listener) => {
    const told = (): CardHealth | null => {
      try {
        return look();
      } catch {
        return null;
      }
    };
    const again = (): void => {
      listener({ kind: 'card-seen', card: told() });
      clock.after(LIMITS.cardLookMs, again);
    };
    clock.soon(again);
  },
});
