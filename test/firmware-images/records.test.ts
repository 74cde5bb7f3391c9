/** What the scripts of an image find out of the slots under systemd's loader, against the runtime's own door (under U-Boot: u-boot.test.ts). */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemdBoot } from '../../runtime/adapters/slots/systemd-boot.ts';
import { loader, underUefi } from '../support/slot-files.ts';

const RECORDS = fileURLToPath(new URL('../../firmware-images/board-files/records', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-records-'));
  for (const slot of ['a', 'b']) mkdirSync(join(folder, 'lichen', slot), { recursive: true });
  underUefi(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const by = (running: string) => systemdBoot({ bootPath: folder, running });
const shell = (words: string): boolean =>
  spawnSync('sh', ['-c', `. ${RECORDS}; entries=${join(folder, 'loader', 'entries')}; ${words}`]).status === 0;
const agree = (running: string): void => {
  const { trial, idle } = by(running).survey();
  expect(shell(`is_tried ${running}`)).toBe(trial);
  expect(shell(`is_kept ${running === 'a' ? 'b' : 'a'}`)).toBe(idle === 'kept');
};

test('scripts and door say the same of a slot, from its arming until it is kept', () => {
  agree('a');
  by('a').arm('quiet');
  agree('a');
  expect(loader(folder).slot).toBe('b');
  agree('b');
  by('b').keep();
  agree('b');
});

test('a slot that the guard has left is not started any more', () => {
  by('a').arm('quiet');
  loader(folder);
  by('b').keep();
  shell('disarm b');
  expect(loader(folder).slot).toBe('a');
  expect(by('a').survey()).toMatchObject({ trial: false, idle: 'spent' });
});
