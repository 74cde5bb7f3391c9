import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HARDWARE } from '../../../sim/hardware/profiles.ts';
import { ARMED_FOR_MS, PETTED_EVERY_MS, Watchdog } from '../../../sim/hardware/watchdog.ts';

test('a watchdog bites who does not pet it in time', () => {
  const dog = new Watchdog(HARDWARE['pi-4b'].watchdogMs);
  expect(dog.bitesAtMs()).toBeNull();
  expect(dog.bitten(1e9)).toBe(false);
  expect(dog.arm(1000, 10_000)).toBe(10_000);
  expect(dog.bitesAtMs()).toBe(11_000);
  dog.pet(10_999);
  expect(dog.bitten(20_998)).toBe(false);
  expect(dog.bitten(20_999)).toBe(true);
});

test('petting after the bite does not undo it, disarming ends it', () => {
  const dog = new Watchdog(15_000);
  dog.arm(0, 1000);
  dog.pet(1000);
  expect(dog.bitten(1000)).toBe(true);
  dog.disarm();
  expect(dog.bitten(1e9)).toBe(false);
});

test('it cannot be armed for longer than the hardware counts', () => {
  expect(new Watchdog(15_000).arm(0, 60_000)).toBe(15_000);
});

test('whoever pets it all the time did so last up to 5 s before it stopped', () => {
  const dog = new Watchdog(15_000);
  expect(dog.bitesOnceStopped(7000)).toBeNull();
  dog.arm(1000, ARMED_FOR_MS);
  expect(dog.bitesOnceStopped(1000)).toBe(16_000);
  expect(dog.bitesOnceStopped(5999)).toBe(16_000);
  expect(dog.bitesOnceStopped(6000)).toBe(21_000);
  expect(dog.bitesOnceStopped(86_400_000)).toBeGreaterThan(86_400_000);
});

test('it is armed and petted as the image does it', () => {
  const boot = readFileSync(join(import.meta.dirname, '..', '..', '..', 'firmware-images', 'board-files', 'boot'), 'utf8');
  expect(boot).toContain(`watchdog -t ${PETTED_EVERY_MS / 1000} -T ${ARMED_FOR_MS / 1000} /dev/watchdog`);
});
