/** A card as files, started by systemd's loader as far as that matters. */
import { mkdirSync, readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entryText } from '../../runtime/adapters/slots/systemd-boot.ts';
import { FIRST_ROOT, noise } from './system.ts';

const SLOT_BYTES = 512 * 1024;

export interface SlotFiles {
  boot: string;
  roots: Record<string, string>;
  stage: string;
}

export const slotFilesIn = (folder: string): SlotFiles => ({
  boot: join(folder, 'boot'),
  roots: { a: join(folder, 'a'), b: join(folder, 'b') },
  stage: join(folder, 'stage'),
});

/** As it was written to the card: one system, and room for another. */
export const makeSlotFiles = (folder: string, prepare: (boot: string) => void): SlotFiles => {
  const files = slotFilesIn(folder);
  mkdirSync(join(files.boot, 'lichen', 'a'), { recursive: true });
  writeFileSync(join(files.boot, 'lichen', 'a', 'first'), noise('first', 5000));
  prepare(files.boot);
  for (const path of Object.values(files.roots)) {
    writeFileSync(path, '');
    truncateSync(path, SLOT_BYTES);
  }
  const whole = readFileSync(files.roots.a!);
  whole.set(FIRST_ROOT);
  writeFileSync(files.roots.a!, whole);
  return files;
};

export const underUefi = (boot: string): void => {
  mkdirSync(join(boot, 'loader', 'entries'), { recursive: true });
  writeFileSync(join(boot, 'loader', 'entries', 'lichen-a.conf'), entryText('a', 1, 'lichen.slot=a quiet'));
};

const NAME = /^lichen-([ab])(?:\+(\d+)(?:-(\d+))?)?\.conf$/;

/** systemd-boot: the highest version of those with tries left; it counts in the name. Says what it would start, and by which entry. */
export const loader = (boot: string): { slot: string; entry: string } => {
  const folder = join(boot, 'loader', 'entries');
  const entries = readdirSync(folder).flatMap((name) => {
    const [, slot = '', left, done = '0'] = NAME.exec(name) ?? [];
    if (slot === '') return [];
    const entry = readFileSync(join(folder, name), 'utf8');
    const version = Number(/^version (\d+)$/m.exec(entry)?.[1]);
    return [{ name, slot, entry, left: left === undefined ? null : Number(left), done: Number(done), version }];
  });
  const [best] = entries.sort((a, b) => Number(a.left === 0) - Number(b.left === 0) || b.version - a.version);
  if (best === undefined) throw new Error('nothing to start');
  if (best.left !== null && best.left > 0)
    renameSync(join(folder, best.name), join(folder, `lichen-${best.slot}+${best.left - 1}-${best.done + 1}.conf`));
  return best;
};
