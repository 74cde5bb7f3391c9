/**
 * The runtime alone, in two versions: the one that came with the system, or was kept after it, and the one that is tried next.
 * Which of them is started the image's own start decides, which is no part of either (`firmware-images/board-files/runtime`):
 *
 *   <release>.mjs   whole: it gets this name when its hash was right
 *   next, tries     the one that is tried, and how often it was started
 *   kept            the one that is started as a rule, and with which system: another system brings its own
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Slots, SlotsState } from '../../ports/slots.ts';
import { hex } from '../../protocol/bytes.ts';
import { refuse } from '../../protocol/errors.ts';
import { RUNTIME_FILE, runtimeFiles } from '../../protocol/image.ts';
import { syncFolder } from '../disk.ts';
import { openSlotContent } from './content.ts';
import { inTurn } from './in-turn.ts';
import { writeDurably } from './records.ts';

export interface VersionsOptions {
  path: string;
  /** The release that runs; null: the one that came with the system. */
  running: string | null;
  /** The file that runs. */
  file: string;
  /** Which system it runs on. */
  system: string;
  forgetCached(): void;
  /** Ends the runtime; what starts it chooses anew. */
  restart(): void;
}

const TRIES = 3;
const INCOMING = 'incoming';

export const openVersions = ({ path, running, file, system, forgetCached, restart }: VersionsOptions): Slots => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const read = (name: string): string | null => (existsSync(join(path, name)) ? readFileSync(join(path, name), 'latin1').trim() : null);
  const versions = (): string[] => readdirSync(path).filter((name) => name.endsWith('.mjs'));
  const remove = (...names: string[]): void => {
    for (const name of names) rmSync(join(path, name), { force: true });
    syncFolder(path);
  };
  const content = openSlotContent({
    ...{ filesOf: runtimeFiles, main: RUNTIME_FILE, mainPath: join(path, INCOMING), isPartition: false },
    ...{ stagePath: join(path, 'stage'), forgetCached },
    sources: () => Promise.resolve([{ path: file, bytes: statSync(file).size }]),
    held: () => [file, ...versions().map((name) => join(path, name))],
  });

  const survey = (): SlotsState => {
    const next = read('next');
    const isTrial = next !== null && next === running;
    const other = isTrial ? null : next;
    const waits = Number(read('tries') ?? 0) < TRIES ? 'armed' : 'spent';
    const before = running === null ? 'empty' : 'kept';
    return {
      running: running === null ? 'image' : 'data',
      runningRelease: running,
      trial: isTrial,
      idle: other === null ? before : waits,
      idleRelease: other,
    };
  };

  const arm = (release: string): void => {
    if (!content.isWhole()) refuse('missing-content', 'the runtime is not whole');
    renameSync(join(path, INCOMING), join(path, `${release}.mjs`));
    writeDurably(path, 'tries', '0\n');
    writeDurably(path, 'next', `${release}\n`);
    content.clear();
  };

  const keep = (): void => {
    if (running === null) return;
    writeDurably(path, 'kept', `${running} ${system}\n`);
    remove('next', 'tries', ...versions().filter((name) => name !== `${running}.mjs`));
  };

  return inTurn(content, async (step) => {
    switch (step.kind) {
      case 'survey-slots':
        return { kind: 'slots-surveyed', state: survey() };
      case 'receive':
        if (survey().trial) refuse('internal', 'while a runtime is on trial none is received');
        remove('next', 'tries');
        return { kind: 'checked', missing: content.expect(step.entries) };
      case 'arm':
        arm(hex(step.release));
        return { kind: 'armed', release: step.release };
      case 'keep':
        keep();
        return { kind: 'slot-kept' };
      case 'leave':
        remove('next', 'tries');
        return { kind: 'slot-left' };
      case 'restart':
        restart();
        return null;
    }
  });
};
