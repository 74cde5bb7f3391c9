/** A recipe into a signed release: sources, tree, chunks, pages, manifest. The same recipe gives the same bytes anywhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import type { Entry, Manifest } from '../../runtime/protocol/nouns/release.ts';
import { checkTree } from '../../runtime/protocol/path.ts';
import { checkProgramHead, follow, NODE_INSIDE } from '../../runtime/protocol/program.ts';
import { parse, publisherId as publisherIdSchema } from '../../runtime/protocol/schema.ts';
import type { Bundle } from './bundle.ts';
import { type Run, runCommand } from './command.ts';
import type { Arch } from './debian.ts';
import type { Item } from './items.ts';
import { bundleOf, pack, withParents } from './pack.ts';
import { type Program, programsIn, type ReadRecipe, type Recipe, reachOf, readRecipe, schemasOf, sharesOf } from './recipe.ts';
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

/** A release whose program is not there or may not be run would fail on every board, and only there. */
const checkProgram = ({ recipe, complain }: ReadRecipe, { place: words, args }: Program, items: Item[], arch: Manifest['arch']): void => {
  const [program = ''] = args;
  if (program.includes('{{') || (recipe.engine === 'node' && program === NODE_INSIDE)) return;
  const found = follow(items, program.slice(1));
  const place = [...words, 0];
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
  const packed = pack(items);
  checked(packed.entries, fileName);
  for (const program of programsIn(recipe)) checkProgram(read, program, items, arch);
  const bundle = bundleOf(
    packed,
    {
      publisher,
      recipe: recipe.name,
      label: recipe.label,
      sequence: input.sequence,
      arch,
      sbom: nodeCrypto.sha256(sbom),
      args: recipe.args,
      env: recipe.env,
      engine: recipe.engine,
      parameters: recipe.parameters,
      ...schemasOf(recipe),
      ...sharesOf(recipe),
      ...(recipe.reload !== undefined && { reload: recipe.reload }),
      ...(recipe.stop !== undefined && { stop: recipe.stop }),
      ...(recipe.holdMs !== undefined && { holdMs: recipe.holdMs }),
      ...(recipe.data !== undefined && { data: recipe.data }),
      limits: recipe.limits,
      promises: recipe.promises,
      demands: recipe.demands,
      ...reachOf(recipe),
    },
    input.signer,
  );
  return { ...bundle, sbom };
};
