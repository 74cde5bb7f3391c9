/**
 * Mount points inside a planted root. They are made by us and not by the OCI runtime, so that both engines leave the
 * same (empty) entries in the tree and a link in a release can never lead a mount out of its root.
 */
import { chmodSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LichenError } from '../../protocol/errors.ts';

export interface MountPoint {
  /** Absolute path inside the root. */
  target: string;
  kind: 'directory' | 'file';
}

/** A planted directory may be 0555; root does not care, the dev engine's user owns it and lifts the mode for a moment. */
const inside = (directory: string, make: () => void): void => {
  const mode = statSync(directory).mode & 0o7777;
  const closed = (mode & 0o200) === 0;
  if (closed) chmodSync(directory, mode | 0o200);
  try {
    make();
  } finally {
    if (closed) chmodSync(directory, mode);
  }
};

export const plantMountPoint = (root: string, { target, kind }: MountPoint): void => {
  const base = realpathSync(root);
  const names = target.split('/').filter((name) => name !== '');
  if (names.some((name) => name === '..' || name === '.')) throw new LichenError('bad-path', target);
  let at = base;
  for (const [index, name] of names.entries()) {
    const next = join(at, name);
    const last = index === names.length - 1;
    if (!existsSync(next)) {
      if (lstatSync(next, { throwIfNoEntry: false }) !== undefined)
        throw new LichenError('bad-path', `${target}: ${name} is a dangling link`);
      if (last && kind === 'file') inside(at, () => closeSync(openSync(next, 'wx', 0o444)));
      else inside(at, () => mkdirSync(next, { mode: 0o755 }));
    }
    at = realpathSync(next);
    if (at !== base && !`${dirname(at)}/`.startsWith(`${base}/`)) throw new LichenError('bad-path', `${target} leads out of its root`);
    const isDirectory = statSync(at).isDirectory();
    if (isDirectory !== (!last || kind === 'directory')) throw new LichenError('bad-path', `the release has something else at ${target}`);
  }
};

/** The places that every partition has, whatever its release carries. */
export const COMMON_MOUNT_POINTS: MountPoint[] = ['/proc', '/sys', '/dev', '/tmp', '/data', '/run/lichen'].map((target) => ({
  target,
  kind: 'directory',
}));
