/** The image for Raspberry Pi from its kernel on: what QEMU plays of a 3 B starts from the card, and asks to be paired. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pi } from '../../firmware-images/boards/pi.ts';
import { PI_3B } from './hardware.ts';
import { takeFrom, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

/** As small as it may be: QEMU writes a card by a byte at a time. */
const CARD_BYTES = 1024 ** 3;
const BOOT_LIMIT_MS = 300_000;

/** What QEMU does not play: its watchdog starts the machine again at once, its graphics never answer. */
const WITHOUT = 'module_blacklist=bcm2835_wdt,vc4';

let folder: string;
let machine: Machine;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-pi-'));
  writeCard(await testImage(pi), at('card'), CARD_BYTES);
  // What the firmware would do: config.txt says where everything is.
  takeFrom(at('card'), 'config.txt', at('config.txt'));
  const config = readFileSync(at('config.txt'), 'utf8');
  const said = (key: string): string => config.match(new RegExp(`^${key}[= ](\\S+)`, 'm'))?.[1] ?? '';
  const names = [said('kernel'), said('initramfs'), said('cmdline'), 'bcm2837-rpi-3-b.dtb'];
  for (const name of names) takeFrom(at('card'), `${said('os_prefix')}${name}`, at(name));
  const [kernelPath = '', firstPath = '', words = '', tablePath = ''] = names.map(at);
  const direct = { kernelPath, firstPath, commandLine: `${readFileSync(words, 'utf8').trim()} ${WITHOUT}`, tablePath };
  machine = new Machine({ hardware: PI_3B, disks: [{ path: at('card') }], direct });
});
afterAll(async () => {
  await machine?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('finds its root on the card, makes its data partition, and asks to be paired at tier full', async () => {
  await machine.line(/making the data partition on \/dev\/mmcblk0/, BOOT_LIMIT_MS);
  const unpaired = await machine.line(/"line":"unpaired"/, BOOT_LIMIT_MS);
  const running = await machine.line(/"line":"running"/, BOOT_LIMIT_MS);
  expect(JSON.parse(running.slice(running.indexOf('{')))).toMatchObject({
    tier: 'full',
    lacks: [expect.stringContaining('updates of the system')],
  });
  expect(JSON.parse(unpaired.slice(unpaired.indexOf('{'))).next).toContain('lichen.json');
});
