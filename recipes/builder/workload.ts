/** A workload's TypeScript or JavaScript as one file. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type * as Esbuild from 'esbuild';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { type Material, npmMaterial } from './items.ts';

/** esbuild brings a binary of its own and cannot be part of our one-file CLI: it is looked for when it is needed. */
const loadEsbuild = async (): Promise<typeof Esbuild> => {
  const name: string = 'esbuild';
  try {
    return await import(name);
  } catch {
    return refuse(
      'bad-recipe',
      'esbuild is needed for "bundle": run `npm install esbuild`, or list a file that is bundled already with "from"',
    );
  }
};

const isFailure = (error: unknown): error is Esbuild.BuildFailure =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors);

const sentence = ({ location, text }: Esbuild.Message): string =>
  location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;

/** Whether the package.json that Node would find for a file belongs to the recipe. */
const hasOwnPackage = (top: string, file: string): boolean => {
  for (let at = dirname(file); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return true;
    if (at === top || at === dirname(at)) return false;
  }
};

/**
 * A package.json around the recipe says "type" and "sideEffects", and esbuild heeds it: the same program would become
 * another one, or lose an import, in another place. A resolved path that we hand back ourselves carries neither.
 */
const fenced = (top: string): Esbuild.Plugin => ({
  name: 'fenced',
  setup: (build) => {
    const asked = Symbol('asked');
    build.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === asked) return undefined;
      const { resolveDir, importer, kind, namespace, with: attributes } = from;
      const found = await build.resolve(path, { resolveDir, importer, kind, namespace, with: attributes, pluginData: asked });
      const isOurs = found.namespace === 'file' && relative(top, found.path).split(sep)[0] !== '..';
      if (found.errors.length > 0 || found.external || !isOurs || hasOwnPackage(top, found.path)) return found;
      return { path: found.path, suffix: found.suffix, sideEffects: true, warnings: found.warnings };
    });
  },
});

const bundle = async (top: string, entry: string): Promise<Esbuild.BuildResult<{ write: false; metafile: true }>> => {
  const { build } = await loadEsbuild();
  try {
    return await build({
      // Comments name the sources relative to this, so it must be the same wherever the recipe lies.
      absWorkingDir: top,
      entryPoints: [join(top, entry)],
      // What surrounds the recipe must not change its bytes.
      tsconfigRaw: '{}',
      plugins: [fenced(top)],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      charset: 'utf8',
      legalComments: 'none',
      // Stable text is what content-defined chunks share: minified, one changed line resends most of the file.
      minify: false,
      logLevel: 'silent',
    });
  } catch (error) {
    if (!isFailure(error)) throw error;
    return refuse('bad-recipe', error.errors.map(sentence).join('\n'));
  }
};

const PACKAGE = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)(?=\/)/;

/** What its own package.json says; without one, no version. */
const versionIn = (folder: string): string => {
  const path = join(folder, 'package.json');
  const stated: unknown = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
  const version: unknown = typeof stated === 'object' && stated !== null ? Reflect.get(stated, 'version') : undefined;
  return typeof version === 'string' ? version : '';
};

/** Packages of npm of which something went into the file. */
const packagesIn = (top: string, { outputs }: Esbuild.Metafile): Material[] => {
  const taken = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0));
  const folders = new Map<string, string>();
  for (const [path] of taken) {
    const [folder, name] = PACKAGE.exec(path) ?? [];
    if (folder !== undefined && name !== undefined) folders.set(folder, name);
  }
  return [...folders].sort().map(([folder, name]) => npmMaterial(name, versionIn(join(top, folder))));
};

/** Errors: `bad-recipe` with file, line and column of what does not compile or reaches outside the recipe. */
export const bundleWorkload = async (recipePath: string, entry: string): Promise<{ bytes: Bytes; bundled: Material[] }> => {
  const top = realpathSync.native(recipePath);
  const { outputFiles, metafile } = await bundle(top, entry);
  const outside = Object.keys(metafile.inputs).find((path) => path.startsWith('../') || isAbsolute(path));
  if (outside !== undefined) refuse('bad-recipe', `${entry} imports ${outside}, which is not part of the recipe`);
  const [output] = outputFiles;
  return { bytes: output === undefined ? utf8('') : new Uint8Array(output.contents), bundled: packagesIn(top, metafile) };
};
