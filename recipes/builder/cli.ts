/** `lichen release build`. Loaded only when it is called: it leads to esbuild, yaml and processes. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { passphraseFor } from '../../runtime/adapters/passphrase.ts';
import { openAnyKey } from '../../runtime/adapters/sealed-key.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import { parse, publisherId } from '../../runtime/protocol/schema.ts';
import { buildRelease } from './build.ts';
import { manifestOf, unsignedManifestOf, writeBundle } from './bundle.ts';
import type { Arch } from './debian.ts';

export interface BuildOptions {
  recipePath: string;
  /** The publisher's key file; null: it signs on another machine. */
  keyPath: string | null;
  publisherId: string;
  sequence: number;
  outPath: string;
  arch?: Arch | undefined;
  cachePath?: string | undefined;
}

/** What `--json` prints. */
export interface BuildReport {
  /** Hex of the release's hash. */
  release: string;
  recipe: string;
  /** Of all files, before chunks that occur twice are counted once. */
  bytes: number;
  /** Different ones. */
  chunks: number;
  pages: number;
  seconds: number;
}

const defaultCache = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lichen', 'builder');

/** Builds, signs and writes a release. Errors: those of `buildRelease`, `writeBundle` and the key file. */
export const build = async (options: BuildOptions): Promise<BuildReport> => {
  const started = process.hrtime.bigint();
  // A build never makes a key: a release signed by an unknown one would be refused everywhere.
  const { keyPath } = options;
  if (keyPath !== null && !existsSync(keyPath)) refuse('not-found', `there is no key file ${keyPath}`);
  const bundle = await buildRelease({
    recipePath: options.recipePath,
    publisherId: options.publisherId,
    signer: keyPath === null ? null : openAnyKey(keyPath, () => passphraseFor(keyPath)).signer,
    sequence: options.sequence,
    cachePath: options.cachePath ?? defaultCache(),
    arch: options.arch,
  });
  writeBundle(bundle, options.outPath);
  const { recipe, bytes } = bundle.isSigned === false ? unsignedManifestOf(bundle) : manifestOf(bundle);
  return {
    release: hex(bundle.release),
    recipe,
    bytes,
    chunks: bundle.chunks.size,
    pages: bundle.pages.size,
    seconds: Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000,
  };
};

const sequenceOf = (text: string): number => {
  const sequence = Number(text);
  return /^[1-9]\d*$/.test(text) && Number.isSafeInteger(sequence)
    ? sequence
    : refuse('bad-usage', `--sequence is a number from 1 on, not "${text}"`);
};

const archOf = (text: string | undefined): Arch | undefined =>
  text === undefined || text === 'x64' || text === 'arm64' ? text : refuse('bad-usage', `--arch is x64 or arm64, not "${text}"`);

const publisherOf = (text: string): string => {
  try {
    return parse(publisherId, text, '--publisher');
  } catch (thrown) {
    return refuse('bad-usage', asLichenError(thrown).detail, '`lichen publisher id --root FILE...` prints it.');
  }
};

interface Flags {
  key?: string;
  unsigned?: boolean;
  publisher: string;
  sequence: string;
  out: string;
  arch?: string;
  cache?: string;
  json?: boolean;
}

const sentence = ({ release, recipe, bytes, chunks, pages, seconds }: BuildReport, out: string): string =>
  `${recipe} ${release}\n${bytes} bytes in ${plural(chunks, 'chunk')} and ${plural(pages, 'page')}, ${seconds.toFixed(1)} s\nPush what is in ${out}.`;

/** Adds `build` to the command `release`. `print` writes one text and a line's end to stdout. */
export const registerReleaseBuild = (release: Command, print: (text: string) => void): void => {
  release
    .command('build')
    .description('build a recipe into a signed release')
    .argument('<recipe>', 'directory that holds recipe.yaml')
    .option('--key <file>', "the publisher's key file")
    .option('--unsigned', 'instead of --key: write what is to be signed elsewhere, by `lichen publisher sign --offline`')
    .requiredOption('--publisher <id>', "the publisher's id")
    .requiredOption('--sequence <number>', 'rises with every release of the recipe')
    .requiredOption('--out <folder>', 'where the pieces of the release go')
    .option('--arch <processor>', 'x64 or arm64, for recipes that say "arch: each"')
    .option('--cache <folder>', 'where fetched packages are kept')
    .option('--json', 'print one JSON line')
    .addHelpText(
      'after',
      '\nExample:\n  lichen release build recipes/hello-sensor --key publisher.key --publisher <id> --sequence 1 --out hello-sensor-1',
    )
    .action(async (recipePath: string, flags: Flags) => {
      if ((flags.key === undefined) === (flags.unsigned !== true)) refuse('bad-usage', 'either --key FILE or --unsigned');
      const report = await build({
        recipePath,
        keyPath: flags.key ?? null,
        publisherId: publisherOf(flags.publisher),
        sequence: sequenceOf(flags.sequence),
        outPath: flags.out,
        arch: archOf(flags.arch),
        cachePath: flags.cache,
      });
      print(flags.json === true ? JSON.stringify(report) : sentence(report, flags.out));
    });
};
