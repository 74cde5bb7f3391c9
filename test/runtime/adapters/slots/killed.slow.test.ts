/** An update by the real door that is killed at a write, whichever: the card starts, from one of both whole, and is updated in the end. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { releaseIn } from '../../../../runtime/adapters/slots/records.ts';
import { loader, makeSlotFiles, type SlotFiles, underUefi } from '../../../support/slot-files.ts';
import { FIRST_ROOT, hexOf, system } from '../../../support/system.ts';

const CHILD = fileURLToPath(new URL('../../../support/slot-child.ts', import.meta.url));
/** Each is a process, and one under strace takes a second. */
const KILLS = 12;
const CALLS = 'pwrite64,write,rename,unlink,fsync,fdatasync,ftruncate,copy_file_range,sendfile';

interface Ran {
  ended: boolean;
  calls: number;
}

/** Ends at its `at`-th call that changes something, if it makes so many; 0: never. One thread does all that is not done at once. */
const update = (folder: string, running: string, at: number): Ran => {
  const trace = join(folder, 'trace');
  const inject = at === 0 ? [] : ['-e', `inject=${CALLS}:signal=KILL:when=${at}`];
  const watched = ['-f', '-qq', '-y', '-o', trace, '-e', `trace=${CALLS}`, ...inject, process.execPath, CHILD, folder, running];
  const { stdout } = spawnSync('strace', watched, { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
  const lines = readFileSync(trace, 'utf8').split('\n');
  return { ended: stdout.includes('armed'), calls: lines.filter((line) => line.includes(folder)).length };
};

const next = system(2);

/** What the loader takes is a system, and all of it. */
const isWhole = ({ boot, roots }: SlotFiles): string => {
  const { slot } = loader(boot);
  const release = releaseIn(boot, slot);
  const wanted = slot === 'a' ? FIRST_ROOT : next.root;
  expect(release).toBe(slot === 'a' ? null : hexOf(next));
  expect(readFileSync(roots[slot]!).subarray(0, wanted.length).equals(wanted)).toBe(true);
  if (slot === 'b') expect(readdirSync(join(boot, 'lichen', 'b')).sort()).toEqual(['first', 'linux', 'release', 'words']);
  return slot;
};

const inFolder = (work: (folder: string) => void): void => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-killed-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

test('at any call that changes the card', () => {
  let calls = 0;
  inFolder((folder) => {
    const files = makeSlotFiles(folder, underUefi);
    const ran = update(folder, 'a', 0);
    expect(ran.ended).toBe(true);
    calls = ran.calls;
    expect(isWhole(files)).toBe('b');
  });
  expect(calls).toBeGreaterThan(KILLS);
  let killed = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    inFolder((folder) => {
      const files = makeSlotFiles(folder, underUefi);
      const at = 1 + Math.floor((kill * calls) / KILLS);
      if (!update(folder, 'a', at).ended) killed++;
      // It was armed before it was killed, or not at all.
      if (isWhole(files) === 'b') return;
      expect(update(folder, 'a', 0).ended).toBe(true);
      expect(isWhole(files)).toBe('b');
      expect(existsSync(files.stage)).toBe(false);
    });
  }
  expect(killed).toBeGreaterThan(KILLS / 2);
});
