/** hello-sensor over HTTP: the JSON, the promise, the page; and the built program as a partition starts it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bundleWorkload } from '../../../recipes/builder/workload.ts';
import { openReadings } from '../../../recipes/hello-sensor/readings.ts';
import { createSensorServer } from '../../../recipes/hello-sensor/server.ts';
import type { Source } from '../../../recipes/hello-sensor/sources.ts';

let server: Server = createServer();
let origin = '';
let monotonicMs = 0;
let value: number | null = 20;

const source: Source = {
  source: '/sys/x',
  kind: 'temperature',
  unit: '°C',
  label: '<script>',
  read: () => {
    if (value === null) throw new Error('gone');
    return value;
  },
};
const now = () => ({ wallMs: 1_800_000_000_000 + monotonicMs, monotonicMs });
const readings = () => openReadings(() => [source]);
let current = readings();

beforeEach(async () => {
  [monotonicMs, value, current] = [0, 20, readings()];
  server = createSensorServer({ readings: current, now, freshMs: 4000 });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`${origin}${path}`, { method });
  return { status: response.status, headers: response.headers, text: await response.text() };
};

describe('the promise', () => {
  test('holds while a reading is fresh, and only then', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 503, text: 'nothing has been read yet\n' });
    current.round(now());
    expect(await get('/healthz')).toMatchObject({ status: 200 });
    monotonicMs = 4000;
    expect(await get('/healthz')).toMatchObject({ status: 200 });
    monotonicMs = 4001;
    expect(await get('/healthz')).toMatchObject({ status: 503, text: 'the last reading is 4001 ms old\n' });
    value = null;
    current.round(now());
    expect((await get('/healthz')).status).toBe(503);
    value = 21;
    current.round(now());
    expect((await get('/healthz')).status).toBe(200);
  });
});

describe('/readings', () => {
  test('is the first live reading, with all others below', async () => {
    current.round(now());
    monotonicMs = 250;
    const { status, headers, text } = await get('/readings?x=1');
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-store',
    ]);
    const at = '2027-01-15T08:00:00.000Z';
    const said = { source: '/sys/x', kind: 'temperature', unit: '°C', value: 20, at };
    expect(JSON.parse(text)).toEqual({ ...said, ageMs: 250, readings: [{ ...said, label: '<script>', state: 'live', why: null }] });
  });

  test('has no value when there is none', async () => {
    expect(JSON.parse((await get('/readings')).text)).toEqual({
      source: null,
      kind: null,
      unit: null,
      value: null,
      at: null,
      ageMs: null,
      readings: [],
    });
    value = null;
    current.round(now());
    expect(JSON.parse((await get('/readings')).text)).toMatchObject({
      source: null,
      value: null,
      readings: [{ state: 'unreadable', value: null }],
    });
  });
});

describe('the page', () => {
  test('needs nothing from elsewhere and runs nothing but its own script', async () => {
    const { status, headers, text } = await get('/');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).not.toMatch(/https?:|\/\/[a-z]/);
    const policy = headers.get('content-security-policy') ?? '';
    for (const [, body = ''] of text.matchAll(/<(?:style|script)>(.*?)<\/(?:style|script)>/gs)) {
      expect(policy).toContain(`'sha256-${createHash('sha256').update(body).digest('base64')}'`);
    }
    expect(policy).toContain("default-src 'none'");
    expect(text).toContain('color-scheme: light dark');
  });
});

describe('what is not served', () => {
  test.each([
    ['GET', '/etc/passwd', 404],
    ['GET', '/healthz/', 404],
    ['POST', '/readings', 405],
    ['DELETE', '/', 405],
  ])('%s %s is answered with %i', async (method, path, status) => expect((await get(path, method)).status).toBe(status));

  test('HEAD is GET without the body', async () => {
    const head = await get('/', 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers.get('content-length')).toBe((await get('/')).headers.get('content-length'));
  });
});

const isolated = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const canIsolate = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;

describe('the built program', () => {
  let home = '';
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'lichen-sensor-'));
    const { bytes } = await bundleWorkload(join(import.meta.dirname, '../../../recipes/hello-sensor'), 'main.ts');
    writeFileSync(join(home, 'main.mjs'), bytes);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  /** Starts it in an empty environment, waits for its promise, reads once over IPv6, ends it as an engine does. */
  const driver = `
    import { spawn } from 'node:child_process';
    const child = spawn(process.execPath, ['main.mjs'], { env: { LICHEN_INTERVAL_MS: '100' }, stdio: ['ignore', 'inherit', 'inherit'] });
    const ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
    const get = (path) => fetch('http://[::1]:8080' + path).catch(() => null);
    for (let tries = 0; tries < 500 && !(await get('/healthz'))?.ok; tries++) await new Promise((done) => setTimeout(done, 10));
    const { readings, value } = await (await get('/readings')).json();
    child.kill('SIGTERM');
    process.stdout.write(JSON.stringify({ live: readings.every(({ state }) => state === 'live'), isNumber: Number.isFinite(value), ...(await ended) }));
  `;
  // A network of its own: it listens on every address, which is nothing for the one of this machine.
  test.skipIf(!canIsolate)('serves on [::]:8080 and ends when it is told to', () => {
    const command = [...isolated, process.execPath, '--input-type=module', '-e', driver];
    const { stdout, stderr } = spawnSync(command[0]!, command.slice(1), { cwd: home, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ live: true, isNumber: true, code: 0, signal: null });
  });

  test.each(['0', '99', '60001', 'soon', '1e3.5', ' '])('refuses the interval %j with a sentence', (interval) => {
    const { status, stderr } = spawnSync(process.execPath, ['main.mjs'], {
      cwd: home,
      env: { LICHEN_INTERVAL_MS: interval },
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 64, stderr: `interval-ms is 100 to 60000, not "${interval}"\n` });
  });
});
