/**
 * Which nodes of the board each granted kind means. A kind is given whole: a release that may read one I²C chip may read
 * them all. What has no node of its own but is seen in /sys is hidden there from whoever was not granted it.
 */
import { existsSync, statSync } from 'node:fs';
import { list, readText } from './state.ts';

/** Where the board's own are; a test has others. */
export interface DeviceRoots {
  /** `/dev` */
  dev: string;
  /** `/sys` */
  sys: string;
}

export const BOARD_ROOTS: DeviceRoots = { dev: '/dev', sys: '/sys' };

/** Names below /dev. Serial ports of the board itself and of USB adapters; not the console's virtual terminals. */
const NODES: Record<string, RegExp> = {
  gpio: /^gpiochip\d+$/,
  i2c: /^i2c-\d+$/,
  spi: /^spidev\d+\.\d+$/,
  serial: /^(serial\d+|ttyAMA\d+|ttyS\d+|ttyUSB\d+|ttyACM\d+)$/,
  camera: /^(video\d+|media\d+|v4l-subdev\d+)$/,
};

/** What /sys shows of a kind to everybody: 1-Wire has no nodes, and values of pins and chips are read there, too. */
const SHOWN: Record<string, string[]> = {
  gpio: ['/sys/class/gpio'],
  '1wire': ['/sys/bus/w1'],
};
const W1_MASTER = /^w1_bus_master\d+$/;

export interface DeviceNode {
  path: string;
  type: 'c' | 'b';
  major: number;
  minor: number;
}

/** gnu_dev_major and gnu_dev_minor of the C library. */
export const numbersOf = (rdev: bigint): { major: number; minor: number } => ({
  major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
  minor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
});

const nodeAt = (roots: DeviceRoots, name: string): DeviceNode[] => {
  // Followed where it is a link, as serial0 is: what is granted is the device, under the name that programs know.
  const found = statSync(`${roots.dev}/${name}`, { bigint: true, throwIfNoEntry: false });
  if (found === undefined || !(found.isCharacterDevice() || found.isBlockDevice())) return [];
  return [{ path: `/dev/${name}`, type: found.isBlockDevice() ? 'b' : 'c', ...numbersOf(found.rdev) }];
};

interface UsbDevice {
  id: string;
  /** Below /dev. */
  name: string;
}

const padded = (text: string): string => text.padStart(3, '0');

const usbDevices = ({ sys }: DeviceRoots): UsbDevice[] =>
  list(`${sys}/bus/usb/devices`).flatMap((entry) => {
    const read = (file: string): string => (readText(`${sys}/bus/usb/devices/${entry}/${file}`) ?? '').trim();
    const [vendor, product, bus, device] = [read('idVendor'), read('idProduct'), read('busnum'), read('devnum')];
    return vendor === '' || bus === '' ? [] : [{ id: `usb:${vendor}:${product}`, name: `bus/usb/${padded(bus)}/${padded(device)}` }];
  });

const w1Masters = ({ sys }: DeviceRoots): string[] => list(`${sys}/devices`).filter((name) => W1_MASTER.test(name));

/** Of one kind, as they are now; what is plugged in later is found at the next start. */
export const nodesOf = (roots: DeviceRoots, kind: string): DeviceNode[] => {
  const pattern = NODES[kind];
  const names =
    pattern === undefined
      ? usbDevices(roots).flatMap(({ id, name }) => (id === kind ? [name] : []))
      : list(roots.dev).filter((name) => pattern.test(name));
  return names.sort().flatMap((name) => nodeAt(roots, name));
};

/** Kinds that the board has. */
export const kindsPresent = (roots: DeviceRoots): string[] => [
  ...Object.keys(NODES).filter((kind) => nodesOf(roots, kind).length > 0),
  ...(w1Masters(roots).length > 0 || existsSync(`${roots.sys}/bus/w1`) ? ['1wire'] : []),
  ...new Set(usbDevices(roots).map(({ id }) => id)),
];

/** What is hidden from a partition that was granted these. */
export const hiddenFrom = (roots: DeviceRoots, granted: readonly string[]): string[] => [
  ...Object.entries(SHOWN).flatMap(([kind, paths]) => (granted.includes(kind) ? [] : paths)),
  ...(granted.includes('1wire') ? [] : w1Masters(roots).map((name) => `/sys/devices/${name}`)),
];
