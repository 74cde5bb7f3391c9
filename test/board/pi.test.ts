/** A Raspberry Pi 3 B from U-Boot on: the main job, and what becomes of a slot that is tried next, as an update leaves it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pi } from '../../firmware-images/boards/pi.ts';
import { ENTRY, uBoot } from '../../runtime/adapters/slots/u-boot.ts';
import { PI_3B } from './hardware.ts';
import { changeFolder, copySlot, ROOT_BYTES_MAX, type TestImage, takeFolder, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';
import { describeMainJob } from './main-job.ts';
import { asFirmware } from './pi.ts';

/** Its card is read by a processor that is played, a word at a time. */
const BOOT_LIMIT_MS = 900_000;
/** As small as it may be. */
const CARD_BYTES = 1024 ** 3;
const PARTITIONS = 'name=lichen-root-b, size=256M, type=linux\nname=lichen-data-new, type=linux\n';

describeMainJob({ board: pi, hardware: PI_3B, cardBytes: CARD_BYTES, direct: asFirmware });

let folder: string;
let image: TestImage;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-pi-'));
  image = await testImage(pi);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same system lies in slot b and is tried next; `reword` is for what its kernel is told. */
const armedCard = (card: string, reword: (words: string) => string): void => {
  writeCard(image, card, CARD_BYTES);
  execFileSync('/sbin/sfdisk', ['--quiet', '--append', '--no-reread', '--no-tell-kernel', card], { input: PARTITIONS });
  copySlot(card);
  changeFolder(card, 'lichen', at('scratch'), (boot) => {
    const words = /^words=(.*)$/m.exec(readFileSync(join(boot, 'lichen/a', ENTRY), 'utf8'))?.[1] ?? '';
    cpSync(join(boot, 'lichen/a'), join(boot, 'lichen/b'), { recursive: true, filter: (path) => !path.endsWith(ENTRY) });
    uBoot({ bootPath: boot, running: 'a' }).arm(reword(words));
  });
};

test('the root of what is the largest image is within its limit', () => expect(image.rootBytes).toBeLessThanOrEqual(ROOT_BYTES_MAX));

/** How U-Boot and the board have left the slots. */
const statesOn = (card: string) => {
  rmSync(at('seen'), { recursive: true, force: true });
  execFileSync('mkdir', [at('seen')]);
  takeFolder(card, 'lichen', at('seen'));
  return (running: string) => uBoot({ bootPath: at('seen'), running }).survey();
};

const started = async (name: string, reword: (words: string) => string, work: (board: Machine) => Promise<void>): Promise<void> => {
  armedCard(at(name), reword);
  const board = new Machine({
    ...{ hardware: PI_3B, disks: [{ path: at(name) }], direct: asFirmware(at(name), folder), alone: true, reboots: true },
  });
  try {
    await work(board);
  } finally {
    await board.close();
  }
};

test(
  'a slot that is tried next is started by U-Boot and kept by its runtime; one that cannot start is tried three times, and left for the other one',
  async () => {
    await Promise.all([
      started(
        'good',
        (words) => words,
        async (board) => {
          await board.line(/U-Boot starts slot b/, BOOT_LIMIT_MS);
          await board.line(/started from slot b/, BOOT_LIMIT_MS);
          await board.line(/slot b works and is kept/, BOOT_LIMIT_MS);
          expect(board.transcript).not.toMatch(/U-Boot starts slot a/);
        },
      ),
      started(
        'bad',
        (words) => words.replace(/lichen\.root=\S+/, 'lichen.root=1:00').replace('panic=10', 'panic=1'),
        async (board) => {
          await board.line(/U-Boot starts slot a/, BOOT_LIMIT_MS);
          await board.line(/started from slot a/, BOOT_LIMIT_MS);
          expect(board.transcript.match(/U-Boot starts slot b/g)).toHaveLength(3);
          expect(board.transcript.match(/Attempted to kill init/g)).toHaveLength(3);
        },
      ),
    ]);
    expect(statesOn(at('good'))('b')).toMatchObject({ trial: false, idle: 'kept' });
    expect(statesOn(at('bad'))('a')).toMatchObject({ trial: false, idle: 'spent' });
  },
  3 * BOOT_LIMIT_MS,
);
