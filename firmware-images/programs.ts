/** The programs of an image that are not Debian's: Node, and ours, each as one file. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Carried } from './bundle.ts';
import { loadablePart } from './elf.ts';
import { keep } from './keep.ts';
import { lockedPackage } from './locked-package.ts';
import { runTool } from './tool.ts';
import { projectPath, type Work } from './work.ts';

const pinned = v.object({ version: v.string() });

/** Without its symbols, once a version. */
export const strippedNode = async ({ board, cachePath }: Work): Promise<string> => {
  const folder = await lockedPackage(`node-linux-${board.arch}`);
  const source = join(folder, 'bin/node');
  const { version } = v.parse(pinned, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  return keep(join(cachePath, `node-${board.arch}-${version}`), (draft) =>
    writeFileSync(draft, loadablePart(readFileSync(source)), { mode: 0o755 }),
  );
};

const RUNTIME = 'runtime/main.ts';
/** Names in the image to what they are made of. What takes the setup off the card reads YAML, which the runtime need not carry, and hardly changes. */
const ENTRIES = { 'lichen-runtime.mjs': [RUNTIME], 'lichen-setup.mjs': ['firmware-images/setup/main.ts', '--minify'] };

interface Programs {
  /** By their names in the image. */
  bundles: Map<string, Uint8Array>;
  carries: Carried[];
}

/** As they are in the sources now. */
export const bundlePrograms = async (work: Work): Promise<Programs> => {
  const bundles = new Map<string, Uint8Array>();
  const carries = new Map<string, Carried>();
  for (const [name, words] of Object.entries(ENTRIES)) {
    const made = await bundled(work, words);
    bundles.set(name, made.bytes);
    for (const one of made.carries) carries.set(one.folder, one);
  }
  return { bundles, carries: [...carries.values()] };
};

export const bundleRuntime = async (work: Work): Promise<Buffer> => (await bundled(work, [RUNTIME])).bytes;

const carriedList = v.array(v.object({ name: v.string(), folder: v.string() }));

/** `words`: the entry, and how it is made if not as others are. */
const bundled = async ({ board, cachePath }: Work, [entry = '', ...more]: string[]): Promise<{ bytes: Buffer; carries: Carried[] }> => {
  const path = join(cachePath, `bundle-${board.arch}-${process.pid}.mjs`);
  const list = `${path}.carries`;
  const words = ['bundle', '--arch', board.arch, '--entry', entry, '--outfile', path, '--carries', list, ...more];
  await runTool(`/${process.execPath.slice(1)}`, [join(projectPath, 'build.mjs'), ...words], { cwd: projectPath });
  const made = { bytes: readFileSync(path), carries: v.parse(carriedList, JSON.parse(readFileSync(list, 'utf8'))) };
  for (const one of [path, list]) rmSync(one);
  return made;
};
