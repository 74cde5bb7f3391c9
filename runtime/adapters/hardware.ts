/** What a machine is and how it fares, read off its kernel without changing anything: by it an owner reports a board that nobody here has. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Card, Hardware } from '../protocol/hardware-report.ts';

const reader = (root: string) => {
  const text = (path: string): string => {
    try {
      return readFileSync(join(root, path), 'utf8').replaceAll('\0', ' ').trim();
    } catch {
      return '';
    }
  };
  const names = (path: string): string[] => {
    try {
      return readdirSync(join(root, path)).sort();
    } catch {
      return [];
    }
  };
  return { text, names, has: (path: string): boolean => existsSync(join(root, path)) };
};
type Reader = ReturnType<typeof reader>;

const driverOf = ({ text }: Reader, path: string): string => /^DRIVER=(.*)$/m.exec(text(`${path}/uevent`))?.[1] ?? '';

const modelOf = ({ text }: Reader): string =>
  text('proc/device-tree/model') ||
  `${text('sys/class/dmi/id/sys_vendor')} ${text('sys/class/dmi/id/product_name')}`.trim() ||
  'a machine that does not say what it is';

/** The Pi's bootloader writes the time of its making into the device tree, in seconds since 1970. */
const firmwareOf = (look: Reader): string => {
  const dmi = ['bios_vendor', 'bios_version', 'bios_date'].map((name) => look.text(`sys/class/dmi/id/${name}`)).filter(Boolean);
  if (dmi.length > 0) return dmi.join(' ');
  return look.text('proc/device-tree/chosen/bootloader/version') || 'does not say';
};

const memoryOf = (look: Reader, key: string): number =>
  Math.round(Number(new RegExp(`^${key}: *(\\d+)`, 'm').exec(look.text('proc/meminfo'))?.[1] ?? 0) / 1024);

const temperaturesOf = ({ names, text }: Reader): string[] =>
  names('sys/class/thermal')
    .filter((zone) => zone.startsWith('thermal_zone'))
    .map((zone) => `${text(`sys/class/thermal/${zone}/type`)} ${(Number(text(`sys/class/thermal/${zone}/temp`)) / 1000).toFixed(1)}`);

/** The Pi's firmware tells of too little voltage by an alarm of its sensor, which the driver asks for and forgets every two seconds (Linux, drivers/hwmon/raspberrypi-hwmon.c). */
const throttledOf = ({ names, text }: Reader): string | null => {
  const sensor = names('sys/class/hwmon').find((one) => text(`sys/class/hwmon/${one}/name`) === 'rpi_volt');
  if (sensor === undefined) return null;
  return text(`sys/class/hwmon/${sensor}/in0_lcrit_alarm`) === '1' ? 'too little voltage just now' : 'not just now';
};

const BUSES = /^(gpiochip|i2c-|spidev|video|ttyUSB|ttyACM|w1_bus_master)/;

/** A root that is checked as it is read is mounted from what checks it. */
const partitionOf = (look: Reader, mount: string | undefined): string | undefined =>
  mount?.startsWith('dm-') === true ? look.names(`sys/class/block/${mount}/slaves`)[0] : mount;

const diskOf = (look: Reader): string | null => {
  const mount = partitionOf(look, /^\/dev\/(\S+) \/ /m.exec(look.text('proc/mounts'))?.[1]);
  if (mount === undefined) return null;
  return /^((mmcblk|nvme\d+n)\d+)p\d+$/.exec(mount)?.[1] ?? mount.replace(/\d+$/, '');
};

const wornOf = (look: Reader, at: string): string | null => {
  const life = look.text(`${at}/device/life_time`);
  const spares = look.text(`${at}/device/pre_eol_info`);
  return life === '' ? null : `life ${life}, spares ${spares || 'not told'}`;
};

const MIB = 1024 * 1024;
const SPEED_AT_MIB = 400;
const SPEED_MIB = 16;

/** Where the second slot or the end of the first is: nothing of it is in memory, unless it was read for this before. */
const speedOf = async (path: string): Promise<number | null> => {
  const file = await open(path).catch(() => null);
  if (file === null) return null;
  try {
    const part = Buffer.alloc(MIB);
    const started = process.hrtime.bigint();
    let mib = 0;
    while (mib < SPEED_MIB && (await file.read(part, 0, MIB, (SPEED_AT_MIB + mib) * MIB)).bytesRead === MIB) mib++;
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    return mib === 0 ? null : Math.round((mib / seconds) * 10) / 10;
  } catch {
    return null;
  } finally {
    await file.close();
  }
};

const cardOf = async (look: Reader, root: string): Promise<Card | null> => {
  const disk = diskOf(look);
  if (disk === null || !look.has(`sys/class/block/${disk}`)) return null;
  const at = `sys/class/block/${disk}`;
  const says = ['manfid', 'name', 'model', 'vendor', 'date'].map((name) => look.text(`${at}/device/${name}`)).filter(Boolean);
  return {
    device: disk,
    says: says.join(' ') || 'does not say',
    mib: Math.round(Number(look.text(`${at}/size`)) / 2048),
    worn: wornOf(look, at),
    readMibPerS: await speedOf(join(root, 'dev', disk)),
  };
};

const partitionsOf = (look: Reader): string[] => {
  const disk = diskOf(look);
  if (disk === null) return [];
  return look
    .names(`sys/class/block/${disk}`)
    .filter((name) => name.startsWith(disk))
    .map((name) => {
      const label = /^PARTNAME=(.*)$/m.exec(look.text(`sys/class/block/${name}/uevent`))?.[1] ?? name;
      return `${label} ${Math.round(Number(look.text(`sys/class/block/${name}/size`)) / 2048)} MiB`;
    });
};

/** IPv4 addresses that the board's own network knows, each with its interface. */
export const interfacesOf = (): { name: string; address: string }[] =>
  Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => ({ name, address })),
  );

/** Addresses that others on the network may use. */
export const addressesOf = (): string[] =>
  Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:')).map(({ address }) => `${address} (${name})`),
  );

/** `root`: of another tree, in tests. */
export const readHardware = async (root = '/'): Promise<Hardware> => {
  const look = reader(root);
  return {
    model: modelOf(look),
    kernel: look.text('proc/sys/kernel/osrelease'),
    firmware: firmwareOf(look),
    memoryMib: memoryOf(look, 'MemTotal'),
    availableMib: memoryOf(look, 'MemAvailable'),
    uptimeS: Number(look.text('proc/uptime').split(' ')[0] ?? 0),
    watchdog: look.names('sys/class/watchdog').map((name) => `${name} ${look.text(`sys/class/watchdog/${name}/identity`)}`.trim()),
    rtc: look.names('sys/class/rtc').map((name) => `${name} ${look.text(`sys/class/rtc/${name}/name`)}`.trim()),
    wifi: look
      .names('sys/class/net')
      .filter((name) => look.has(`sys/class/net/${name}/phy80211`))
      .map((name) => `${name} ${driverOf(look, `sys/class/net/${name}/device`)} ${look.text(`sys/class/net/${name}/operstate`)}`),
    buses: look.names('dev').filter((name) => BUSES.test(name)),
    temperatures: temperaturesOf(look),
    throttled: throttledOf(look),
    addresses: addressesOf(),
    card: await cardOf(look, root),
    slot: /\blichen\.slot=([a-z])\b/.exec(look.text('proc/cmdline'))?.[1] ?? null,
    partitions: partitionsOf(look),
  };
};
