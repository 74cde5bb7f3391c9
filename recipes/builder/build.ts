/** A recipe into a signed release: sources, tree, chunks, pages, manifest. The same recipe gives the same bytes anywhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, compare, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { checkTree } from '../../runtime/protocol/path.ts';
import { checkProgramHead, follow, NODE_INSIDE } from '../../runtime/protocol/program.ts';
import { parse, publisherId as publisherIdSchema } from '../../runtime/protocol/schema.ts';
import { checkManifest } from '../../runtime/protocol/soundness.ts';
import { unsigned } from '../../runtime/protocol/to-sign.ts';
import type { Bundle } from './bundle.ts';
import { chunksOf, gearFrom } from './chunk.ts';
import { type Run, runCommand } from './command.ts';
import type { Arch } from './debian.ts';
import type { Item } from './items.ts';
import { pagesOf, splitLong } from './pages.ts';
import { type ReadRecipe, type Recipe, reachOf, readRecipe } from './recipe.ts';
import { sbomOf } from './sbom.ts';
import { collectItems } from './sources.ts';

export interface BuildInput {
  /** Directory that holds `recipe.yaml`. */
  recipePath: string;
  publisherId: string;
  /** A key that the publisher's trust document lists; null: it is elsewhere, and signs later. */
  signer: Signer | null;
  /** Rises with every release of the recipe; boards refuse a lower one. */
  sequence: number;
  /** Directory for what is fetched and may be kept. */
  cachePath: string;
  /** For recipes that say `arch: each`; without it this machine's. */
  arch?: Arch | undefined;
  run?: Run | undefined;
}

const byPath = (a: { path: string }, b: { path: string }): number => compare(utf8(a.path), utf8(b.path));

/** Every directory on the way to an item, whether somebody named it or not. */
const withParents = (items: Item[]): Item[] => {
  const all = new Map(items.map((item) => [item.path, item]));
  for (const { path } of items) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      if (!all.has(parent)) all.set(parent, { kind: 'dir', path: parent });
    }
  }
  // Bytewise, so that a directory stands before what is in it, in every locale.
  return [...all.values()].sort(byPath);
};

interface Packed {
  entries: Entry[];
  chunks: Map<string, Bytes>;
  bytes: number;
}

const pack = (items: Item[]): Packed => {
  const gear = gearFrom(nodeCrypto);
  const chunks = new Map<string, Bytes>();
  let total = 0;
  const entries = items.map((item): Entry => {
    if (item.kind !== 'file') return item;
    const { path, executable, bytes } = item;
    total += bytes.length;
    const refs = chunksOf(bytes, gear).map((chunk): ChunkRef => {
      const hash = nodeCrypto.sha256(chunk);
      chunks.set(hex(hash), chunk);
      return [hash, chunk.length];
    });
    return { kind: 'file', path, executable, bytes: bytes.length, hash: nodeCrypto.sha256(bytes), chunks: refs };
  });
  if (total > LIMITS.releaseBytes) refuse('too-large', `the files have ${total} bytes together, a release at most ${LIMITS.releaseBytes}`);
  return { entries: splitLong(entries), chunks, bytes: total };
};

/** A release whose program is not there or may not be run would fail on every board, and only there. */
const checkProgram = ({ recipe, complain }: ReadRecipe, items: Item[], arch: Manifest['arch']): void => {
  const [program = ''] = recipe.args;
  if (program.includes('{{') || (recipe.engine === 'node' && program === NODE_INSIDE)) return;
  const found = follow(items, program.slice(1));
  const place = ['args', 0];
  if (found === null) complain([{ place, says: `the release has no ${program}${program === NODE_INSIDE ? ' (say "engine: node")' : ''}` }]);
  if (found?.kind === 'dir') complain([{ place, says: `${program} is a directory` }]);
  if (found?.kind === 'file' && !found.executable)
    complain([{ place, says: `${program} is not executable: say "executable: true" at its source` }]);
  if (found?.kind !== 'file') return;
  try {
    checkProgramHead(program, found.bytes, arch);
  } catch (error) {
    if (error instanceof LichenError) complain([{ place, says: error.detail }]);
    throw error;
  }
};

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return refuse('not-found', `there is no ${path}`);
  }
};

const hostArch = (): Arch => (process.arch === 'arm64' ? 'arm64' : 'x64');

/** The processor that the release is for, and the one whose packages go into it. */
const archOf = ({ arch, files }: Recipe, wanted: Arch | undefined): { arch: Manifest['arch']; packages: Arch } => {
  const host = hostArch();
  if (arch === 'each') return { arch: wanted ?? host, packages: wanted ?? host };
  if (wanted !== undefined && wanted !== arch)
    refuse('bad-usage', `the recipe is for ${arch}; only "arch: each" lets the build choose ${wanted}`);
  if (arch === 'any' && files.some((source) => 'package' in source)) {
    refuse('bad-recipe', 'recipe.yaml: with packages "arch: any" cannot hold; say "arch: each", or x64 or arm64');
  }
  return { arch, packages: arch === 'any' ? host : arch };
};

const checked = (entries: Entry[], fileName: string): void => {
  try {
    checkTree(entries);
  } catch (error) {
    if (error instanceof LichenError && error.code === 'bad-path') refuse('bad-recipe', `${fileName}: files: ${error.detail}`);
    throw error;
  }
};

/** Errors: `bad-recipe` with file, line and column, `bad-release` with the key, `not-found`, `too-large`, `bad-schema`, `bad-usage`. */
export const buildRelease = async (input: BuildInput): Promise<Bundle> => {
  const publisher = parse(publisherIdSchema, input.publisherId, 'publisher');
  const fileName = join(input.recipePath, 'recipe.yaml');
  const read = readRecipe(readText(fileName), fileName);
  const { recipe } = read;
  const { arch, packages } = archOf(recipe, input.arch);
  const doors = {
    recipePath: input.recipePath,
    arch: packages,
    hostArch: hostArch(),
    cachePath: input.cachePath,
    run: input.run ?? runCommand,
  };
  const items = withParents(await collectItems(read, doors));
  const sbom = sbomOf(recipe, items);
  const { entries, chunks, bytes } = pack(items);
  checked(entries, fileName);
  checkProgram(read, items, arch);
  const pages = pagesOf(nodeCrypto, entries).map((page) => ({ hash: nodeCrypto.sha256(page), page }));
  const manifest: Manifest = {
    v: 1,
    publisher,
    recipe: recipe.name,
    label: recipe.label,
    sequence: input.sequence,
    arch,
    pages: pages.map(({ hash }) => hash),
    sbom: nodeCrypto.sha256(sbom),
    // A continuation is no entry of its own.
    entries: items.length,
    bytes,
    args: recipe.args,
    env: recipe.env,
    engine: recipe.engine,
    parameters: recipe.parameters,
    ...(recipe.parameterSchema !== undefined && { parameterSchema: JSON.stringify(recipe.parameterSchema) }),
    ...(recipe.connectionSchema !== undefined && { connectionSchema: JSON.stringify(recipe.connectionSchema) }),
    ...(recipe.reload !== undefined && { reload: recipe.reload }),
    ...(recipe.stop !== undefined && { stop: recipe.stop }),
    ...(recipe.holdMs !== undefined && { holdMs: recipe.holdMs }),
    limits: recipe.limits,
    promises: recipe.promises,
    demands: recipe.demands,
    ...reachOf(recipe),
  };
  checkManifest(manifest);
  return {
    release: nodeCrypto.sha256(payloadOf(manifestNoun, manifest)),
    manifest: input.signer === null ? unsigned(manifestNoun, manifest) : seal(manifestNoun, manifest, input.signer),
    isSigned: input.signer !== null,
    sbom,
    pages: new Map(pages.map(({ hash, page }) => [hex(hash), page])),
    chunks,
  };
};
