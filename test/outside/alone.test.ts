/** What only one gateway has, its tenant is told. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hex } from '../../runtime/protocol/bytes.ts';
import { until } from '../../sim/harness/wait.ts';
import { piecesOf, publisher, smallRelease } from './documents.ts';
import { type Federation, federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';

const LICHEN = join(import.meta.dirname, '../../gateway/lichen.ts');
const release = smallRelease('alone');
const ALONE = /no other gateway has it yet/;

let directory: string;
let federation: Federation;
let north: Gateway;

const lichen = (...args: string[]) =>
  promisify(execFile)(process.execPath, [LICHEN, ...args, '--api', north.url], { cwd: directory, timeout: 30_000 });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lichen-outside-'));
  writeFileSync(join(directory, 'tenant.key'), tenant.seed, { mode: 0o600 });
  federation = await federate('north', 'south');
  north = await Gateway.open(federation, 'north');
  await north.admit(tenant);
  await north.accepts(publisher.document, ...piecesOf(release));
  const terms = ['--release', hex(release.hash), '--name', 'lone', '--cap', '1.00', '--currency', 'EUR', '--sequence', '1'];
  await lichen('request', 'make', '--tenant-key', 'tenant.key', ...terms, '--out', 'lone.request');
});
afterAll(async () => {
  await north?.end();
  rmSync(directory, { recursive: true, force: true });
});

test('a request that its gateway could tell nobody is accepted, and its tenant told so, until a peer has it', async () => {
  const pushed = await lichen('request', 'push', 'lone.request.voucher', 'lone.request');
  expect(pushed.stderr).toMatch(ALONE);
  expect((await lichen('request', 'list')).stdout).toMatch(/started \(this gateway alone has it\)/);
  expect((await lichen('request', 'show', 'lone')).stdout).toMatch(ALONE);
  const south = await Gateway.open(federation, 'south');
  try {
    await until('the peer to have it', PATIENCE_MS, async () => {
      const [request] = (await north.get('/1/requests')) as { copied: boolean }[];
      return request?.copied === true || undefined;
    });
    expect((await lichen('request', 'list')).stdout).not.toMatch(/alone/);
    const stopped = await lichen('request', 'stop', 'lone', '--tenant-key', 'tenant.key');
    expect(stopped.stderr).not.toMatch(ALONE);
  } finally {
    await south.end();
  }
});
