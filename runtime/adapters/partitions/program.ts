/** The program of a planted root, looked at before it is started: what crun would say of it helps nobody. */
import { closeSync, lstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import type { PartitionSpec } from '../../ports/partitions.ts';
import { LichenError } from '../../protocol/errors.ts';
import { resolveLink } from '../../protocol/path.ts';
import { checkProgramHead, HEAD_BYTES, NODE_INSIDE } from '../../protocol/program.ts';

/** As many as the kernel follows. */
const HOPS = 40;

/** Links of a release count from its root. Null when there is nothing. */
const resolved = (root: string, path: string): string | null => {
  let left = path.split('/').filter((name) => name !== '');
  const at: string[] = [];
  for (let hops = 0; left.length > 0; ) {
    const [name = '', ...rest] = left;
    const here = [...at, name].join('/');
    const stat = lstatSync(`${root}/${here}`, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    if (stat.isSymbolicLink()) {
      if (++hops > HOPS) return null;
      left = [
        ...resolveLink(here, readlinkSync(`${root}/${here}`))
          .split('/')
          .filter((part) => part !== ''),
        ...rest,
      ];
      at.length = 0;
    } else {
      at.push(name);
      left = rest;
    }
  }
  return `${root}/${at.join('/')}`;
};

const headOf = (path: string): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
};

/** Error: `bad-release`. */
export const checkProgramFile = ({ args: [program = ''], engine, rootPath }: PartitionSpec, arch: string): void => {
  if (engine === 'node' && program === NODE_INSIDE) return;
  const path = resolved(rootPath, program);
  if (path === null) throw new LichenError('bad-release', `the release has no ${program}`);
  const stat = statSync(path);
  if (!stat.isFile() || (stat.mode & 0o111) === 0) throw new LichenError('bad-release', `${program} is not executable`);
  if (arch === 'x64' || arch === 'arm64') checkProgramHead(program, headOf(path), arch);
};
