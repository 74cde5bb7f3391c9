/** Two slots under UEFI: one that was written anew is kept when it works, and left by itself when it does not. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { genericAmd64 } from '../../firmware-images/boards/generic-amd64.ts';
import { entryOf } from '../../firmware-images/boards/uefi.ts';
import { putOn, type TestImage, takeFrom, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

const MIB = 1024 ** 2;
const [SLOT_A_AT, SLOT_B_AT, SLOT_BYTES] = [129 * MIB, 385 * MIB, 256 * MIB];
const BOOT_LIMIT_MS = 240_000;

let folder: string;
let image: TestImage;
let machine: Machine | null = null;
const at = (name: string): string => join(folder, name);
const start = (reboots: boolean): Machine => {
  machine = new Machine({ disks: [{ path: at('card') }], memoryMib: 512, reboots });
  return machine;
};
const entries = (): string[] =>
  execFileSync('mdir', ['-b', '-i', `${at('card')}@@1M`, '::loader/entries'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((path) => path.replace(/.*\//, ''));

/** What an update leaves: the root in the idle slot, its kernel and first root beside the others, and an entry with three tries. */
const putInSlotB = (root: Buffer): void => {
  const card = openSync(at('card'), 'r+');
  writeSync(card, root, 0, root.length, SLOT_B_AT);
  closeSync(card);
  for (const name of ['linux', 'first']) {
    takeFrom(at('card'), `lichen/a/${name}`, at(name));
    putOn(at('card'), at(name), `lichen/b/${name}`);
  }
  writeFileSync(at('entry'), entryOf('b', 2, ['lichen.slot=b', ...genericAmd64.commandLine].join(' ')));
  putOn(at('card'), at('entry'), 'loader/entries/lichen-b+3.conf');
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-slots-'));
  image = await testImage();
  writeCard(image, at('card'));
  // As the first start makes it.
  execFileSync('/sbin/sfdisk', ['--quiet', '--append', '--no-reread', '--no-tell-kernel', at('card')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    input: 'name=lichen-root-b, size=256M, type=linux\nname=lichen-data-new, type=linux\n',
  });
  execFileSync('mmd', ['-i', `${at('card')}@@1M`, '::lichen/b']);
});
afterEach(() => machine?.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a slot that works is started, and kept once the board has shown it', async () => {
  putInSlotB(readFileSync(image.path).subarray(SLOT_A_AT, SLOT_A_AT + SLOT_BYTES));
  const board = start(false);
  await board.line(/started from slot b/, BOOT_LIMIT_MS);
  await board.line(/slot b is on trial/, BOOT_LIMIT_MS);
  await board.line(/slot b works and is kept/, BOOT_LIMIT_MS);
  expect(entries().sort()).toEqual(['lichen-a.conf', 'lichen-b.conf']);
});

test('a slot that does not work is tried three times, and the board goes back to the other by itself', async () => {
  execFileSync('mdel', ['-i', `${at('card')}@@1M`, '::loader/entries/lichen-b.conf']);
  putInSlotB(Buffer.alloc(MIB, 0xff));
  const board = start(true);
  await board.line(/started from slot a/, 2 * BOOT_LIMIT_MS);
  await board.line(/"line":"running"/, BOOT_LIMIT_MS);
  expect(board.transcript.match(/Attempted to kill init/g)).toHaveLength(3);
  expect(entries().sort()).toEqual(['lichen-a.conf', 'lichen-b+0-3.conf']);
});
