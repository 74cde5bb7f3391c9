/** What the kernel tells of card and power, from directories like its own. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cardOf, healthOf, isReadOnly, openCard, powerOf } from '../../../runtime/adapters/health.ts';
import type { CardEvent } from '../../../runtime/ports/card.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { cardHealth } from '../../../runtime/protocol/nouns/card.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { manualClock } from '../../support/world.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lichen-health-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

const MOUNTED = { number: '179:3', sizeMib: 7000, freeMib: 5000 };
const HELD = { readOnly: false, sizeMib: 7000, freeMib: 5000 };
const seen = (damaged: boolean | null = null, number = MOUNTED.number) => {
  const card = cardOf({ ...MOUNTED, number }, { sys: join(root, 'sys'), proc: join(root, 'proc') }, damaged);
  return card === null ? null : parse(cardHealth, card, 'card');
};

/** A disk whose third partition holds the data. */
const disk = (name: string, partition: string): void => {
  put(`sys/devices/block/${name}/${partition}/partition`, '3\n');
  put(`sys/devices/block/${name}/stat`, '     100   3 400 20    50   2   2048   30 0 0 0\n');
  mkdirSync(join(root, 'sys/dev/block'), { recursive: true });
  symlinkSync(`../../devices/block/${name}/${partition}`, join(root, 'sys/dev/block/179:3'));
};

describe('of the disk that the data lie on', () => {
  test('that is memory soldered on: how much of its life is used, by the worse of its two kinds, and what it has to spare [health-1]', () => {
    disk('mmcblk0', 'mmcblk0p3');
    for (const [name, text] of Object.entries({ manfid: '0x000013', name: 'R1J56L', date: '07/2022', serial: '0x1234' }))
      put(`sys/devices/block/mmcblk0/device/${name}`, `${text}\n`);
    put('sys/devices/block/mmcblk0/device/life_time', '0x02 0x04\n');
    put('sys/devices/block/mmcblk0/device/pre_eol_info', '0x02\n');
    // Not of whose it is.
    expect(seen()).toEqual({
      ...HELD,
      disk: 'mmcblk0',
      says: '0x000013 R1J56L 07/2022',
      wornPercent: 30,
      spare: 'low',
      writtenBytes: 2048 * 512,
    });
  });

  test('beyond the end of its life it is used up, whole', () => {
    disk('mmcblk0', 'mmcblk0p3');
    put('sys/devices/block/mmcblk0/device/life_time', '0x0b 0x01\n');
    put('sys/devices/block/mmcblk0/device/pre_eol_info', '0x03\n');
    expect(seen()).toMatchObject({ wornPercent: 100, spare: 'urgent' });
  });

  test('that tells nothing of itself, nothing is said of [health-1]', () => {
    disk('mmcblk1', 'mmcblk1p3');
    put('sys/devices/block/mmcblk1/device/life_time', '0x00 0x00\n');
    put('sys/devices/block/mmcblk1/device/pre_eol_info', '0x00\n');
    expect(seen()).toEqual({ ...HELD, disk: 'mmcblk1', says: '', writtenBytes: 2048 * 512 });
  });

  test('what it calls itself is one short line, and nothing that a terminal obeys', () => {
    disk('sda', 'sda3');
    put('sys/devices/block/sda/device/vendor', 'A\u001b[2J\n');
    put('sys/devices/block/sda/device/model', 'x'.repeat(500));
    expect(seen()?.says).toMatch(/^A\\x1b\[2J x+$/);
    expect(seen()?.says).toHaveLength(100);
  });

  test('whose file system is ext4: how many errors it met and when the last, and what was ever written to it', () => {
    disk('mmcblk0', 'mmcblk0p3');
    put('sys/fs/ext4/mmcblk0p3/errors_count', '0\n');
    put('sys/fs/ext4/mmcblk0p3/last_error_time', '0\n');
    put('sys/fs/ext4/mmcblk0p3/lifetime_write_kbytes', '5000\n');
    expect(seen()).toEqual({ ...HELD, disk: 'mmcblk0', says: '', errors: 0, everWrittenMib: 4, writtenBytes: 2048 * 512 });
    put('sys/fs/ext4/mmcblk0p3/errors_count', '2\n');
    put('sys/fs/ext4/mmcblk0p3/last_error_time', '1767225600\n');
    expect(seen()).toMatchObject({ errors: 2, erredMs: Date.UTC(2026, 0, 1) });
    // Of another file system's.
    put('sys/fs/ext4/mmcblk0p2/errors_count', '9\n');
    expect(seen()).toMatchObject({ errors: 2 });
  });

  test('that takes no writes any more is read-only', () => {
    disk('mmcblk0', 'mmcblk0p3');
    put('proc/self/mountinfo', '30 1 179:3 / /data rw,nosuid shared:1 - ext4 /dev/mmcblk0p3 ro,prjquota\n');
    expect(seen()).toMatchObject({ readOnly: true });
  });

  test('of the system that runs, what the start of the image has found', () => {
    disk('mmcblk0', 'mmcblk0p3');
    expect([seen(null), seen(false), seen(true)].map((card) => card?.damaged)).toEqual([undefined, false, true]);
  });

  test('that has no partitions; and of what lies on no disk, nothing at all', () => {
    put('sys/devices/block/vda/stat', '0 0 0 0 0 0 4 0 0 0 0\n');
    mkdirSync(join(root, 'sys/dev/block'), { recursive: true });
    symlinkSync('../../devices/block/vda', join(root, 'sys/dev/block/254:0'));
    put('sys/fs/ext4/vda/errors_count', '1\n');
    expect(seen(null, '254:0')).toEqual({ ...HELD, disk: 'vda', says: '', errors: 1, writtenBytes: 2048 });
    expect(seen(null, '0:31')).toBeNull();
  });
});

test.each([
  ['the one of a file system that can be written', '30 1 179:3 / /data rw - ext4 /dev/x rw,relatime', false],
  ['another file system that cannot', '31 1 179:2 / /boot ro - vfat /dev/y ro', false],
  ['a mount that cannot, of a file system that can', '32 1 179:3 / /look ro - ext4 /dev/x rw', false],
  ['one after an error', '30 1 179:3 / /data rw - ext4 /dev/x ro,errors=remount-ro', true],
  ['one after an error, as newer kernels have it', '30 1 179:3 / /data rw shared:1 - ext4 /dev/x rw,emergency_ro', true],
])('mounts are read: %s', (_name, line, expected) => expect(isReadOnly(`${line}\n`, '179:3')).toBe(expected));

test('it is looked at at once, and then so often and no more; what cannot be looked at says nothing [health-2]', () => {
  const clock = manualClock();
  const events: CardEvent[] = [];
  const card = { disk: 'sda', says: '', ...HELD, writtenBytes: 1 };
  let looks = 0;
  const look = () => {
    if (++looks === 2) throw new Error('gone');
    return card;
  };
  openCard(look, clock).watch((event) => events.push(event));
  clock.pass(0);
  expect(events).toEqual([{ kind: 'card-seen', card }]);
  clock.pass(LIMITS.cardLookMs - 1);
  expect(events).toHaveLength(1);
  clock.pass(1);
  expect(events.at(-1)).toEqual({ kind: 'card-seen', card: null });
  clock.pass(LIMITS.cardLookMs);
  expect(events).toHaveLength(3);
});

test('whether the power was too low, where a Pi measures it', () => {
  expect(powerOf(root)).toBeNull();
  put('class/hwmon/hwmon0/name', 'cpu_thermal\n');
  expect(powerOf(root)).toBeNull();
  put('class/hwmon/hwmon1/name', 'rpi_volt\n');
  put('class/hwmon/hwmon1/in0_lcrit_alarm', '0\n');
  expect(powerOf(root)).toBe(false);
  put('class/hwmon/hwmon1/in0_lcrit_alarm', '1\n');
  expect(powerOf(root)).toBe(true);
});

test('of this machine it says something, or nothing, and does not fail', () => {
  const { card, powerLow } = healthOf(tmpdir());
  if (card !== null) expect(parse(cardHealth, card, 'card').disk).toMatch(/^[a-z0-9!-]+$/);
  expect([null, true, false]).toContain(powerLow);
});
