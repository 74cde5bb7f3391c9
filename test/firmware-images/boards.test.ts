/** What each firmware finds on the first partition. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Board } from '../../firmware-images/boards/board.ts';
import { genericArm64 } from '../../firmware-images/boards/generic-arm64.ts';
import { pi } from '../../firmware-images/boards/pi.ts';
import { bootTree } from '../../firmware-images/boot-partition.ts';
import { oldTable } from '../../firmware-images/disk.ts';
import { kernelIn } from '../../firmware-images/kernel.ts';
import type { Tree } from '../../firmware-images/tree.ts';

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

const whole = (): Map<string, string> =>
  new Map([
    plant('linux-image-6.12-arm64', 'boot/vmlinuz-6.12', 'usr/lib/modules/6.12/kernel/x.ko.xz', 'usr/lib/modules/6.12/modules.builtin'),
  ]);
const inParts = (): Map<string, string> =>
  new Map([
    plant('linux-image-7.3-arm64', 'usr/share/doc/readme'),
    plant(
      'linux-base-7.3-arm64',
      'usr/lib/modules/7.3/modules.builtin',
      ...tables.map((name) => `usr/lib/modules/7.3/dtb/broadcom/${name}`),
    ),
    plant('linux-binary-7.3-arm64', 'usr/lib/modules/7.3/vmlinuz'),
    plant('linux-modules-7.3-arm64', 'usr/lib/modules/7.3/kernel/x.ko.xz'),
    plant('raspi-firmware', 'usr/lib/raspi-firmware/start.elf'),
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

test('a Raspberry Pi finds its own programs, a kernel, its words, and the tables of the boards that are named', () => {
  const tree = firstPartition(pi, inParts());
  const config = textOf(tree, 'config.txt');
  const prefix = config.match(/^os_prefix=(.*)$/m)?.[1] ?? '';
  for (const name of [config.match(/^kernel=(.*)$/m)?.[1], config.match(/^cmdline=(.*)$/m)?.[1], 'first', ...tables.slice(0, 4)])
    expect([...tree.keys()]).toContain(`${prefix}${name}`);
  for (const name of tables.slice(4)) expect([...tree.keys()]).not.toContain(`${prefix}${name}`);
  const kernel = tree.get('lichen/a/linux');
  expect(kernel?.kind === 'file' && 'from' in kernel && kernel.from).toMatch(/usr\/lib\/modules\/7\.3\/vmlinuz$/);
  expect([...tree.keys()]).toEqual(expect.arrayContaining(['bootcode.bin', 'start.elf', 'start4.elf', 'lichen/raspi-firmware.txt']));
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
