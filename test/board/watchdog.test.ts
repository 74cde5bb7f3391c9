/** A board that does nothing any more is started again by its watchdog, which is armed before all else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wordsFor, writeScript } from './guest.ts';
import { type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

/** A hang, also on a machine that does other things at the same time. */
const LIMIT_MS = 600_000;
/** Longer than the watchdog waits (board-files/boot). */
const WAITS_S = 90;

/** The product's own start, and then, as where all hangs, nobody who tells the watchdog that it goes on. */
const SCRIPT = `mount -t tmpfs bench /mnt
cat > /mnt/inittab << 'END'
::sysinit:/usr/lib/lichen/boot
::once:/bin/sh /mnt/hangs
END
cat > /mnt/hangs << 'END'
sleep WAITS
echo "fed: $(cat /proc/uptime)" > /dev/console
busybox killall -STOP watchdog && echo "hangs: $(cat /proc/uptime)" > /dev/console
sleep WAITS
echo goes on > /dev/console
poweroff
END
mount --bind /mnt/inittab /etc/inittab
exec /sbin/linuxrc
`.replaceAll('WAITS', String(WAITS_S));

let folder: string;
let image: TestImage;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-watchdog-'));
  image = await testImage();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(
  'a board that nobody feeds the watchdog of starts again, and one that is fed does not',
  async () => {
    const [card, script] = [join(folder, 'card'), join(folder, 'script')];
    writeCard(image, card);
    writeScript(script, SCRIPT);
    const machine = new Machine({
      ...{ disks: [{ path: card }, { path: script, readonly: true }], alone: true, devices: ['i6300esb'] },
      direct: { ...image, commandLine: wordsFor(image, '/dev/vdb') },
    });
    try {
      // It ends where it would start again.
      await machine.ended(LIMIT_MS);
      expect(machine.transcript).toMatch(/fed: /);
      expect(machine.transcript).toMatch(/hangs: /);
      expect(machine.transcript).not.toMatch(/goes on/);
    } finally {
      await machine.close();
    }
  },
  LIMIT_MS,
);
