/** What the kernel tells of card and power, from directories like its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cardOf, healthOf, powerOf } from '../../../runtime/adapters/health.ts';

let sys: string;
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), 'lichen-health-'));
});
afterEach(() => rmSync(sys, { recursive: true, force: true }));

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(sys, path)), { recursive: true });
  writeFileSync(join(sys, path), text);
};

test('of memory that is soldered on: how much of its life is used, by the worse of its two kinds, and what it has to spare', () => {
  put('mmcblk0/device/life_time', '0x02 0x04\n');
  put('mmcblk0/device/pre_eol_info', '0x02\n');
  put('mmcblk0/stat', '     100   3 400 20    50   2   2048   30 0 0 0\n');
  expect(cardOf(join(sys, 'mmcblk0'))).toEqual({ disk: 'mmcblk0', usedPercent: 30, spare: 'low', writtenBytes: 2048 * 512 });
});

test('of a card that tells nothing: nothing', () => {
  put('mmcblk1/stat', '0 0 0 0 0 0 0 0 0 0 0\n');
  put('mmcblk1/device/life_time', '0x00 0x00\n');
  expect(cardOf(join(sys, 'mmcblk1'))).toEqual({ disk: 'mmcblk1', usedPercent: null, spare: null, writtenBytes: 0 });
});

test('whether the power was too low, where a Pi measures it', () => {
  expect(powerOf(sys)).toBeNull();
  put('class/hwmon/hwmon0/name', 'cpu_thermal\n');
  expect(powerOf(sys)).toBeNull();
  put('class/hwmon/hwmon1/name', 'rpi_volt\n');
  put('class/hwmon/hwmon1/in0_lcrit_alarm', '0\n');
  expect(powerOf(sys)).toBe(false);
  put('class/hwmon/hwmon1/in0_lcrit_alarm', '1\n');
  expect(powerOf(sys)).toBe(true);
});

test('of this machine it says something, or nothing, and does not fail', () => {
  const { card, powerLow } = healthOf(tmpdir());
  if (card !== null) expect(card.disk).toMatch(/^[a-z0-9!-]+$/);
  expect([null, true, false]).toContain(powerLow);
});
