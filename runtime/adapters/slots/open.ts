/** The slots of an image, as its start has found them. On any other machine there are none, and its system stays as it is. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Slots } from '../../ports/slots.ts';
import type { Part } from '../../protocol/image.ts';
import { map, name, parse } from '../../protocol/schema.ts';
import { openSlots } from './slots.ts';
import { systemdBoot } from './systemd-boot.ts';
import { uBoot } from './u-boot.ts';
import { openVersions } from './versions.ts';

const path = v.pipe(v.string(), v.regex(/^\/[A-Za-z0-9/_.-]+$/, 'expected an absolute path'));
const slot = v.picklist(['a', 'b']);

/** What the image's start writes. */
const found = v.pipe(
  map,
  v.strictObject({
    /** Some of its root cannot be read, and there is no other slot to go to. */
    damaged: v.boolean(),
    /** What starts the machine, and counts: nothing that does, on a Pi 5. */
    loader: v.picklist(['systemd-boot', 'u-boot', 'none']),
    ...{ board: name, running: slot, boot: path, roots: v.pipe(map, v.strictObject({ a: path, b: path })) },
    /** Which release of the runtime alone was started (empty: the one of the system), and on which system. */
    ...{ runtime: v.pipe(v.string(), v.regex(/^([0-9a-f]{64})?$/)), system: v.pipe(v.string(), v.regex(/^[ab]:([0-9a-f]{64})?$/)) },
  }),
);

export interface Opened {
  /** Null: nothing of this board's own software can be replaced. */
  slots: { doors: Partial<Record<Part, Slots>>; parts: Part[]; board: string } | null;
  lacks: string[];
  /** Whether some of the system that runs cannot be read any more; null: nothing here looks. */
  damaged: boolean | null;
}

/** Nothing that was written is answered from memory. */
const forgetCached = (): void => writeFileSync('/proc/sys/vm/drop_caches', '1\n');

const DAMAGED =
  'a whole system (the card has lost some of the root, and there is no other on it): write the card anew, or give the board an update';
const NO_LOADER = 'updates of the system (nothing here starts the other slot and counts): write the card anew instead';

export const openImageSlots = (file: string, dataPath: string): Opened => {
  if (!existsSync(file)) return { slots: null, lacks: [], damaged: null };
  const told = parse(found, JSON.parse(readFileSync(file, 'utf8')), file);
  const { board, running, loader, damaged, boot, roots, runtime: release, system: on } = told;
  const lacks = damaged ? [DAMAGED] : [];
  const runtime = openVersions({
    ...{ path: join(dataPath, 'runtime'), running: release === '' ? null : release, file: process.argv[1] ?? '', system: on, forgetCached },
    // As when init ends it: instances go on.
    restart: () => void process.kill(process.pid, 'SIGTERM'),
  });
  if (loader === 'none') return { slots: { doors: { runtime }, parts: ['runtime'], board }, lacks: [...lacks, NO_LOADER], damaged };
  const system = openSlots({
    ...{ bootPath: boot, running, roots, stagePath: join(dataPath, 'slot'), forgetCached },
    records: (loader === 'u-boot' ? uBoot : systemdBoot)({ bootPath: boot, running }),
    setWritable: (is) => void execFileSync('mount', ['-o', is ? 'remount,rw' : 'remount,ro', boot]),
    restart: () => void execFileSync('reboot'),
  });
  return { slots: { doors: { system, runtime }, parts: ['system', 'runtime'], board }, lacks, damaged };
};
