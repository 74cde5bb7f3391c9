/**
 * Wi-Fi as a board joins it: what a person writes becomes what wpa_supplicant reads, and the board's own scripts bring it to an
 * address. The network is real to the kernel; its radios are not (mac80211_hwsim), and hostapd plays the router.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importFrom } from '../../../firmware-images/setup/import.ts';
import { until } from '../../../sim/harness/wait.ts';

const WAIT_MS = 90_000;
const folder = mkdtempSync(join(tmpdir(), 'wifi-'));
const started: number[] = [];
let own = '';

const run = (program: string, ...words: string[]): string => execFileSync(program, words, { encoding: 'utf8' });
/** Until the test is over. */
const keep = (program: string, ...words: string[]): void => {
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(program, words, { detached: true, stdio: ['ignore', log, log] });
  if (child.pid !== undefined) started.push(child.pid);
};
const said = (): string => (existsSync('/run/lichen/said') ? readFileSync('/run/lichen/said', 'utf8') : '');
const setUp = (wifi: object[]): void => {
  mkdirSync(join(folder, 'card'), { recursive: true });
  writeFileSync(join(folder, 'card', 'lichen.json'), JSON.stringify({ country: 'DE', wifi }));
  expect(importFrom(join(folder, 'card'), '/data/board').wrong).toEqual([]);
};
const router = (ssid: string, passphrase: string, more: string): void => {
  const words = [`interface=${own}`, 'driver=nl80211', `ssid=${ssid}`, 'hw_mode=g', 'channel=6', 'country_code=DE', more];
  writeFileSync(
    join(folder, 'hostapd.conf'),
    `${words.join('\n')}\nwpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase=${passphrase}\n`,
  );
  keep('/usr/sbin/hostapd', join(folder, 'hostapd.conf'));
};

beforeAll(() => {
  // The other radio is one of the board's devices, and its own scripts have to find it: with a network to join, and a wrong one before it.
  setUp([
    { ssid: 'shed', passphrase: 'not this one' },
    { ssid: 'Café', passphrase: 'correct horse', hidden: true },
  ]);
  run('busybox', 'modprobe', 'mac80211_hwsim', 'radios=2');
  [own = ''] = readdirSync('/sys/class/net').filter((name) => existsSync(`/sys/class/net/${name}/phy80211`));
  // Only one of them is the board's.
  run('busybox', 'mkdir', '-p', `/run/lichen/wired.${own}`);
  run('ip', 'address', 'add', '10.9.8.1/24', 'dev', own);
  router('Café', 'correct horse', 'ignore_broadcast_ssid=1');
  writeFileSync(join(folder, 'udhcpd.conf'), `start 10.9.8.20\nend 10.9.8.29\ninterface ${own}\nlease_file ${join(folder, 'leases')}\n`);
  writeFileSync(join(folder, 'leases'), '');
  keep('busybox', 'udhcpd', '-f', join(folder, 'udhcpd.conf'));
});
afterAll(() => {
  for (const pid of started)
    try {
      process.kill(pid);
    } catch {
      // It has ended by itself; if that was wrong, a test has said so.
    }
});

test('a hidden network with a name beyond ASCII is joined by its key, and the board has an address in it', async () => {
  const other = readdirSync('/sys/class/net').find((name) => name !== own && existsSync(`/sys/class/net/${name}/phy80211`)) ?? '';
  if (!existsSync(`/run/lichen/wired.${other}`)) keep('/usr/lib/lichen/wire', other);
  for (const line of [`${other} has joined its network`, `${other} has the address 10.9.8.2`])
    await until(line, WAIT_MS, () => said().includes(line)).catch((thrown: Error) => {
      throw new Error(`${thrown.message}; the board said:\n${said()}and the others:\n${readFileSync(join(folder, 'log'), 'utf8')}`);
    });
  expect(readFileSync('/data/board/wifi.conf', 'utf8')).not.toContain('horse');
});

test('a passphrase that the network refuses is told', async () => {
  setUp([{ ssid: 'Café', passphrase: 'not this one', hidden: true }]);
  expect(readFileSync('/data/board/wifi.conf', 'utf8')).toContain('country=DE');
  run('busybox', 'killall', 'wpa_supplicant');
  await until('the refusal to be told', WAIT_MS, () => said().includes('the network refuses the passphrase'));
});
