/**
 * Releases of the recipes, for a virtual fleet: limits, promises, arguments and demands are the recipe's own, the
 * content is as long as the scenario says and made from the seed. A newer one shares half of its chunks with the one
 * before, as a newer build does.
 */

import { reachOf, readRecipe, sharesOf } from '../../recipes/builder/recipe.ts';
import { type Bytes, concat, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import type { PublisherId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs, payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import type { Behaviour, WorkloadSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';

export interface Release {
  hash: Bytes;
  document: Bytes;
  manifest: Manifest;
  /** Pages and chunks by their hash. */
  content: Map<string, Bytes>;
  behaviour: Behaviour;
}

const PIECE_BYTES = LIMITS.chunkMeanBytes;

const piecesOf = (chance: Chance, bytes: number, sequence: number): Bytes[] => {
  const pieces: Bytes[] = [];
  for (let at = 0, i = 0; at < bytes; at += PIECE_BYTES, i++) {
    // Every other piece is new in each release.
    const of = i % 2 === 0 ? `piece ${i}` : `piece ${i} of ${sequence}`;
    pieces.push(chance.fork(of).bytes(Math.min(PIECE_BYTES, bytes - at)));
  }
  return pieces;
};

/** What it is made of is nobody's program; it has to look like one. */
const SCRIPT = utf8('#!/bin/sh\n');

const programPath = ({ args, engine }: { args: string[]; engine: Manifest['engine'] }): string =>
  engine === 'node' ? 'app/main' : (args[0] ?? '').slice(1);

const parentsOf = (path: string): string[] => {
  const names = path.split('/').slice(0, -1);
  return names.map((_, at) => names.slice(0, at + 1).join('/'));
};

export interface Publishing {
  crypto: Crypto;
  publisher: PublisherId;
  key: Signer;
  chance: Chance;
}

/** Those of the recipe, and those under which its sensors are read. */
const devicesOf = (own: string[] = [], read: string[]): string[] | undefined => {
  const all = [...new Set([...own, ...read])].sort();
  return all.length === 0 ? undefined : all;
};

const HOOK_WITHIN_MS = 30_000;

const hooksOf = ([program = '']: string[]): Pick<NonNullable<Manifest['data']>, 'before' | 'after'> => ({
  before: { args: [program, '--before'], withinMs: HOOK_WITHIN_MS },
  after: { args: [program, '--after'], withinMs: HOOK_WITHIN_MS },
});

/** `read`: grants under which the sensors that it reads are seen. */
export const buildRelease = (
  by: Publishing,
  workload: WorkloadSpec,
  sequence: number,
  behaviour: Behaviour,
  read: string[] = [],
): Release => {
  const { recipe } = readRecipe(workload.recipeText, `${workload.recipe}/recipe.yaml`);
  const { sha256 } = by.crypto;
  const pieces = piecesOf(by.chance.fork(`content of ${workload.name}`), Math.max(SCRIPT.length, workload.contentBytes), sequence);
  pieces[0]?.set(SCRIPT);
  const program = programPath(recipe);
  const whole = concat(...pieces);
  const chunks = pieces.map((piece): ChunkRef => [sha256(piece), piece.length]);
  const entries: Entry[] = [
    ...parentsOf(program).map((path): Entry => ({ kind: 'dir', path })),
    { kind: 'file', path: program, executable: true, bytes: whole.length, hash: sha256(whole), chunks },
  ];
  const page = encodeAs(pageSchema, { v: 1, entries }, 'page');
  const manifest: Manifest = {
    ...{ v: 1, publisher: by.publisher, recipe: workload.name, label: `${recipe.label}+${sequence}`, sequence },
    ...{ arch: 'any', pages: [sha256(page)], entries: entries.length, bytes: whole.length, args: recipe.args, env: recipe.env },
    ...{ engine: recipe.engine, parameters: recipe.parameters, limits: recipe.limits, promises: recipe.promises, demands: recipe.demands },
    ...reachOf({ ...recipe, devices: devicesOf(recipe.devices, read) }),
    ...sharesOf(recipe),
    ...(workload.snapshots && { data: { onUpdate: 'snapshot' as const, ...(workload.hooks && hooksOf(recipe.args)) } }),
    ...(recipe.reload !== undefined && { reload: recipe.reload }),
    ...(recipe.stop !== undefined && { stop: recipe.stop }),
  };
  return {
    hash: sha256(payloadOf(manifestNoun, manifest)),
    document: seal(manifestNoun, manifest, by.key),
    ...{ manifest, behaviour },
    content: new Map([page, ...pieces].map((bytes) => [hex(sha256(bytes)), bytes])),
  };
};
