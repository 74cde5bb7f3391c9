/** What an update costs on a board's link: every message that the board asks for it and gets, as MQTT carries it. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildRelease } from '../../../recipes/builder/build.ts';
import type { Bundle } from '../../../recipes/builder/bundle.ts';
import { signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, fromHex } from '../../../runtime/protocol/bytes.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { chunk, want } from '../../../runtime/protocol/nouns/messages.ts';
import type { Pair } from './pairs.ts';

/** A fixed header of four bytes, the topic's length, and `lichen/1/b/<board>/chunk`. */
const TOPIC_BYTES = 4 + 2 + 'lichen/1/b/'.length + 32 + '/chunk'.length;

const RECIPE = `name: pair
label: "1"
args: [/run]
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
files:
  - { from: run.sh, to: run, executable: true }
  - { from: TREE, to: tree }
`;

const build = (tree: string, sequence: number, scratch: string): Promise<Bundle> => {
  const recipePath = join(tree, '..', `recipe-${sequence}`);
  mkdirSync(recipePath, { recursive: true });
  writeFileSync(join(recipePath, 'run.sh'), '#!/bin/sh\n');
  writeFileSync(join(recipePath, 'recipe.yaml'), RECIPE.replace('TREE', 'tree'));
  cpSync(tree, join(recipePath, 'tree'), { recursive: true, verbatimSymlinks: true });
  return buildRelease({
    ...{ recipePath, publisherId: 'a'.repeat(32), signer: signerFromSeed(new Uint8Array(32)), sequence },
    cachePath: join(scratch, 'cache'),
  });
};

/** Asked for one by one, which costs most. */
const cost = (hash: Bytes, bytes: Bytes): number =>
  encodeAs(want, { v: 1, hashes: [hash] }, 'want').length + encodeAs(chunk, { v: 1, hash, bytes }, 'chunk').length + 2 * TOPIC_BYTES;

export const updateBytes = async (pair: Pair, scratch: string): Promise<{ bytes: number; chunks: number; pages: number }> => {
  const [before, after] = [await build(pair.old, 1, scratch), await build(pair.new, 2, scratch)];
  const fresh = (['pages', 'chunks'] as const).map((kind) => [...after[kind]].filter(([hash]) => !before[kind].has(hash)));
  const [pages = [], chunks = []] = fresh;
  const bytes = [...pages, ...chunks].reduce((sum, [hash, content]) => sum + cost(fromHex(hash), packZstd(content)), 0);
  return { bytes: bytes + cost(after.release, after.manifest), chunks: chunks.length, pages: pages.length };
};
