/** The slots' door on files: what systemd's loader does with them is played, U-Boot's script is run. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { erofsBytes } from '../../../../runtime/adapters/slots/content.ts';
import type { BootRecords } from '../../../../runtime/adapters/slots/records.ts';
import { openSlots } from '../../../../runtime/adapters/slots/slots.ts';
import { systemdBoot } from '../../../../runtime/adapters/slots/systemd-boot.ts';
import { uBoot } from '../../../../runtime/adapters/slots/u-boot.ts';
import type { Slots } from '../../../../runtime/ports/slots.ts';
import { type SlotsRig, slotsContract } from '../../../contract/slots.ts';
import { loader, makeSlotFiles, underUefi } from '../../../support/slot-files.ts';
import { uBootStarts, underUBoot } from '../../../support/u-boot.ts';

/** A rig of files. `start` says which slot the firmware takes. */
const rigOf = (
  prepare: (boot: string) => void,
  records: (boot: string, running: string) => BootRecords,
  start: (boot: string) => string,
): SlotsRig => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-slots-'));
  const { boot, roots, stage } = makeSlotFiles(folder, prepare);
  let [running, isWritable] = ['a', false];
  const open = (): Slots => {
    const plain = records(boot, running);
    const guarded =
      (change: (...words: string[]) => void) =>
      (...words: string[]) => {
        expect(isWritable).toBe(true);
        change(...words);
      };
    return openSlots({
      ...{ bootPath: boot, running, roots, stagePath: stage },
      records: {
        survey: plain.survey,
        disarm: guarded(plain.disarm),
        arm: guarded((words = '') => plain.arm(words)),
        keep: guarded(plain.keep),
        leave: guarded(plain.leave),
      },
      setWritable: (is) => {
        isWritable = is;
      },
      forgetCached: () => {},
      restart: () => {},
    });
  };
  let door = open();
  return {
    door: () => door,
    boot: () => {
      running = start(boot);
      door = open();
    },
    root: (bytes) => new Uint8Array(readFileSync(roots[running]!).subarray(0, bytes)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
};

const byLoader = (boot: string): string => {
  const { slot, entry } = loader(boot);
  expect(entry).toContain(`linux /lichen/${slot}/linux\ninitrd /lichen/${slot}/first\noptions lichen.slot=${slot} `);
  return slot;
};

slotsContract('slots by systemd-boot', () => rigOf(underUefi, (bootPath, running) => systemdBoot({ bootPath, running }), byLoader), 3);

const byUBoot = (boot: string): string => {
  const started = uBootStarts(boot);
  expect(started?.words).toBe(`panic=10 lichen.loader=u-boot lichen.slot=${started?.slot} quiet`);
  return started?.slot ?? '';
};

slotsContract('slots by U-Boot', () => rigOf(underUBoot, (bootPath, running) => uBoot({ bootPath, running }), byUBoot), 3);

describe('the length of an erofs', () => {
  test('is what its first block says, and nothing when it is none', () => {
    const head = new Uint8Array(2048);
    expect(erofsBytes(head)).toBe(0);
    const view = new DataView(head.buffer);
    view.setUint32(1024, 0xe0f5e1e2, true);
    view.setUint8(1036, 12);
    view.setUint32(1060, 17, true);
    expect(erofsBytes(head)).toBe(17 * 4096);
  });
});
