/** The slots' door on two partitions and the folder of the boot partition. Steps run one after the other. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { copyFile, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Slots, SlotsContentEvent, SlotsEvent } from '../../ports/slots.ts';
import { type Bytes, equal, hex } from '../../protocol/bytes.ts';
import { refuse } from '../../protocol/errors.ts';
import { imageFiles, ROOT_FILE, WORDS_BYTES } from '../../protocol/image.ts';
import { nodeCrypto } from '../crypto.ts';
import { syncPath } from '../disk.ts';
import { readStretch } from './bad-sectors.ts';
import { erofsBytes, HEAD_BYTES, openSlotContent, type Source } from './content.ts';
import { inTurn, type OwnStep } from './in-turn.ts';
import { type BootOptions, type BootRecords, folderOf, otherSlot, writeDurably } from './records.ts';
import { withHashes } from './verity.ts';

export interface SlotsOptions extends BootOptions {
  /** Partitions of the slots. */
  roots: Record<string, string>;
  /** For what is on its way to the boot partition. */
  stagePath: string;
  records: BootRecords;
  /** The boot partition is written to in between only. */
  setWritable(is: boolean): void;
  forgetCached(): void;
  restart(): void;
}

const filesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []);

/** Root and kernel of a slot, with their lengths. */
const sourcesIn = async (rootPath: string, bootFolder: string): Promise<Source[]> => {
  const root = await open(rootPath, 'r');
  const { bytes: head } = await readStretch(root, 0, HEAD_BYTES).finally(() => root.close());
  return [
    { path: rootPath, bytes: withHashes(erofsBytes(head)) },
    ...filesIn(bootFolder).map((path) => ({ path, bytes: statSync(path).size })),
  ];
};

export const openSlots = (options: SlotsOptions): Slots => {
  const { bootPath, running, roots, stagePath, records, setWritable, forgetCached, restart } = options;
  const idle = otherSlot(running);
  const pathOf = (slot: string): string => roots[slot] ?? refuse('storage-broken', `there is no partition for slot ${slot}`);
  const folder = folderOf(bootPath, idle);
  const content = openSlotContent({
    ...{ filesOf: imageFiles, main: ROOT_FILE, mainPath: pathOf(idle), isPartition: true, stagePath, forgetCached },
    sources: () => sourcesIn(pathOf(running), folderOf(bootPath, running)),
    held: () => [running, idle].flatMap((slot) => [pathOf(slot), ...filesIn(folderOf(bootPath, slot))]),
  });

  const writing = async (change: () => void | Promise<void>): Promise<void> => {
    setWritable(true);
    try {
      await change();
    } finally {
      setWritable(false);
    }
  };

  /** Nothing is started from there yet. A card is slow, and the board has other things to do meanwhile. */
  const fillFolder = async (release: Bytes): Promise<void> => {
    const staged = content.staged();
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    for (const { name, path } of staged) {
      await copyFile(path, join(folder, name));
      await syncPath(join(folder, name));
    }
    writeDurably(folder, 'release', hex(release));
    forgetCached();
    for (const { name, hash } of staged)
      if (!equal(nodeCrypto.sha256(await readFile(join(folder, name))), hash))
        refuse('storage-broken', `the boot partition does not hold what was written to it: ${name}`);
  };

  const words = (): string => {
    const found = content.staged().find(({ name }) => name === 'words');
    const text = found === undefined ? '' : readFileSync(found.path, 'utf8').trim();
    if (text.length > WORDS_BYTES || /[\r\n]/.test(text)) refuse('bad-release', 'boot/words is not one line');
    return text;
  };

  const perform = async (step: OwnStep): Promise<SlotsEvent | SlotsContentEvent | null> => {
    switch (step.kind) {
      case 'survey-slots':
        return { kind: 'slots-surveyed', state: records.survey() };
      case 'receive': {
        if (records.survey().trial) refuse('internal', 'a system on trial leaves the other slot alone');
        const missing = content.expect(step.entries);
        if (records.survey().idle !== 'empty') await writing(records.disarm);
        return { kind: 'checked', missing };
      }
      case 'arm': {
        if (!content.isWhole()) refuse('missing-content', 'the idle slot is not whole');
        const line = words();
        await writing(async () => {
          await fillFolder(step.release);
          records.arm(line);
        });
        content.clear();
        return { kind: 'armed', release: step.release };
      }
      case 'keep':
        await writing(records.keep);
        return { kind: 'slot-kept' };
      case 'leave':
        await writing(records.leave);
        return { kind: 'slot-left' };
      case 'restart':
        restart();
        return null;
    }
  };

  return inTurn(content, perform);
};
