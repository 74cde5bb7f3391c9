/** A program and all that it imports as one file that needs nothing beside it but Node. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { build, type Metafile, type Plugin } from 'esbuild';
import { ERRORS } from '../runtime/protocol/errors.ts';
import { loadablePart } from './elf.ts';
import { lockedPackage } from './locked-package.ts';

const NODE = { platform: 'node', target: 'node24', legalComments: 'none' } as const;

/** CommonJS packages call require('node:...'); an ESM file has none. */
const requireInEsm = "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";

/** The line that the set-up installs and that all tests run on; older ones begin, and know neither zstd nor half of what is called. */
const NODE_LEAST = 24;

/** Before anything of the program runs, in words that a Node from long ago understands. */
const oldNode = (): string => {
  const { says, next, exit } = ERRORS['old-node'];
  const error = JSON.stringify({ code: 'old-node', says, next });
  return `{
  const error = ${error}, { versions, execPath, argv, stdout, stderr, exit } = process;
  if (parseInt(versions.node, 10) < ${NODE_LEAST}) {
    error.why = execPath + ' is version ' + versions.node + '; ${NODE_LEAST} or newer is needed.';
    if (argv.includes('--json')) stdout.write(JSON.stringify({ error }) + '\\n');
    stderr.write(error.says + ' ' + error.why + '\\n' + error.next + '\\n');
    exit(${exit});
  }
}`;
};

/** What is asked for by name of what Node's own modules have behind getters. */
const BEHIND_GETTERS: ReadonlySet<string> = new Set(['BlockList']);

/**
 * An `import` of one of Node's own modules touches all that it exports, and what lies behind a getter is loaded by that: undici (13 MB),
 * worker threads, streams over promises, the certificates of all authorities of the world. A fifth of a start went into it. So of each only
 * what has no getter is given on, by name, and what of the others is asked for here.
 */
const builtin = (name: string): string => {
  const own = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule(name) ?? {}));
  const names = own.flatMap(([key, { get }]) => ((get === undefined || BEHIND_GETTERS.has(key)) && key !== 'default' ? [key] : []));
  const taken = names.map((key, at) => `${key}: _${at}`).join(', ');
  const given = names.map((key, at) => `_${at} as ${key}`).join(', ');
  return `const all = process.getBuiltinModule('${name}');\nconst { ${taken} } = all;\nexport { all as default, ${given} };`;
};

/** esbuild keeps an entry's own first line; a second one would be a syntax error. */
const hashbang = (path: string): string => (readFileSync(path, 'utf8').startsWith('#!') ? '' : '#!/usr/bin/env node\n');

/**
 * One sign beyond ASCII, and Node decodes the whole program and keeps two bytes for each character of it. What esbuild leaves of them stands in
 * comments and regular expressions, where an escape means the same.
 */
const asciiOf = (text: string): string =>
  text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const zstdText = (bytes: Uint8Array): string =>
  JSON.stringify(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }).toString('base64'));

/** Parts of packages that a board never uses, replaced by the least that their importers touch. */
const STUBS: Record<string, string> = {
  // mqtt over websockets, socks and browser timers: the runtime hands mqtt.js a ready stream.
  ws: 'module.exports = class {};',
  socks: 'module.exports = {};',
  'worker-timers': 'module.exports = {};',
  debug: 'const off = () => {}; off.enabled = false; off.extend = () => off; module.exports = () => off;',
  'readable-stream': "module.exports = require('node:stream');",
  // lmdb's own object encoding: Lichen stores CBOR bytes (encoding: 'binary').
  msgpackr: 'export class Encoder {}',
};

/** A package of npm that a program carries. */
export interface Carried {
  name: string;
  folder: string;
}

/** Folders of those of which something is left in what was made. */
const foldersIn = ({ outputs }: Metafile): string[] =>
  Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])))
    .flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []);

/** A package that hardly any start wants, as text that is unpacked and read when it is asked for: each start reads all else of the program. */
const packedModule = async (name: string, root: string, carried: string[]): Promise<string> => {
  const contents = `module.exports = require('${name}');`;
  const { outputFiles, metafile } = await build({
    ...{ ...NODE, absWorkingDir: root, stdin: { contents, resolveDir: root }, bundle: true, write: false, format: 'cjs', metafile: true },
  });
  carried.push(...foldersIn(metafile));
  const [{ contents: bytes } = { contents: new Uint8Array() }] = outputFiles;
  return `
    const text = require('node:zlib').zstdDecompressSync(Buffer.from(${zstdText(bytes)}, 'base64')).toString();
    require('node:vm').compileFunction(text, ['module', 'exports', 'require'])(module, exports, require);`;
};

/** Folders of what it packs by itself go to `carried`. */
const slim = (root: string, carried: string[]): Plugin => ({
  name: 'slim',
  setup(on) {
    on.onResolve({ filter: new RegExp(`^(${Object.keys(STUBS).join('|')})$`) }, ({ path }) => ({ path, namespace: 'stub' }));
    on.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({ contents: STUBS[path] ?? '', resolveDir: root }));
    on.onResolve({ filter: /^node:/, namespace: 'file' }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    on.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: builtin(path) }));
    on.onResolve({ filter: /^systeminformation$/, namespace: 'file' }, ({ path }) => ({ path, namespace: 'packed' }));
    on.onLoad({ filter: /.*/, namespace: 'packed' }, async ({ path }) => ({
      ...{ contents: await packedModule(path, root, carried), resolveDir: root },
    }));
    on.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, () => ({ path: join(root, NATIVE_LMDB) }));
    // Its ESM form breaks silently (keys come back as numbers): it compiles code by name, and esbuild renames what it hoists. CommonJS with
    // a direct eval keeps its names, https://esbuild.github.io/content-types/#direct-eval.
    on.onResolve({ filter: /^ordered-binary$/ }, () => ({ path: join(root, 'node_modules/ordered-binary/dist/index.cjs') }));
  },
});

/** What unpacks lmdb's addon: a program that has it has the addon. */
const NATIVE_LMDB = 'runtime/adapters/native-lmdb.ts';
const addonOf = (arch: string): string => `@lmdb/lmdb-linux-${arch}`;

/** lmdb's addon for `arch` as two string constants of native-lmdb.ts. */
const embedAddon = async (arch: string): Promise<Record<string, string>> => {
  const bytes = loadablePart(readFileSync(join(await lockedPackage(addonOf(arch)), 'node.napi.glibc.node')));
  return {
    LICHEN_LMDB_ADDON: zstdText(bytes),
    LICHEN_LMDB_SHA256: JSON.stringify(createHash('sha256').update(bytes).digest('hex')),
  };
};

/** What `lichen sim` reads beside its program, as a constant of sim/cli.ts: scenarios with their traces, recipes, the parts of its page. */
const embedSimFiles = (root: string): Record<string, string> => {
  const wanted = [/^sim\/scenarios\//, /^sim\/report\/timeline\/.*\.(css|mjs)$/, /^recipes\/[^/]+\/recipe\.yaml$/];
  const paths = ['sim/scenarios', 'sim/report/timeline', 'recipes'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  );
  const files = paths.filter((path) => wanted.some((one) => one.test(path)) && statSync(join(root, path)).isFile()).sort();
  return { LICHEN_SIM_FILES: JSON.stringify(Object.fromEntries(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]))) };
};

export interface Wanted {
  root: string;
  arch: string;
  wanted: { entry: string; outfile: string }[];
  minify: boolean;
}

export interface Bundled {
  path: string;
  bytes: number;
  carries: Carried[];
}

const carriedBy = async ({ root, arch }: Wanted, metafile: Metafile, packed: string[]): Promise<Carried[]> => {
  const folders = [...new Set([...foldersIn(metafile), ...packed])].sort();
  const carried = folders.map((folder) => ({ name: folder.replace(/^.*node_modules\//, ''), folder: join(root, folder) }));
  const hasAddon = Object.values(metafile.outputs).some(({ inputs }) => (inputs[NATIVE_LMDB]?.bytesInOutput ?? 0) > 0);
  return hasAddon ? [...carried, { name: addonOf(arch), folder: await lockedPackage(addonOf(arch)) }] : carried;
};

export const bundlePrograms = async (job: Wanted): Promise<Bundled[]> => {
  const { root, arch, wanted, minify } = job;
  const define = { ...(await embedAddon(arch)), ...embedSimFiles(root) };
  const made: Bundled[] = [];
  for (const { entry, outfile } of wanted) {
    const packed: string[] = [];
    const { outputFiles, metafile } = await build({
      ...NODE,
      ...{
        absWorkingDir: root,
        entryPoints: [entry],
        outfile,
        bundle: true,
        splitting: false,
        format: 'esm',
        write: false,
        metafile: true,
      },
      ...{ logLevel: 'warning', logOverride: { 'direct-eval': 'silent' } },
      // Unminified on purpose: a release is pushed as content-defined chunks, and a one-line change of minified text resends most of it.
      minify,
      banner: { js: `${hashbang(resolve(root, entry))}${oldNode()}\n${requireInEsm}` },
      define,
      plugins: [slim(root, packed)],
    });
    const path = resolve(root, outfile);
    const text = asciiOf(outputFiles[0]?.text ?? '');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    made.push({ path: outfile, bytes: text.length, carries: await carriedBy(job, metafile, packed) });
  }
  return made;
};
