/** Which disk a limit is about, what the kernel is told, and where a card is mounted. */
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskOf, ioMaxOf } from '../../../../runtime/adapters/partitions/card.ts';
import { mountOf } from '../../../../runtime/adapters/partitions/data-project.ts';
import { numbersOf } from '../../../../runtime/adapters/partitions/devices.ts';

describe('the disk of a directory', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-card-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** A /sys in which the directory's own device is this one. */
  const sysWith = (name: string, partition: boolean): string => {
    const sys = join(directory, name);
    const at = join(sys, 'devices/mmcblk0', ...(partition ? ['mmcblk0p2'] : []));
    mkdirSync(at, { recursive: true });
    mkdirSync(join(sys, 'dev/block'), { recursive: true });
    writeFileSync(join(sys, 'devices/mmcblk0/dev'), '179:0\n');
    if (partition) writeFileSync(join(at, 'partition'), '2\n');
    const { major, minor } = numbersOf(statSync(directory, { bigint: true }).dev);
    symlinkSync(at, join(sys, `dev/block/${major}:${minor}`));
    return sys;
  };

  it('is the whole one, also for a partition of it: the kernel limits no others', () => {
    expect(diskOf(directory, sysWith('whole', false))).toBe('179:0');
    expect(diskOf(directory, sysWith('part', true))).toBe('179:0');
  });

  it('is none where no disk has that number', () => expect(diskOf(directory, join(directory, 'nothing'))).toBeNull());
});

describe('a line of io.max', () => {
  it('says bytes, operations of each way, and that what is not said has no end', () => {
    expect(ioMaxOf('179:0', { writeKibPerS: 512 })).toBe('179:0 rbps=max wbps=524288 riops=max wiops=max');
    expect(ioMaxOf('179:0', { readKibPerS: 64, ioOpsPerS: 100 })).toBe('179:0 rbps=65536 wbps=max riops=100 wiops=100');
  });
});

describe('the mount of a path', () => {
  const MOUNTS = '/dev/a / erofs ro 0 0\n/dev/b /data ext4 rw 0 0\n/dev/c /data/board/x ext4 rw 0 0\ntmpfs /database tmpfs rw 0 0\n';
  it.each([
    ['/data/board/partitions', '/data'],
    ['/data', '/data'],
    ['/data/board/x/y', '/data/board/x'],
    ['/database/x', '/database'],
    ['/dat', '/'],
  ])('of %s is %s', (path, mount) => expect(mountOf(path, MOUNTS)).toBe(mount));
  it('is none where nothing is mounted', () => expect(mountOf('/data', '')).toBeNull());
});
