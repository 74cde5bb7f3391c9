/** A folder has one gateway, and one board, for as long as that lives. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdFolder } from '../../../runtime/adapters/folder.ts';

let home = '';
let folder = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-folder-'));
  folder = join(home, 'gateway');
  mkdirSync(folder);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const isHeldBy = (pid: number | undefined) =>
  expect.objectContaining({
    code: 'conflict',
    detail: expect.stringContaining(`process ${pid}`),
    next: expect.stringContaining('stop it'),
  });

test('the second is refused, by whatever name it calls the folder, and told who holds it; another folder is free', async () => {
  const held = await holdFolder(folder, 'board');
  symlinkSync(folder, join(home, 'again'));
  for (const path of [folder, join(home, 'again'), join(folder, '..', 'gateway')])
    await expect(holdFolder(path, 'board')).rejects.toEqual(isHeldBy(process.pid));
  (await holdFolder(home, 'board')).release();
  (await holdFolder(folder, 'gateway')).release();
  held.release();
  (await holdFolder(folder, 'board')).release();
});

test('whoever is killed holds it no longer, and leaves nothing behind', async () => {
  const module = fileURLToPath(new URL('../../../runtime/adapters/folder.ts', import.meta.url));
  const script = `import { holdFolder } from ${JSON.stringify(module)}; await holdFolder(${JSON.stringify(folder)}, 'board'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    await expect(holdFolder(folder, 'board')).rejects.toEqual(isHeldBy(child.pid));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  (await holdFolder(folder, 'board')).release();
});
