/** What is said of a planted program before it is started. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkProgramFile } from '../../../../runtime/adapters/partitions/program.ts';

let root: string;
const elf = (machine: number): Uint8Array =>
  new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, ...new Array<number>(13).fill(0), machine, 0, 1, 2, 3]);

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lichen-program-'));
  mkdirSync(join(root, 'bin'));
  for (const [name, bytes] of [
    ['x64', elf(62)],
    ['arm64', elf(183)],
    ['text', 'hello'],
    ['script', '#!/bin/x64\n'],
    ['short', '#'],
  ] as const) {
    writeFileSync(join(root, 'bin', name), bytes);
    chmodSync(join(root, 'bin', name), 0o555);
  }
  writeFileSync(join(root, 'bin', 'plain'), '#!/bin/x64\n', { mode: 0o444 });
  symlinkSync('/bin/x64', join(root, 'absolute'));
  symlinkSync('bin', join(root, 'sbin'));
  symlinkSync('round', join(root, 'round'));
});
afterAll(() => rmSync(root, { recursive: true }));

const refusal = (program: string, engine: 'none' | 'node' = 'none'): string => {
  const limits = { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 };
  try {
    checkProgramFile(
      {
        partition: 'p',
        rootPath: root,
        args: [program],
        env: {},
        engine,
        limits,
        parameters: '{}',
        network: null,
        devices: [],
        secrets: {},
      },
      'x64',
    );
    return '';
  } catch (error) {
    return String(error);
  }
};

describe('a planted program', () => {
  test.each(['/bin/x64', '/bin/script', '/absolute', '/sbin/x64'])('%s may be started', (program) => expect(refusal(program)).toBe(''));
  test("that is the board's own need not be there", () => expect(refusal('/usr/bin/node', 'node')).toBe(''));
  test.each([
    ['/bin/arm64', 'is built for arm64, and is to run on x64'],
    ['/bin/text', 'neither a script'],
    ['/bin/short', 'neither a script'],
    ['/bin/plain', '/bin/plain is not executable'],
    ['/bin', '/bin is not executable'],
    ['/bin/none', 'the release has no /bin/none'],
    ['/round', 'the release has no /round'],
    ['/usr/bin/node', 'the release has no /usr/bin/node'],
  ])('%s is refused', (program, words) => {
    expect(refusal(program)).toContain('bad-release');
    expect(refusal(program)).toContain(words);
  });
});
