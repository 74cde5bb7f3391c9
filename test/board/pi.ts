/** What a Raspberry Pi's firmware does before U-Boot runs: config.txt says where everything is. QEMU plays none of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsFor } from '../support/config-txt.ts';
import type { Direct } from './hardware.ts';
import { takeFrom } from './image.ts';

/** What QEMU does not play: its watchdog starts the machine again at once, its graphics never answer. */
const WITHOUT = 'module_blacklist=bcm2835_wdt,vc4';

/** `folder`: for what is taken off the card. U-Boot hands on what it is told, as it does with what the firmware says. */
export const asFirmware = (card: string, folder: string): Direct => {
  const at = (name: string): string => join(folder, name);
  takeFrom(card, 'config.txt', at('config.txt'));
  const said = settingsFor('pi3', readFileSync(at('config.txt'), 'utf8'));
  const names = [said.get('kernel') ?? 'kernel8.img', said.get('cmdline') ?? 'cmdline.txt', 'bcm2837-rpi-3-b.dtb'];
  for (const name of names) takeFrom(card, `${said.get('os_prefix')}${name}`, at(name));
  const [kernelPath = '', words = '', tablePath = ''] = names.map(at);
  return { kernelPath, commandLine: `${readFileSync(words, 'utf8').trim()} ${WITHOUT}`, tablePath };
};
