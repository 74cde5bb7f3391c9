/** The two programs of an image that are not Debian's: Node, and the runtime as one file. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { loadablePart } from './elf.ts';
import { lockedPackage } from './locked-package.ts';
import { runTool } from './tool.ts';
import { projectPath, type Work } from './work.ts';

const pinned = v.object({ version: v.string() });

/** Without its symbols, once a version. */
export const strippedNode = async ({ board, cachePath }: Work): Promise<string> => {
  const folder = await lockedPackage(`node-linux-${board.arch}`);
  const source = join(folder, 'bin/node');
  const { version } = v.parse(pinned, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  const path = join(cachePath, `node-${board.arch}-${version}`);
  if (!existsSync(path)) {
    writeFileSync(`${path}.part`, loadablePart(readFileSync(source)), { mode: 0o755 });
    renameSync(`${path}.part`, path);
  }
  return path;
};

/** As it is in the sources now. */
export const bundleRuntime = async ({ board, cachePath }: Work): Promise<Buffer> => {
  const path = join(cachePath, `lichen-runtime-${board.arch}-${process.pid}.mjs`);
  const words = ['bundle', '--arch', board.arch, '--entry', 'runtime/main.ts', '--outfile', path];
  await runTool(`/${process.execPath.slice(1)}`, [join(projectPath, 'build.mjs'), ...words], { cwd: projectPath });
  const bundled = readFileSync(path);
  rmSync(path);
  return bundled;
};
