/** A runtime that was begun before what it needs is there. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const entry = join(import.meta.dirname, '../../runtime/main.ts');

test('--after: nothing is said and nothing is made until something is written to the pipe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-after-'));
  const [pipe, data] = [join(folder, 'go'), join(folder, 'data')];
  execFileSync('mkfifo', [pipe]);
  const child = spawn(process.execPath, [entry, '--after', pipe, '--data', data, '--tier', 'dev', '--neighbours', 'off'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const said: string[] = [];
    const first = new Promise<void>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line);
        resolve();
      });
    });
    // Is open as soon as the other end is, and not before.
    const go = await open(pipe, 'w');
    expect(said).toEqual([]);
    expect(existsSync(data)).toBe(false);
    await go.write('\n');
    await first;
    expect(JSON.parse(said[0] ?? '')).toMatchObject({ line: 'starts' });
    await go.close();
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
