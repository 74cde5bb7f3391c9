/** Slots under U-Boot: the power is cut before each single change of the card, and the image's own script chooses what is started then. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { uBoot } from '../../../../runtime/adapters/slots/u-boot.ts';
import { noise } from '../../../support/system.ts';
import { uBootStarts, underUBoot } from '../../../support/u-boot.ts';

/** So many changes are made yet; none: there is power. */
const power = vi.hoisted(() => ({ left: null as number | null }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const spend = (): void => {
    if (power.left === null) return;
    if (power.left === 0) throw new Error('the power is gone');
    power.left--;
  };
  const changes = (flags: unknown): boolean => typeof flags === 'string' && flags.startsWith('w');
  return {
    ...real,
    openSync: (...[path, flags, mode]: Parameters<typeof real.openSync>) => {
      if (changes(flags)) spend();
      return real.openSync(path, flags, mode);
    },
    writeSync: (fd: number, text: string) => {
      spend();
      return real.writeSync(fd, text);
    },
    renameSync: (...words: Parameters<typeof real.renameSync>) => {
      spend();
      real.renameSync(...words);
    },
    rmSync: (...words: Parameters<typeof real.rmSync>) => {
      spend();
      real.rmSync(...words);
    },
  };
});

let folder: string;
const at = (...names: string[]): string => join(folder, 'lichen', ...names);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-u-boot-'));
  mkdirSync(at('a'), { recursive: true });
  writeFileSync(at('a', 'first'), noise('first', 500));
  underUBoot(folder);
});
afterEach(() => {
  power.left = null;
  rmSync(folder, { recursive: true, force: true });
});

const by = (running: string) => uBoot({ bootPath: folder, running });
const starts = (): string | null => uBootStarts(folder)?.slot ?? null;
/** As an update fills it. */
const fill = (slot: string, system: string): void => {
  mkdirSync(at(slot), { recursive: true });
  for (const name of ['linux', 'first']) writeFileSync(at(slot, name), noise(`${system} ${name}`, 700));
};
const update = (running: string, other: string, system: string): void => {
  by(running).disarm();
  fill(other, system);
  by(running).arm('quiet');
};

/** Each with what must have been done before it, and the slot that is started once it is done. */
const STEPS: Record<string, { before: () => void; step: () => void; starts: string }> = {
  'arming the first update': { before: () => fill('b', 'two'), step: () => by('a').arm('quiet'), starts: 'b' },
  'keeping it': { before: () => update('a', 'b', 'two'), step: () => by('b').keep(), starts: 'b' },
  'disarming what was kept before': { before: () => kept(), step: () => by('b').disarm(), starts: 'b' },
  'arming the next one': {
    before: () => {
      kept();
      by('b').disarm();
      fill('a', 'three');
    },
    step: () => by('b').arm('quiet'),
    starts: 'a',
  },
  'leaving what is on trial': { before: () => update('a', 'b', 'two'), step: () => by('b').leave(), starts: 'a' },
};
const kept = (): void => {
  update('a', 'b', 'two');
  starts();
  by('b').keep();
};

describe.each(Object.entries(STEPS))('%s', (_name, { before, step, starts: slot }) => {
  test('starts a whole slot, at whichever change the power goes', () => {
    before();
    let cuts = 0;
    for (; ; cuts++) {
      power.left = cuts;
      try {
        step();
        break;
      } catch (thrown) {
        expect(String(thrown)).toContain('the power is gone');
      } finally {
        power.left = null;
      }
      expect(['a', 'b']).toContain(starts());
      rmSync(folder, { recursive: true });
      mkdirSync(at('a'), { recursive: true });
      writeFileSync(at('a', 'first'), noise('first', 500));
      underUBoot(folder);
      before();
    }
    expect(cuts).toBeGreaterThanOrEqual(3);
    expect(starts()).toBe(slot);
  });

  test('and if the folder of states is lost then, whatever is whole is started', () => {
    before();
    step();
    for (const name of readdirSync(at('slots'))) rmSync(at('slots', name));
    expect(['a', 'b']).toContain(starts());
  });
});

test('of a slot that is being written nothing is started, also if nothing says any more how the slots stand', () => {
  kept();
  by('b').disarm();
  writeFileSync(at('a', 'linux'), noise('three linux', 300));
  for (const name of readdirSync(at('slots'))) rmSync(at('slots', name));
  expect(starts()).toBe('b');
  expect(by('b').survey()).toMatchObject({ running: 'b', trial: false, idle: 'empty' });
});

test('before a slot is written it is said which other one is started, also if nothing said so before', () => {
  kept();
  for (const name of readdirSync(at('slots'))) rmSync(at('slots', name));
  expect(by('b').survey()).toMatchObject({ trial: false, idle: 'kept' });
  by('b').disarm();
  expect(readdirSync(at('slots'))).toEqual(['B']);
});

test('a kernel or a first root that is not what it was is passed over, and its slot is given again', () => {
  for (const name of ['linux', 'first']) {
    kept();
    writeFileSync(at('b', name), noise('rotten', 700));
    expect(starts()).toBe('a');
    expect(by('a').survey()).toMatchObject({ running: 'a', trial: false, idle: 'spent' });
    by('a').disarm();
  }
});

test('a slot on trial that is not whole uses its tries up at once', () => {
  update('a', 'b', 'two');
  writeFileSync(at('b', 'linux'), noise('rotten', 700));
  expect(starts()).toBe('a');
  expect(by('a').survey()).toMatchObject({ idle: 'spent' });
});

test('a card that takes no writes any more starts what was kept', () => {
  update('a', 'b', 'two');
  expect(uBootStarts(folder, true)?.slot).toBe('a');
});

const RECORDS = fileURLToPath(new URL('../../../../firmware-images/board-files/records', import.meta.url));
const shell = (words: string): boolean =>
  spawnSync('sh', ['-c', `. ${RECORDS}; states=${at('slots')}; loader() { echo u-boot; }; ${words}`]).status === 0;

test('what the scripts of the image find out of the slots is what the door does', () => {
  const agree = (running: string): void => {
    const { trial, idle } = by(running).survey();
    const other = running === 'a' ? 'b' : 'a';
    expect(shell(`is_tried ${running}`)).toBe(trial);
    expect(shell(`is_kept ${other}`)).toBe(idle === 'kept');
  };
  agree('a');
  update('a', 'b', 'two');
  agree('a');
  starts();
  agree('b');
  by('b').keep();
  agree('b');
  update('b', 'a', 'three');
  agree('a');
  by('a').leave();
  agree('b');
});

test('a slot that the guard has left is not started any more, kept or on trial', () => {
  kept();
  shell('disarm b');
  expect(starts()).toBe('a');
  expect(by('a').survey()).toMatchObject({ trial: false, idle: 'spent' });
  update('a', 'b', 'three');
  shell('disarm b');
  expect(starts()).toBe('a');
  expect(by('a').survey()).toMatchObject({ idle: 'spent' });
});

test('nothing to start ends in a start anew', () => {
  rmSync(at('a', 'entry.txt'));
  expect(starts()).toBe(null);
});
