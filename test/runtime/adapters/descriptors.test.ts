/** What a board's runtime hands on to the programs that it starts: nothing of its own, and nothing of whoever started it. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { keepFromChildren } from '../../../runtime/adapters/descriptors.ts';
import { openLmdbStore } from '../../../runtime/adapters/lmdb-store.ts';
import type { Outcome, Store } from '../../../runtime/turn/store.ts';
import { until } from '../../../sim/harness/wait.ts';

const RUNTIME = fileURLToPath(new URL('../../../runtime/main.ts', import.meta.url));
const STRAY = 200;
const CLOEXEC = 0o2000000;
const folder = mkdtempSync(join(tmpdir(), 'lichen-descriptors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Number to file, of those that a child would inherit (`inherited`) or not. */
const descriptorsOf = (pid: number | 'self', inherited: boolean): Map<number, string> => {
  const found = new Map<number, string>();
  for (const name of readdirSync(`/proc/${pid}/fd`).filter((one) => Number(one) > 2)) {
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
      if (((Number.parseInt(flags, 8) & CLOEXEC) === 0) === inherited) found.set(Number(name), readlinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // It was closed between the listing and now.
    }
  }
  return found;
};

const committed = (store: Store, owner: string, key: string, value: Uint8Array): Promise<Outcome> =>
  new Promise((resolve) => store.commit({ writes: new Map([[key, value]]), expected: new Map(), owner }, resolve));

test('a store whose file is kept from children goes on as before', async () => {
  const path = join(folder, 'kept', 'store.mdb');
  const store = openLmdbStore({ path, owner: 'one' });
  expect([...descriptorsOf('self', true).values()]).toContain(path);
  keepFromChildren(path);
  expect([...descriptorsOf('self', true).values()]).not.toContain(path);
  expect([...descriptorsOf('self', false).values()]).toContain(path);
  // Longer than a page, so that the file grows.
  const long = new Uint8Array(100_000).fill(7);
  for (const key of ['a', 'b']) expect(await committed(store, 'one', key, long)).toEqual({ kind: 'committed' });
  store.close();
  expect([...descriptorsOf('self', false).values()]).not.toContain(path);
  const again = openLmdbStore({ path, owner: 'two' });
  expect(again.snapshot().get('b')).toMatchObject({ value: long });
  again.close();
});

test('a runtime closes what its parent left open, and its store is nobody else’s', async () => {
  const stray = openSync('/dev/null', 'r');
  const between = Array.from({ length: STRAY - 3 }, () => 'ignore' as const);
  const words = ['--data', join(folder, 'board'), '--tier', 'dev'];
  const child = spawn(process.execPath, [RUNTIME, ...words], { stdio: ['ignore', 'ignore', 'pipe', ...between, stray] });
  closeSync(stray);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    const pid = child.pid ?? 0;
    // It asks to be paired, and by then it has opened what it needs.
    await until('the runtime to ask', 30_000, () => (/pair|claim/i.test(said) ? true : undefined));
    expect([...descriptorsOf(pid, false).values()].some((file) => file.endsWith('/store.mdb'))).toBe(true);
    expect([...descriptorsOf(pid, true)]).toEqual([]);
    expect(descriptorsOf(pid, false).has(STRAY)).toBe(false);
    expect(said).not.toContain('storage-broken');
  } finally {
    child.kill('SIGKILL');
  }
});

test('a runtime leaves Node the file of further authorities that it still reads', async () => {
  const authorities = join(folder, 'authorities');
  execFileSync('mkfifo', [authorities]);
  // Nothing ever comes of it, so that it is read for as long as the runtime lives.
  const writer = openSync(authorities, constants.O_RDWR);
  const child = spawn(process.execPath, [RUNTIME, '--data', join(folder, 'other'), '--tier', 'dev'], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: authorities },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await until('the runtime to ask', 30_000, () => (/pair|claim/i.test(said) ? true : undefined));
    expect([...descriptorsOf(child.pid ?? 0, true).values()]).toEqual([authorities]);
  } finally {
    child.kill('SIGKILL');
    closeSync(writer);
  }
});
