/** Programs of the machine that builds. None of them needs root, and none runs what it is handed. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';

/** By program: the Debian package that brings it. */
export const TOOLS = {
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  xz: 'xz-utils',
  depmod: 'kmod',
  'mkfs.erofs': 'erofs-utils',
  'mkfs.vfat': 'dosfstools',
  mcopy: 'mtools',
  mmd: 'mtools',
  sfdisk: 'fdisk',
} as const;
export type Tool = keyof typeof TOOLS;

/** A person's PATH often lacks the last three, and none of these tools needs root. */
const places = (): string[] => [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/local/sbin', '/usr/sbin', '/sbin'];

const pathOf = (tool: string): string | undefined =>
  places()
    .map((place) => join(place, tool))
    .find((path) => existsSync(path));

/** Told all at once and before anything is done. */
export const needTools = (tools: readonly Tool[]): void => {
  const missing = tools.filter((tool) => pathOf(tool) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => TOOLS[tool]))].join(' ');
  refuse('image-failed', `this machine has no ${missing.join(', ')}: on Debian, apt-get install ${packages}`);
};

export interface ToolOptions {
  cwd?: string;
  input?: string | Uint8Array;
  env?: Record<string, string>;
}

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** What it writes to stdout. Error: `image-failed` with its own last words. */
export const runTool = (tool: Tool | `/${string}`, args: string[], { cwd = '/', input, env = {} }: ToolOptions = {}): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, LC_ALL: 'C', ...env }, maxBuffer: OUTPUT_BYTES_MAX, encoding: 'buffer' as const };
    const child = execFile(pathOf(tool) ?? tool, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.toString().trim().split('\n').slice(-3).join('; ');
      try {
        refuse('image-failed', `${tool}: ${said || error.message}`);
      } catch (thrown) {
        reject(thrown);
      }
    });
    child.stdin?.on('error', () => undefined); // it ended without reading: its status says why
    child.stdin?.end(input);
  });
