/** What an owner tells of a board: of this machine, and of a page on a network that may be anybody's. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { readHardware } from '../../../runtime/adapters/hardware.ts';
import { type HardwareReport, hardwareReport } from '../../../runtime/protocol/hardware-report.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { openPage } from '../../../runtime/unpaired/page.ts';
import { lastJson, lichen } from './command.ts';

let server: Server | null = null;
afterEach(() => server?.close());

const showing = async (text: string): Promise<string> => {
  const shown = createServer((_request, response) => response.end(text));
  server = shown;
  await new Promise<void>((resolve) => shown.listen(0, '127.0.0.1', resolve));
  const address = shown.address() as AddressInfo;
  return `127.0.0.1:${address.port}`;
};

test('of this machine, as JSON and for people', async () => {
  const words = ['doctor', '--hardware-report'];
  const report = parse(hardwareReport, lastJson(await lichen([...words, '--json'])), 'report');
  expect(report.running).toBeNull();
  expect(report.hardware.memoryMib).toBeGreaterThan(0);
  expect((await lichen(words)).stdout).toMatch(/^model +\S.*\nkernel +\d/);
});

test("of a board's own page", async () => {
  const report: HardwareReport = { v: 1, hardware: await readHardware(), running: null };
  const page = await openPage({ host: '127.0.0.1', port: 0, report: () => Promise.resolve(report) });
  try {
    const ran = await lichen(['doctor', '--hardware-report', '--from', `127.0.0.1:${page.port}`, '--json']);
    expect(lastJson(ran)).toEqual(report);
  } finally {
    page.close();
  }
});

test.each([
  ['no JSON', 'hello', /is no report/],
  ['another JSON', '{"v": 1}', /is no report/],
  ['too much', '['.repeat(LIMITS.bodyBytes + 1), /longer than|shows no page/],
])('%s is refused', async (_name, text, why) => {
  const ran = await lichen(['doctor', '--hardware-report', '--from', await showing(text)]);
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toMatch(why);
});
