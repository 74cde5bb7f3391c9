/** The two programs of an image that are not Debian's: Node, and the runtime as one file. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';
import { loadablePart } from './elf.ts';
import { runTool } from './tool.ts';
import { projectPath, type Work } from './work.ts';

/** Without its symbols, once a version. */
export const strippedNode = ({ board, cachePath }: Work): string => {
  const source = join(projectPath, 'node_modules', `node-linux-${board.arch}`, 'bin/node');
  if (!existsSync(source)) refuse('image-failed', `there is no ${source}: run "npm ci" in the project's folder`);
  const { size, mtimeMs } = statSync(source);
  const path = join(cachePath, `node-${board.arch}-${size}-${Math.trunc(mtimeMs)}`);
  if (!existsSync(path)) {
    writeFileSync(`${path}.part`, loadablePart(readFileSync(source)), { mode: 0o755 });
    renameSync(`${path}.part`, path);
  }
  return path;
};

/** As it is in the sources now. */
export const bundleRuntime = async ({ board, cachePath }: Work): Promise<string> => {
  const path = join(cachePath, `lichen-runtime-${board.arch}-${process.pid}.mjs`);
  const words = ['bundle', '--arch', board.arch, '--entry', 'runtime/main.ts', '--outfile', path];
  await runTool(`/${process.execPath.slice(1)}`, [join(projectPath, 'build.mjs'), ...words], { cwd: projectPath });
  return path;
};
