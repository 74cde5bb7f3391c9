/** What whoever wrote a card left on it: what is taken, what is left of it, and what is said of a file that is wrong. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { importFrom, linesOf } from '../../../firmware-images/setup/import.ts';
import { configurationOf, networkOf, wifiIn } from '../../../firmware-images/setup/wifi.ts';
import { readSetup } from '../../../runtime/adapters/setup.ts';
import { formatClaim } from '../../../runtime/protocol/claim.ts';
import { idFrom } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';

let folder: string;
let card: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-setup-'));
  [card, data] = [join(folder, 'card'), join(folder, 'data')];
  mkdirSync(card);
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string): void => writeFileSync(join(card, name), text);
const taken = (): ReturnType<typeof importFrom> => importFrom(card, data);
const wifi = (): ReturnType<typeof wifiIn> => wifiIn(readFileSync(join(data, 'wifi.json'), 'utf8'));

const claim = formatClaim({
  v: 1,
  token: new Uint8Array(32),
  gateway: idFrom('a'.repeat(32)),
  key: new Uint8Array(32),
  operator: idFrom('b'.repeat(32)),
  address: '192.0.2.1:8883',
});

describe('lichen.json', () => {
  test('is kept where only the board reads it, and is gone from the card', () => {
    put('lichen.json', `\ufeff${JSON.stringify({ claim, hostname: 'beech', capacity: 'partitions=2', gateways: ['10.0.0.1:8883'] })}`);
    expect(taken()).toEqual({ imported: ['claim', 'hostname', 'gateways', 'capacity'], ignored: [], wrong: [] });
    expect(existsSync(join(card, 'lichen.json'))).toBe(false);
    expect(readSetup(data)).toEqual({ claim, hostname: 'beech', capacity: 'partitions=2', gateways: ['10.0.0.1:8883'] });
    expect(statSync(join(data, 'setup.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(data, 'hostname'), 'utf8')).toBe('beech\n');
  });

  test('what it does not name stays as it was, its networks too', () => {
    put('lichen.json', JSON.stringify({ hostname: 'beech', country: 'DE', wifi: [{ ssid: 'shed', passphrase: 'correct horse' }] }));
    taken();
    put('lichen.json', JSON.stringify({ claim }));
    taken();
    expect(readSetup(data)).toEqual({ hostname: 'beech', claim });
    expect(wifi()).toMatchObject({ country: 'DE', networks: [{ hidden: false }] });
  });

  test('no passphrase is kept, and only the board reads the keys', () => {
    put('lichen.json', JSON.stringify({ wifi: [{ ssid: 'shed', passphrase: 'correct horse', hidden: true }] }));
    taken();
    for (const name of ['wifi.json', 'wifi.conf', 'setup.json']) {
      expect(readFileSync(join(data, name), 'utf8')).not.toContain('horse');
      expect(statSync(join(data, name)).mode & 0o777).toBe(0o600);
    }
  });

  test.each([
    ['half written', '{"claim": "LICH', /half written/],
    ['a misspelt word', '{"host": "beech"}', /host/],
    ['a name that is no host name', '{"hostname": "My Board"}', /hostname|letters/],
    ['a claim that is none', '{"claim": "LICHEN1:AAAA"}', /lichen board claim/],
    ['no claim at all', '{"claim": "secret"}', /lichen board claim/],
    ['not an object', '[]', /lichen.json/],
    ['too long', JSON.stringify({ hostname: 'a'.repeat(LIMITS.setupBytes) }), /longer/],
    ['a country that is none', '{"country": "Germany"}', /two capital letters/],
    ['a gateway without a port', '{"gateways": ["gateway.example"]}', /HOST:PORT/],
    ['a passphrase that is too short', '{"wifi": [{"ssid": "shed", "passphrase": "short"}]}', /"shed".*8 to 63/],
    ['a key and a passphrase', `{"wifi": [{"ssid": "a", "passphrase": "long enough", "psk": "${'a'.repeat(64)}"}]}`, /not both/],
    ['too long a name', `{"wifi": [{"ssid": "${'ß'.repeat(17)}"}]}`, /32 bytes/],
    ['too many networks', JSON.stringify({ wifi: Array(LIMITS.setupNetworks + 1).fill({ ssid: 'a' }) }), /wifi/],
  ])('%s is refused with the reason, and left for whoever wrote it', (_name, text, why) => {
    put('lichen.json', text);
    const { imported, wrong } = taken();
    expect({ imported, wrong }).toEqual({
      imported: [],
      wrong: [{ file: 'lichen.json', why: expect.stringMatching(why), next: expect.stringContaining('mend lichen.json') }],
    });
    expect(readFileSync(join(card, 'lichen.json'), 'utf8')).toBe(text);
    expect(readSetup(data)).toEqual({});
  });

  test.each(['{"wifi": [{"ssid": "shed", "passphrase": "s3cr3t horse"', '{"wifi": [{"ssid": "shed", "passphrase": 5312345678}]}'])(
    'no secret is in what is said of %s',
    (text) => {
      put('lichen.json', text);
      const said = linesOf(taken()).join('\n');
      expect(said).toMatch(/mend lichen.json/);
      expect(said).not.toMatch(/s3cr3t|5312345678/);
    },
  );
});

describe('the settings page of Raspberry Pi Imager', () => {
  // As its source writes them (customization_generator.cpp, downloadthread.cpp).
  const KEY = networkOf('Café 5', 'correct horse', false).psk ?? '';
  const USER = `#cloud-config
manage_resolv_conf: false

hostname: Beech
manage_etc_hosts: true
packages:
- avahi-daemon
apt:
  preserve_sources_list: true
  conf: |
    Acquire {
      Check-Date "false";
    };
timezone: Europe/Berlin
keyboard:
  model: pc105
  layout: "de"
user:
  name: pi
  shell: /bin/bash
  lock_passwd: false
  passwd: "$y$j9T$abc"
  ssh_authorized_keys:
    - "ssh-ed25519 AAAA someone"
  sudo: null
ssh_pwauth: false
runcmd:
  - [ systemctl, enable, --now, ssh ]
`;
  const NETWORK = `network:
  version: 2
  ethernets:
    eth0:
      dhcp4: true
      dhcp6: true
      optional: true
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "DE"
      access-points:
        "Caf\\xc3\\xa9 5":
          hidden: true
          password: "${KEY}"
      optional: true
`;

  test('gives name, networks and country; what a board has no use for is named, and every file is wiped', () => {
    put('meta-data', 'instance-id: rpi-imager-1764400000000\n');
    put('user-data', USER);
    put('network-config', NETWORK);
    put('cmdline.txt', ' ds=nocloud;i=rpi-imager-1764400000000');
    const told = taken();
    expect(told.wrong).toEqual([]);
    expect(told.imported).toEqual(['hostname', 'country', 'wifi']);
    expect(told.ignored).toEqual(['timezone', 'keyboard', 'user', 'ssh_pwauth', 'runcmd'].map((key) => `${key} (user-data)`));
    expect(readSetup(data)).toEqual({ hostname: 'beech' });
    expect(wifi()).toEqual({
      country: 'DE',
      networks: [{ ssid: Buffer.from('Café 5').toString('hex'), psk: KEY, hidden: true }],
    });
    for (const name of ['meta-data', 'user-data', 'network-config', 'cmdline.txt']) expect(existsSync(join(card, name)), name).toBe(false);
  });

  test('a country without a network comes by the kernel, and an open network has no key', () => {
    put('cmdline.txt', ' cfg80211.ieee80211_regdom=AT ds=nocloud;i=x');
    put(
      'network-config',
      'version: 2\nwifis:\n  wlan0:\n    access-points:\n      "open":\n        auth:\n          key-management: none\n',
    );
    taken();
    expect(wifi()).toEqual({ country: 'AT', networks: [{ ssid: Buffer.from('open').toString('hex'), psk: null, hidden: false }] });
  });

  test('lichen.json goes before it, and one wrong file does not take the others with it', () => {
    put('user-data', '#cloud-config\nhostname: oak\n');
    put('lichen.json', '{"hostname": "beech"}');
    put('network-config', 'network: {version: 2, wifis: {wlan0: {access-points: {"shed": {passw');
    const told = taken();
    expect(readSetup(data)).toEqual({ hostname: 'beech' });
    expect(told.wrong).toMatchObject([{ file: 'network-config', why: expect.stringMatching(/YAML.*half written/) }]);
    expect(existsSync(join(card, 'network-config'))).toBe(true);
  });

  test.each([
    ['no cloud-config', 'user-data', '#!/bin/sh\nrm -rf /\n', /#cloud-config/],
    ['a name that is none', 'user-data', '#cloud-config\nhostname: my board\n', /hostname/],
    ['the first version of networks', 'network-config', 'version: 1\nconfig: []\n', /version 2/],
    ['a passphrase that is too short', 'network-config', 'version: 2\nwifis: {w: {access-points: {a: {password: kurz}}}}\n', /8 to 63/],
    ['a network of a company', 'network-config', 'version: 2\nwifis: {w: {access-points: {a: {auth: {key-management: eap}}}}}\n', /eap/],
    ['a bomb', 'user-data', `#cloud-config\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n`, /YAML/],
    ['a deep one', 'network-config', '['.repeat(20_000), /network-config/],
  ])('%s is told, and left', (_name, name, text, why) => {
    put(name, text);
    const { wrong } = taken();
    expect(wrong).toMatchObject([{ file: name, why: expect.stringMatching(why) }]);
    expect(existsSync(join(card, name))).toBe(true);
  });

  test('a passphrase of digits is no number, and addresses set by hand are named as not taken', () => {
    put(
      'network-config',
      'version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24]}}\nwifis: {w: {access-points: {5: {password: 01234567}}}}\n',
    );
    expect(taken()).toMatchObject({ ignored: ['addresses (network-config)'], wrong: [] });
    expect(wifi().networks).toEqual([networkOf('5', '01234567', false)]);
  });
});

describe('a key of a Wi-Fi network', () => {
  // IEEE 802.11, J.4.2: test vectors of the mapping from passphrases.
  test.each([
    ['IEEE', 'password', 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e'],
    ['ThisIsASSID', 'ThisIsAPassword', '0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af'],
    ['Z'.repeat(32), 'a'.repeat(32), 'becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62'],
  ])('of %s is the one that the standard computes', (ssid, passphrase, key) => expect(networkOf(ssid, passphrase, false).psk).toBe(key));

  test('names and keys are only ever digits in what wpa_supplicant reads', () => {
    const networks = [networkOf('a"\n}\nnetwork={\n', 'b"\\ c d e', true), networkOf('open', undefined, false)];
    const text = configurationOf({ country: 'DE', networks });
    expect(text.match(/network=\{/g)).toHaveLength(2);
    expect(text).toMatch(/^update_config=0\ncountry=DE\n/);
    expect(text).not.toMatch(/["\\]/);
  });
});

test('the program on the board says what it did, and leaves it for the page', () => {
  put('lichen.json', '{"hostname": "beech"}');
  put('user-data', 'nothing');
  const program = join(import.meta.dirname, '../../../firmware-images/setup/main.ts');
  const said = execFileSync(process.execPath, [program, card, data, join(folder, 'told.json')], { encoding: 'utf8' });
  expect(said).toMatch(/imported: hostname\n.*#cloud-config/s);
  expect(JSON.parse(readFileSync(join(folder, 'told.json'), 'utf8'))).toMatchObject({ imported: ['hostname'], wrong: [{}] });
});
