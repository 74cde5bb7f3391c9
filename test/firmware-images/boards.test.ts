/** What each firmware finds on the first partition. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Board } from '../../firmware-images/boards/board.ts';
import { boardNamed } from '../../firmware-images/boards/boards.ts';
import { genericArm64 } from '../../firmware-images/boards/generic-arm64.ts';
import { pi } from '../../firmware-images/boards/pi.ts';
import { bootTree } from '../../firmware-images/boot-partition.ts';
import { oldTable } from '../../firmware-images/disk.ts';
import { kernelIn } from '../../firmware-images/kernel.ts';
import type { Tree } from '../../firmware-images/tree.ts';
import { settingsFor } from '../support/config-txt.ts';
import { deviceTree, propertiesIn } from '../support/device-tree.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-boards-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tables = [
  'bcm2837-rpi-3-b.dtb',
  'bcm2837-rpi-zero-2-w.dtb',
  'bcm2711-rpi-4-b.dtb',
  'bcm2712-rpi-5-b.dtb',
  'bcm2837-rpi-2-b.dtb',
  'sun50i.dtb',
];

const plant = (name: string, ...paths: string[]): [string, string] => {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true });
    writeFileSync(join(folder, name, path), path);
  }
  return [name, join(folder, name)];
};

/** As the kernel's packages have them. */
const plantTables = ([name, home]: [string, string]): [string, string] => {
  for (const table of tables) {
    const path = join(home, 'usr/lib/modules/7.3/dtb/broadcom', table);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, deviceTree({ serial1: '/soc/serial' }));
  }
  return [name, home];
};

const whole = (): Map<string, string> =>
  new Map([
    plant('linux-image-6.12-arm64', 'boot/vmlinuz-6.12', 'usr/lib/modules/6.12/kernel/x.ko.xz', 'usr/lib/modules/6.12/modules.builtin'),
  ]);
const inParts = (): Map<string, string> =>
  new Map([
    plant('linux-image-7.3-arm64', 'usr/share/doc/readme'),
    plantTables(plant('linux-base-7.3-arm64', 'usr/lib/modules/7.3/modules.builtin')),
    plant('linux-binary-7.3-arm64', 'usr/lib/modules/7.3/vmlinuz'),
    plant('linux-modules-7.3-arm64', 'usr/lib/modules/7.3/kernel/x.ko.xz'),
    plant('raspi-firmware', 'usr/lib/raspi-firmware/start.elf'),
    plant('u-boot-rpi', 'usr/lib/u-boot/rpi_arm64/u-boot.bin'),
  ]);

describe('a kernel', () => {
  test('is found in one package, and in several', () => {
    expect(kernelIn(whole())).toMatchObject({ version: '6.12', image: expect.stringContaining('boot/vmlinuz-6.12') });
    const { image, modules, lists } = kernelIn(inParts());
    expect([image, modules, lists].map((path) => path.slice(folder.length))).toEqual([
      '/linux-binary-7.3-arm64/usr/lib/modules/7.3/vmlinuz',
      '/linux-modules-7.3-arm64/usr/lib/modules/7.3/kernel',
      '/linux-base-7.3-arm64/usr/lib/modules/7.3',
    ]);
  });

  test('that is not there is told', () => expect(() => kernelIn(new Map())).toThrow(/no kernel.*image lock/));
});

const firstPartition = (board: Board, trees: Map<string, string>): Tree =>
  bootTree(board, { trees, kernel: kernelIn(trees), first: Buffer.from('first'), commandLine: 'lichen.slot=a quiet' });
const textOf = (tree: Tree, path: string): string => {
  const entry = tree.get(path);
  return entry?.kind === 'file' && 'bytes' in entry ? Buffer.from(entry.bytes).toString() : '';
};

test('UEFI finds the loader of its processor, and an entry for the slot', () => {
  const tree = firstPartition(genericArm64, whole());
  expect([...tree.keys()]).toEqual(expect.arrayContaining(['EFI/BOOT/BOOTAA64.EFI', 'lichen/a/linux', 'lichen/a/first']));
  expect(textOf(tree, 'loader/entries/lichen-a.conf')).toContain('options lichen.slot=a quiet\n');
});

test('a Raspberry Pi finds its own programs, U-Boot with its script, a slot for it, and the tables of the boards that are named', () => {
  const tree = firstPartition(pi, inParts());
  const settings = settingsFor('pi3', textOf(tree, 'config.txt'));
  const prefix = settings.get('os_prefix') ?? '';
  expect(settings.get('initramfs')).toBe(undefined);
  for (const name of [settings.get('kernel'), settings.get('cmdline') ?? 'cmdline.txt', ...tables.slice(0, 4)])
    expect([...tree.keys()]).toContain(`${prefix}${name}`);
  const cardOf = (table: string): string | undefined => {
    const entry = tree.get(`lichen/${table}`);
    return propertiesIn(Buffer.from(entry?.kind === 'file' && 'bytes' in entry ? entry.bytes : [])).get('aliases/mmc0');
  };
  expect(tables.slice(0, 4).map(cardOf)).toEqual(['/soc/mmc@7e202000', '/soc/mmc@7e202000', '/emmc2-bus@fe000000/mmc@7e340000', undefined]);
  expect(textOf(tree, 'boot.scr')).toContain('run start');
  expect(textOf(tree, 'lichen/a/entry.txt')).toMatch(/^linux_sum=[0-9a-f]{1,8}\nfirst_sum=[0-9a-f]{1,8}\nwords=quiet\n$/);
  expect([...tree.keys()]).toEqual(expect.arrayContaining(['uboot.env', 'lichen/slots/A', 'lichen/u-boot-rpi.txt']));
  for (const name of tables.slice(4)) expect([...tree.keys()]).not.toContain(`${prefix}${name}`);
  const kernel = tree.get('lichen/a/linux');
  expect(kernel?.kind === 'file' && 'from' in kernel && kernel.from).toMatch(/usr\/lib\/modules\/7\.3\/vmlinuz$/);
  expect([...tree.keys()]).toEqual(expect.arrayContaining(['bootcode.bin', 'start.elf', 'start4.elf', 'lichen/raspi-firmware.txt']));
});

test('a Pi 5 is started by its firmware, from the first slot', () => {
  const tree = firstPartition(pi, inParts());
  const settings = settingsFor('pi5', textOf(tree, 'config.txt'));
  const at = (name = ''): string => `${settings.get('os_prefix')}${name}`;
  expect([settings.get('kernel'), settings.get('initramfs')].map((name) => at(name?.split(' ')[0]))).toEqual([
    'lichen/a/linux',
    'lichen/a/first',
  ]);
  expect(textOf(tree, at(settings.get('cmdline')))).toBe('lichen.slot=a quiet\n');
});

test('U-Boot is told to ask nobody, to start its script from the card, and to look at no network', () => {
  const entry = firstPartition(pi, inParts()).get('uboot.env');
  const bytes = Buffer.from(entry?.kind === 'file' && 'bytes' in entry ? entry.bytes : []);
  expect(bytes.length).toBe(0x4000);
  expect(bytes.readUInt32LE(0)).toBe(crc32(bytes.subarray(4)));
  const settings = bytes.subarray(4).toString('latin1').split('\0');
  expect(settings).toEqual(expect.arrayContaining(['bootdelay=-2', 'boot_targets=mmc usb', 'scriptaddr=0x02400000']));
});

test('a table for a firmware that reads no GPT names the first partition as FAT, and says that a GPT follows', () => {
  const before = Buffer.alloc(512, 7);
  const table = oldTable(before, 128);
  expect(table.subarray(0, 446)).toEqual(before.subarray(0, 446));
  expect(table.subarray(478)).toEqual(before.subarray(478));
  const entry = (at: number): number[] => [table[at + 4] ?? 0, table.readUInt32LE(at + 8), table.readUInt32LE(at + 12)];
  expect(entry(446)).toEqual([0x0c, 2048, 128 * 2048]);
  expect(entry(462)).toEqual([0xee, 1, 2047]);
});

describe('a board', () => {
  test.each(['pi', 'pi-zero-2w', 'pi-3b', 'pi-4b', 'pi-5'])('that is called %s has the image of all of them', (name) => {
    expect(boardNamed(name)).toBe(pi);
  });

  test('that there is not is refused, and those that there are are told', () => {
    expect(() => boardNamed('pi-6')).toThrow(/no board "pi-6"; there are generic-amd64, generic-arm64, pi, pi-zero-2w/);
  });
});
