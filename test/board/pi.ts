/** What a Raspberry Pi's firmware does before its kernel runs: config.txt says where everything is. QEMU plays none of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Direct } from './hardware.ts';
import { takeFrom } from './image.ts';

/** What QEMU does not play: its watchdog starts the machine again at once, its graphics never answer. */
const WITHOUT = 'module_blacklist=bcm2835_wdt,vc4';

/** `folder`: for what is taken off the card. */
export const asFirmware = (card: string, folder: string): Direct => {
  const at = (name: string): string => join(folder, name);
  takeFrom(card, 'config.txt', at('config.txt'));
  const config = readFileSync(at('config.txt'), 'utf8');
  const said = (key: string): string => config.match(new RegExp(`^${key}[= ](\\S+)`, 'm'))?.[1] ?? '';
  const names = [said('kernel'), said('initramfs'), said('cmdline'), 'bcm2837-rpi-3-b.dtb'];
  for (const name of names) takeFrom(card, `${said('os_prefix')}${name}`, at(name));
  const [kernelPath = '', firstPath = '', words = '', tablePath = ''] = names.map(at);
  return { kernelPath, firstPath, commandLine: `${readFileSync(words, 'utf8').trim()} ${WITHOUT}`, tablePath };
};
