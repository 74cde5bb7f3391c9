/** What an owner tells of a board: of this machine, and of a page on a network that may be anybody's. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { TEN_MINUTES } from '../../../gateway/cli/ten-minutes.ts';
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

test('with what else an owner may try, line by line as the documentation has it', async () => {
  const { stdout } = await lichen(['doctor', '--hardware-report']);
  const docs = readFileSync(new URL('../../../docs/images.md', import.meta.url), 'utf8');
  const [, list = ''] = /\n## Ten minutes with a real board\n[\s\S]*?\n(1\. [\s\S]*?)\n\n/.exec(docs) ?? [];
  const lines = list.split(/\n(?=\d+\. )/).map((line) => line.replace(/\s+/g, ' ').replaceAll('**', ''));
  expect(lines).toEqual(TEN_MINUTES.map((line, at) => `${at + 1}. ${line}`));
  expect(lines).toHaveLength(10);
  const printed = stdout.replace(/ +/g, ' ');
  for (const line of lines) expect(printed).toContain(`\n${line.replaceAll('`', '')}\n`);
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
