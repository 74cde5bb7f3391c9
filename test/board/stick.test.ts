/** A shipped image that has had no network since it was paired: a stick tells it what to run, and takes back what it used. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { told } from '../gateway/cli/command.ts';
import { boardWhen, type Federation, makePublisher, openFederation, writeSetup } from './federation.ts';
import { putOn, type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

const BOOT_LIMIT_MS = 600_000;
const VISIT_LIMIT_MS = 600_000;
const STICK_BYTES = 64 * 1024 ** 2;
/** As sticks are sold: one partition, which begins a mebibyte in. */
const PART = 'stick@@1M';
const HELLO = fileURLToPath(new URL('../../recipes/hello-sensor', import.meta.url));

interface Brought {
  board: string;
  usage: number;
  leases: number;
  refused: unknown;
  problems: string[];
}

let folder: string;
let image: TestImage;
let federation: Federation;
let machine: Machine;
let board: string;
const at = (path: string): string => join(folder, path);
const mtools = (tool: string, ...args: string[]): void => void execFileSync(tool, args, { cwd: folder });
const gatewayKnows = <T>(...words: string[]): Promise<T> => told<T>(words, federation.place);

/** What the board has done with a stick, once more than until now. */
const nextVisit = (what: string): Promise<string> => {
  const pattern = new RegExp(`a carried folder: ${what}`);
  return machine.line(pattern, VISIT_LIMIT_MS, machine.transcript.split('\n').filter((line) => pattern.test(line)).length + 1);
};
/** It is in, and all that the board has to say is on it. */
const said = async (): Promise<void> => {
  const visit = nextVisit('what this board says is on it');
  await machine.plugIn(at('stick'));
  await visit;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-stick-'));
  image = await testImage();
  federation = await openFederation(folder);
  writeCard(image, at('card'));
  putOn(at('card'), await writeSetup(federation, 'far'), 'lichen.json');
  machine = new Machine({ disks: [{ path: at('card') }], memoryMib: 512, reaches: [federation.gateway.ready.port] });
  ({ board } = await boardWhen(federation, 'the board to be paired', BOOT_LIMIT_MS, (row) => row.offer !== null));
  await machine.line(/at home/, BOOT_LIMIT_MS);
  await machine.close();
  writeFileSync(at('stick'), '');
  truncateSync(at('stick'), STICK_BYTES);
  execFileSync('sfdisk', ['--quiet', at('stick')], { input: 'label: dos\nstart=2048, type=c\n' });
  mtools('mformat', '-i', PART, '-T', String(STICK_BYTES / 512 - 2048), '::');
  machine = new Machine({ disks: [{ path: at('card') }], memoryMib: 512, alone: true, plugs: true });
});

afterAll(async () => {
  await machine?.close();
  await federation?.gateway.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** To the gateway's machine, where the folder is looked through and filled, and back. */
const carry = async (): Promise<Brought | undefined> => {
  await machine.pullOut();
  rmSync(at('hand'), { recursive: true, force: true });
  mkdirSync(at('hand'));
  mtools('mcopy', '-s', '-n', '-i', PART, '::lichen', 'hand/');
  const [brought] = await gatewayKnows<Brought[]>('release', 'import', 'hand');
  mtools('mdeltree', '-i', PART, '::lichen');
  mtools('mcopy', '-s', '-i', PART, 'hand/lichen', '::');
  return brought;
};

const state = async (): Promise<string | undefined> => {
  const [instance] = await gatewayKnows<{ report: { state: string } | null }[]>('instance', 'list');
  return instance?.report?.state;
};

test('a stick that nobody prepared is left alone, and that is said', async () => {
  await machine.line(/"line":"running"/, BOOT_LIMIT_MS);
  await machine.plugIn(at('stick'));
  await machine.line(/the stick sd.1 is not prepared/, BOOT_LIMIT_MS);
  await machine.pullOut();
  expect(machine.transcript).not.toContain('is in');
});

test('one that was prepared is taken for the way to the gateway: what it brings runs, and what it used comes back [stick-1] [stick-3]', async () => {
  const id = await makePublisher(federation);
  const recipe = [HELLO, '--key', 'release.key', '--publisher', id, '--sequence', '1', '--out', 'hello', '--cache', 'cache'];
  const { release } = await gatewayKnows<{ release: string }>('release', 'build', ...recipe);
  const terms = ['--owner-key', 'owner.key', '--payee', 'DE02', '--currency', 'EUR', '--rate', 'wallHour=3.6', '--rate', 'cpuSecond=20u'];
  await gatewayKnows('board', 'bind', '--board', board, ...terms);
  await gatewayKnows('tenant', 'admit', '--key', 'tenant.key', '--name', 'Museum');
  await gatewayKnows('release', 'push', 'hello', '--publisher', 'publisher-1.cose');
  const wish = ['--tenant-key', 'tenant.key', '--release', release, '--name', 'museum', '--cap', '5.00', '--currency', 'EUR'];
  await gatewayKnows('request', 'make', ...wish, '--filter', `board=${board}`, '--out', 'museum.request');
  await gatewayKnows('request', 'push', 'museum.request', 'museum.request.voucher');
  await gatewayKnows('release', 'export', '--to', 'hand');
  mtools('mcopy', '-s', '-i', PART, 'hand/lichen', '::');

  await said();
  expect(machine.transcript).toMatch(/the stick sd.1 is in/);
  expect(await carry()).toMatchObject({ board, leases: 1, refused: null, problems: [] });
  await machine.line(/the stick sd.1 is out/, BOOT_LIMIT_MS);

  // It runs some time after it was brought, and the next stick but one at the latest says so.
  let used = 0;
  for (let trip = 0; trip < 4 && (await state()) !== 'running'; trip++) {
    await said();
    const brought = await carry();
    expect(brought).toMatchObject({ board, leases: 1, refused: null, problems: [] });
    used += brought?.usage ?? 0;
  }
  expect(await state()).toBe('running');
  expect(used).toBeGreaterThan(0);
});
