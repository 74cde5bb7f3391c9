/** The page of an unpaired board, by real sockets: what it says, and what no reader may do with it. */
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HardwareReport, hardwareReport } from '../../../runtime/protocol/hardware-report.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { openPage, type Page } from '../../../runtime/unpaired/page.ts';

const report: HardwareReport = {
  v: 1,
  running: {
    ...{ board: 'a'.repeat(32), code: '123 456', hostname: 'beech', software: 'lichen-runtime/0', tier: 'full', engine: 'crun' },
    ...{
      lacks: [],
      waits: 'somebody <b>who</b> pairs it',
      wrong: ['lichen.json is not JSON'],
      said: ['eth0 has the address'],
      runtimeS: 12,
    },
  },
  hardware: {
    ...{ model: 'Raspberry Pi "3"', kernel: '6', firmware: 'x', memoryMib: 512, availableMib: 400, uptimeS: 20, watchdog: [], rtc: [] },
    ...{ wifi: [], buses: [], temperatures: [], throttled: null, addresses: ['10.0.0.2 (eth0)'], card: null, slot: 'a', partitions: [] },
  },
};

let page: Page;
let asked = 0;
beforeEach(async () => {
  const told = (): Promise<HardwareReport> => {
    asked++;
    return Promise.resolve(report);
  };
  page = await openPage({ host: '127.0.0.1', port: 0, report: told });
});
afterEach(() => page.close());

const at = (path: string): string => `http://127.0.0.1:${page.port}${path}`;
/** All that comes back for these bytes, until the board ends the connection. */
const sent = (bytes: string): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const socket = connect(page.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  });

test('says what the board is, in one file that brings nothing from elsewhere and runs nothing', async () => {
  const response = await fetch(at('/'));
  const text = await response.text();
  for (const part of ['beech', '123 456', 'a'.repeat(32), 'lichen.json is not JSON', '10.0.0.2', 'eth0 has the address'])
    expect(text).toContain(part);
  expect(text).toContain('somebody &lt;b&gt;who');
  expect(text).not.toMatch(/<script|src=|<link|<b>/);
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('says the same for programs and for a mail', async () => {
  expect(parse(hardwareReport, await (await fetch(at('/report.json'))).json(), 'report')).toEqual(report);
  expect(await (await fetch(at('/report.txt'))).text()).toMatch(/^board +a{32}\n(.*\n)+model +Raspberry Pi "3"\n/);
});

test.each([
  ['a file that is not there', 'GET /data/board.key HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 404/],
  ['a way out', 'GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 404/],
  ['a name that every object has', 'GET constructor HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 40[04]/],
  ['something to write', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello', /^HTTP\/1.1 405/],
  ['a body without a length', 'GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n', /^HTTP\/1.1 405/],
  ['no HTTP', '\u0016\u0003\u0001\r\n\r\n', /^HTTP\/1.1 400/],
  ['too much', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(LIMITS.pageRequestBytes)}\r\n\r\n`, /^HTTP\/1.1 431/],
])('%s is refused, and the connection ends', async (_name, bytes, answer) => {
  asked = 0;
  expect(await sent(bytes)).toMatch(answer);
  expect(asked).toBe(0);
});

test('more readers than it has room for are turned away, and leave it as it was', async () => {
  const readers = Array.from({ length: LIMITS.pageConnections + 4 }, () => connect(page.port, '127.0.0.1'));
  await Promise.all(readers.map((one) => new Promise((resolve) => one.once('connect', resolve))));
  const turnedAway = await Promise.race(readers.map((one) => new Promise((resolve) => one.once('close', () => resolve(true)))));
  expect(turnedAway).toBe(true);
  for (const one of readers) one.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await fetch(at('/'))).status).toBe(200);
});

test('a port that is taken is told', async () => {
  await expect(openPage({ host: '127.0.0.1', port: page.port, report: () => Promise.resolve(report) })).rejects.toThrow(/EADDRINUSE/);
});
