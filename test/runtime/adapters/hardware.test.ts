/** What is read off a kernel: of a Raspberry Pi as its files describe it, and of nothing at all. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readHardware } from '../../../runtime/adapters/hardware.ts';
import { hardware } from '../../../runtime/protocol/hardware-report.ts';
import { parse } from '../../../runtime/protocol/schema.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lichen-hardware-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (files: Record<string, string>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};

test('a Raspberry Pi with a card that tells how worn it is, too little voltage, and Wi-Fi', async () => {
  put({
    'proc/device-tree/model': 'Raspberry Pi 3 Model B Rev 1.2\0',
    'proc/sys/kernel/osrelease': '7.3.4+deb13-arm64\n',
    'proc/meminfo': 'MemTotal:         934000 kB\nMemFree: 1 kB\nMemAvailable:     800000 kB\n',
    'proc/uptime': '33.20 99.0\n',
    'proc/mounts': '/dev/dm-0 / erofs ro 0 0\n',
    'sys/class/block/dm-0/slaves/mmcblk0p2/x': '',
    'proc/cmdline': 'lichen.slot=b console=tty0\n',
    'sys/class/block/mmcblk0/size': '62333952\n',
    'sys/class/block/mmcblk0/device/name': 'SC32G\n',
    'sys/class/block/mmcblk0/device/manfid': '0x000003\n',
    'sys/class/block/mmcblk0/device/life_time': '0x02 0x01\n',
    'sys/class/block/mmcblk0/device/pre_eol_info': '0x01\n',
    'sys/class/block/mmcblk0/mmcblk0p1/x': '',
    'sys/class/block/mmcblk0p1/uevent': 'PARTNAME=lichen-boot\n',
    'sys/class/block/mmcblk0p1/size': '262144\n',
    'sys/class/hwmon/hwmon0/name': 'rpi_volt\n',
    'sys/class/hwmon/hwmon0/in0_lcrit_alarm': '1\n',
    'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '48312\n',
    'sys/class/watchdog/watchdog0/identity': 'Broadcom BCM2835 Watchdog timer\n',
    'sys/class/net/wlan0/phy80211/x': '',
    'sys/class/net/wlan0/operstate': 'up\n',
    'sys/class/net/wlan0/device/uevent': 'DRIVER=brcmfmac\n',
    'dev/gpiochip0': '',
    'dev/i2c-1': '',
    'dev/null': '',
    'dev/mmcblk0': 'too short to be read for its speed',
  });
  const found = await readHardware(root);
  expect(found).toMatchObject({
    ...{ model: 'Raspberry Pi 3 Model B Rev 1.2', kernel: '7.3.4+deb13-arm64', memoryMib: 912, uptimeS: 33.2, slot: 'b' },
    card: { device: 'mmcblk0', says: '0x000003 SC32G', mib: 30437, worn: 'life 0x02 0x01, spares 0x01', readMibPerS: null },
    ...{ partitions: ['lichen-boot 128 MiB'], throttled: 'too little voltage just now', temperatures: ['cpu-thermal 48.3'] },
    ...{ watchdog: ['watchdog0 Broadcom BCM2835 Watchdog timer'], wifi: ['wlan0 brcmfmac up'], buses: ['gpiochip0', 'i2c-1'], rtc: [] },
  });
  expect(parse(hardware, found, 'hardware')).toEqual(found);
});

test('a machine that tells nothing', async () => {
  const found = parse(hardware, await readHardware(root), 'hardware');
  expect(found).toMatchObject({ card: null, slot: null, throttled: null, buses: [], kernel: '' });
});

test('this machine', async () => expect((await readHardware()).memoryMib).toBeGreaterThan(0));
