/** npm packages that package-lock.json pins, those for other processors too: they are not installed, so they are fetched and compared. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { refuse } from '../runtime/protocol/errors.ts';
import { runTool } from './tool.ts';
import { projectPath } from './work.ts';

const modules = join(projectPath, 'node_modules');
const lockFile = v.object({
  packages: v.record(v.string(), v.object({ version: v.optional(v.string(), ''), integrity: v.optional(v.string(), '') })),
});

/** The npm that called us, else the one on PATH. */
const npm = (words: string[]): Promise<Buffer> => {
  const { npm_execpath: script = '', npm_node_execpath: node = '' } = process.env;
  const called = basename(script) === 'npm-cli.js' && node.startsWith('/') && existsSync(node);
  return called
    ? runTool(`/${node.slice(1)}`, [script, ...words], { cwd: projectPath })
    : runTool('/usr/bin/env', ['npm', ...words], { cwd: projectPath });
};

/** Its folder. */
export const lockedPackage = async (name: string): Promise<string> => {
  const installed = join(modules, name);
  if (existsSync(installed)) return installed;
  const locks = v.parse(lockFile, JSON.parse(readFileSync(join(projectPath, 'package-lock.json'), 'utf8')));
  const locked = locks.packages[`node_modules/${name}`] ?? refuse('image-failed', `package-lock.json pins no package "${name}"`);
  const cache = join(modules, '.cache', 'lichen', `${basename(name)}-${locked.version}`);
  const folder = join(cache, 'package');
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Beside and renamed: an interrupted one leaves no half of it.
  const draft = mkdtempSync(join(cache, 'draft-'));
  const flags = ['--pack-destination', draft, '--loglevel=error', '--silent'];
  const archive = join(draft, (await npm(['pack', `${name}@${locked.version}`, ...flags])).toString().trim());
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (integrity !== locked.integrity) refuse('image-failed', `${name}@${locked.version} is not what package-lock.json pins`);
  await runTool('/usr/bin/env', ['tar', '-xzf', archive, '-C', draft]);
  renameSync(join(draft, 'package'), folder);
  rmSync(draft, { recursive: true });
  return folder;
};
