import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plantMountPoint } from '../../../../runtime/adapters/partitions/mount-points.ts';

describe('mount points in a planted root', () => {
  let directory: string;
  let root: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-mounts-'));
    root = join(directory, 'root');
    mkdirSync(join(root, 'usr/lib'), { recursive: true });
    mkdirSync(join(directory, 'outside'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are made where they are missing, and once more changes nothing', () => {
    for (const _ of [1, 2]) {
      plantMountPoint(root, { target: '/proc', kind: 'directory' });
      plantMountPoint(root, { target: '/usr/bin/node', kind: 'file' });
    }
    expect(statSync(join(root, 'proc')).isDirectory()).toBe(true);
    expect(statSync(join(root, 'usr/bin/node')).size).toBe(0);
  });

  it('leave a closed directory as closed as it was', () => {
    chmodSync(root, 0o555);
    plantMountPoint(root, { target: '/data', kind: 'directory' });
    expect(existsSync(join(root, 'data'))).toBe(true);
    expect(statSync(root).mode & 0o777).toBe(0o555);
    chmodSync(root, 0o755);
  });

  it("follow a link that stays inside, as Debian's /lib does", () => {
    symlinkSync('usr/lib', join(root, 'lib'));
    plantMountPoint(root, { target: '/lib/libm.so.6', kind: 'file' });
    expect(existsSync(join(root, 'usr/lib/libm.so.6'))).toBe(true);
  });

  it.each([
    ['a link out of the root', '../outside'],
    ["an absolute link, which would be the board's own", '/tmp'],
  ])('refuse %s', (_what, target) => {
    symlinkSync(target, join(root, 'lib'));
    expect(() => plantMountPoint(root, { target: '/lib/x', kind: 'file' })).toThrow(/bad-path/);
    expect(readdirSync(join(directory, 'outside'))).toEqual([]);
  });

  it('refuse a dangling link, a file where a directory is needed, and the other way round', () => {
    symlinkSync('nowhere', join(root, 'data'));
    expect(() => plantMountPoint(root, { target: '/data', kind: 'directory' })).toThrow(/dangling/);
    writeFileSync(join(root, 'tmp'), '');
    expect(() => plantMountPoint(root, { target: '/tmp', kind: 'directory' })).toThrow(/something else/);
    expect(() => plantMountPoint(root, { target: '/usr/lib', kind: 'file' })).toThrow(/something else/);
  });
});
