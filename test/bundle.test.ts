/** A program bundled by build.mjs is one file that needs nothing but Node. */
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Aedes } from 'aedes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERRORS } from '../runtime/protocol/errors.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const everythingWorks = { lmdb: true, cbor: true, sign: true, schema: true, mqtt: true, inventory: true };

let home = '';
let built = '';
let broker: Aedes;
let server: Server;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lichen-bundle-test-'));
  built = join(home, 'built.mjs');
  await run(process.execPath, ['build.mjs', 'bundle', '--entry', 'test/fixtures/bundle/probe.ts', '--outfile', built], { cwd: root });
  broker = await Aedes.createBroker();
  server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => broker.close(() => resolve(undefined)));
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

/** Runs the bundle alone in an empty directory, with `cache` as its cache directory; answers with its last line. */
async function runAlone(name: string, cache: string): Promise<unknown> {
  const place = join(home, name);
  mkdirSync(place, { recursive: true });
  copyFileSync(built, join(place, 'probe.mjs'));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const environment = { PATH: process.env.PATH, HOME: place, XDG_CACHE_HOME: cache };
  const { stdout } = await run(process.execPath, ['probe.mjs', place, String(port)], { cwd: place, env: environment });
  const result: unknown = JSON.parse(stdout);
  return result;
}

function addonFile(cache: string): string {
  const directory = join(cache, 'lichen', 'native');
  const files = readdirSync(directory);
  expect(files).toHaveLength(1);
  return join(directory, files[0]!);
}

describe('a bundled program', () => {
  test('runs alone, and keeps its addon where only its user can reach it', async () => {
    const cache = join(home, 'cache');
    expect(await runAlone('first', cache)).toEqual(everythingWorks);
    const path = addonFile(cache);
    expect(path).toMatch(/lmdb-[0-9a-f]{64}\.node$/);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o500);
  });

  test('replaces a torn addon instead of loading it', async () => {
    const cache = join(home, 'torn');
    await runAlone('before', cache);
    const path = addonFile(cache);
    const whole = readFileSync(path);
    chmodSync(path, 0o700);
    writeFileSync(path, whole.subarray(0, 1000));
    expect(await runAlone('after', cache)).toEqual(everythingWorks);
    expect(readFileSync(addonFile(cache)).equals(whole)).toBe(true);
  });

  test('runs without any directory for the addon', async () => {
    const blocked = join(home, 'blocked');
    writeFileSync(blocked, 'a file where the directory would have to be');
    expect(await runAlone('nowhere', blocked)).toEqual(everythingWorks);
  });

  test('is readable text that names no path of the machine that built it', () => {
    const text = readFileSync(built, 'utf8');
    expect(text).toContain('transactionSync');
    // Paths of the machine that built it would make two builds of one source differ.
    expect(text).not.toContain(root);
    expect(text).not.toContain(home);
  });
});

describe('the bundled runtime', () => {
  let runtime = '';
  beforeAll(async () => {
    runtime = join(home, 'runtime.mjs');
    await run(process.execPath, ['build.mjs', 'bundle', '--entry', 'runtime/main.ts', '--outfile', runtime], { cwd: root });
  });

  test('is ASCII, of which Node keeps one byte a character', () => {
    expect(readFileSync(runtime).findIndex((byte) => byte > 127)).toBe(-1);
  });

  test('does not begin on a Node that is too old, and says what to run it with', async () => {
    // Another Node is not to be had everywhere: this one gives itself out for one.
    const claim = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.2' } })";
    const hook = `data:text/javascript,${encodeURIComponent(claim)}`;
    const ran = run(process.execPath, ['--import', hook, runtime, '--help', '--json'], { cwd: home });
    const { code, stdout, stderr } = await ran.then(
      () => ({ code: 0, stdout: '', stderr: '' }),
      (failed) => failed,
    );
    expect({ code, stderr }).toEqual({
      code: ERRORS['old-node'].exit,
      stderr: expect.stringMatching(/20\.19\.2; 24 or newer.*\n.*Node 24/),
    });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'old-node', next: ERRORS['old-node'].next } });
  });

  test("starts without what lies behind getters of Node's own modules, such as its HTTP client, and without systeminformation", async () => {
    const tell = 'process.on("exit", () => console.error(JSON.stringify(process.moduleLoadList)))';
    const hook = `data:text/javascript,${encodeURIComponent(tell)}`;
    const { stderr } = await run(process.execPath, ['--import', hook, runtime, '--help'], { cwd: home });
    const loaded: string[] = JSON.parse(stderr);
    expect(loaded).toContain('NativeModule http');
    expect(loaded.filter((name) => /undici|webcrypto|fs\/streams/.test(name))).toEqual([]);
    expect(readFileSync(runtime, 'utf8')).not.toContain('dmidecode');
  });
});
