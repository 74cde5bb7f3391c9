/** What the shipped image enforces. Everything else that runs inside counts on it. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPartitions } from '../../../runtime/adapters/partitions/open.ts';

test('a board is of tier full and lacks nothing', async () => {
  const dataPath = mkdtempSync(join(tmpdir(), 'lichen-tier-'));
  // As a board's own is: partitions lead through it.
  chmodSync(dataPath, 0o711);
  const logged: string[] = [];
  const options = { board: 'tier'.padEnd(32, 'a'), dataPath, nodePath: process.execPath };
  const partitions = await openPartitions({ ...options, log: (line) => logged.push(line) });
  partitions.close();
  rmSync(dataPath, { recursive: true });
  const { tier, engine, lacks } = partitions.enforcement;
  expect({ tier, engine, lacks }, logged.join('\n')).toEqual({
    tier: 'full',
    engine: expect.stringMatching(/^crun 1\.2\d.*, cgroup v2, project quotas$/),
    lacks: [],
  });
});

test('the data partition counts by project, and takes neither programs with privileges nor devices', () => {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((one) => one.split(' ')[1] === '/data');
  const [, , type, options = ''] = (line ?? '').split(' ');
  expect(type).toBe('ext4');
  expect(options.split(',')).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noatime', 'prjquota']));
});

test('the root cannot be written, by root neither', () => {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((one) => one.split(' ')[1] === '/');
  expect(line?.split(' ')[2]).toBe('erofs');
  expect(line?.split(' ')[3]?.split(',')).toContain('ro');
  expect(existsSync('/data/board')).toBe(true);
});
