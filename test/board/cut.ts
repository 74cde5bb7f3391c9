/** What a card holds when the plug is pulled: which slot would be started from it, and whether what lies there is one system, whole. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readBundle } from '../../recipes/builder/bundle.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { imageFiles, ROOT_FILE } from '../../runtime/protocol/image.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { entriesOf } from '../../runtime/protocol/pages.ts';
import { testCrypto } from '../support/crypto.ts';
import { type Slot, slotAt, takeFolder } from './image.ts';

/** Name → bytes and hash of what a release puts into a slot; words are those of the kernel. */
export interface System {
  files: Map<string, { bytes: number; hash: string }>;
  words: string;
}

export const systemIn = (bundlePath: string): System => {
  const { manifest, pages, chunks } = readBundle(bundlePath);
  const files = imageFiles(entriesOf(unseal(testCrypto, manifestNoun, manifest).value, [...pages.values()]));
  const words = files.find(({ path }) => path === 'boot/words')?.chunks ?? [];
  return {
    files: new Map(files.filter(({ path }) => path !== 'boot/words').map(({ path, bytes, hash }) => [path, { bytes, hash: hex(hash) }])),
    words: Buffer.concat(words.map(([hash]) => chunks.get(hex(hash)) ?? Buffer.alloc(0)))
      .toString()
      .trim(),
  };
};

interface Entry {
  slot: Slot;
  left: number | null;
  version: number;
  words: string;
}

const entriesOn = (folder: string): Entry[] =>
  readdirSync(join(folder, 'loader/entries')).flatMap((name) => {
    const [, slot, left] = /^lichen-([ab])(?:\+(\d+)(?:-\d+)?)?\.conf$/.exec(name) ?? [];
    if (slot !== 'a' && slot !== 'b') return [];
    const text = readFileSync(join(folder, 'loader/entries', name), 'utf8');
    const said = (key: string): string => new RegExp(`^${key} (.*)$`, 'm').exec(text)?.[1] ?? '';
    return [{ slot, left: left === undefined ? null : Number(left), version: Number(said('version')), words: said('options') }];
  });

const hashOf = (card: string, slot: Slot, bytes: number): string => {
  const file = openSync(card, 'r');
  const root = Buffer.alloc(bytes);
  readSync(file, root, 0, bytes, slotAt(slot));
  closeSync(file);
  return createHash('sha256').update(root).digest('hex');
};

/** The slot that the loader would start. Throws if any that it may start is not a whole system; `systems`: what each slot may hold. */
export const startsFrom = (card: string, systems: Record<Slot, System>, scratch: string): Slot => {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  for (const name of ['loader', 'lichen']) takeFolder(card, name, scratch);
  const startable = entriesOn(scratch).filter(({ left }) => left !== 0);
  const [first] = startable.sort((one, other) => other.version - one.version);
  if (first === undefined) throw new Error('nothing on the card can be started');
  for (const { slot, words } of startable) {
    const { files, words: wanted } = systems[slot];
    if (words !== `lichen.slot=${slot} ${wanted}`) throw new Error(`slot ${slot} is told ${words}`);
    for (const [path, { bytes, hash }] of files) {
      const found =
        path === ROOT_FILE
          ? hashOf(card, slot, bytes)
          : createHash('sha256')
              .update(readFileSync(join(scratch, path.replace('boot/', `lichen/${slot}/`))))
              .digest('hex');
      if (found !== hash) throw new Error(`${path} of slot ${slot} is not that of its system`);
    }
  }
  return first.slot;
};

/** As it is at this moment; what is empty takes no room. */
export const copyCard = (card: string, to: string): void => void execFileSync('cp', ['--sparse=always', card, to]);
