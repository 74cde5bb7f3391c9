/** A board that has had no network since it was paired: what it is to run comes by a folder, and what it used goes back by it. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { statementSchema } from '../../runtime/protocol/nouns/billing.ts';
import { type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { usageBatch } from '../../runtime/protocol/nouns/messages.ts';
import { freePorts } from '../../sim/harness/ports.ts';
import { until } from '../../sim/harness/wait.ts';
import { bindingOf, demandOf, LASTING, owner, piecesOf, publisher, requestOf, smallRelease } from './documents.ts';
import { federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';
import { RealBoard } from './real-board.ts';

const LICHEN = fileURLToPath(new URL('../../gateway/lichen.ts', import.meta.url));
const release = smallRelease('remote', 1, LASTING);

let gateway: Gateway;
let board: RealBoard;
let hand: string;
/** At the gateway, and at the board: a stick is in one place only. */
const at = (place: 'gateway' | 'board'): string => join(hand, place);

beforeAll(async () => {
  hand = mkdtempSync(join(tmpdir(), 'lichen-carried-'));
  gateway = await Gateway.open(await federate('north'), 'north');
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document, ...piecesOf(release));
  const { claim } = await gateway.order<{ claim: string }>('/1/claims', { owner: owner.id });
  board = RealBoard.start('remote board', claim, { 'record-ms': 1000 });
  await until('the board to be here', PATIENCE_MS, async () => (await gateway.get<unknown[]>('/1/boards')).length > 0);
  await board.said(/at home/);
  await board.process.kill('SIGTERM');
  // From here on no way leads from it to anybody.
  board.setup.proxyPort = (await freePorts(1))[0] ?? 1;
  board.setup.stick = at('board');
  board.restart();
  await gateway.accepts(bindingOf(board.key.id, 1), ...demandOf('remote', release.hash, { filter: { board: board.key.id } }));
});
afterAll(async () => {
  await board?.end();
  await gateway?.end();
  rmSync(hand, { recursive: true, force: true });
});

interface Brought {
  board: string;
  usage: number;
  leases: number;
  pieces: number;
  problems: string[];
  refused: { code: string; why: string } | null;
}

const lichen = (...args: string[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, LICHEN_API: gateway.url, LICHEN_TOKEN: gateway.token };
    execFile(process.execPath, [LICHEN, ...args, '--json'], { env, timeout: 60_000 }, (error, stdout, stderr) => {
      const last = stdout.trim().split('\n').at(-1) ?? '';
      if (last === '') reject(error ?? new Error(stderr));
      else resolve(JSON.parse(last));
    });
  });
const bring = async (): Promise<Brought> => {
  const [brought] = (await lichen('release', 'import', at('gateway'))) as Brought[];
  if (brought === undefined) throw new Error('nothing was brought');
  return brought;
};

/** Copied and not moved, so that the copy can be looked at. */
const carry = (from: 'gateway' | 'board', to: 'gateway' | 'board'): void => {
  rmSync(at(to), { recursive: true, force: true });
  cpSync(at(from), at(to), { recursive: true });
  rmSync(at(from), { recursive: true, force: true });
};
const own = (place: 'gateway' | 'board', ...way: string[]): string => join(at(place), 'lichen', 'boards', board.key.id, ...way);
const names = (place: 'gateway' | 'board', way: string): string[] =>
  existsSync(own(place, way)) ? readdirSync(own(place, way)).sort() : [];
/** The board has turned to the folder, and is done with it. */
const visited = (answered: boolean): Promise<string> =>
  until('the board to have written there', 40_000, () => {
    const status = existsSync(own('board', 'status.json')) ? readFileSync(own('board', 'status.json'), 'utf8') : '';
    return status !== '' &&
      names('board', 'up').some((name) => name.endsWith('-hello')) &&
      (!answered || names('board', 'down').length === 0)
      ? status
      : undefined;
  });
const instance = async () => (await gateway.get<{ report: { state: string } | null; opened: boolean }[]>('/1/instances'))[0];

test('is told what to run, runs it, and is billed as if it had been at home [stick-1] [stick-3]', async () => {
  await lichen('release', 'export', '--to', at('gateway'));
  carry('gateway', 'board');
  await visited(false);
  carry('board', 'gateway');
  const first = await bring();
  expect(first).toMatchObject({ board: board.key.id, leases: 1, refused: null, problems: [] });
  expect(first.pieces).toBeGreaterThanOrEqual(5);
  expect(names('gateway', 'down').map((name) => name.slice(7))).toEqual(
    ['now', 'desired', 'ack'].slice(0, names('gateway', 'down').length),
  );
  carry('gateway', 'board');
  await visited(true);
  await until(
    'the instance to be up',
    40_000,
    async () => board.log().some((line) => line.includes('at home')) && (board.partitions().length > 0 || undefined),
  );
  // It goes on without anybody, and what it used is on the stick the next time.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  rmSync(own('board', 'status.json'), { force: true });
  await visited(true);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  carry('board', 'gateway');
  const second = await bring();
  expect(second).toMatchObject({ refused: null, problems: [], leases: 1 });
  expect(second.usage).toBeGreaterThan(1);
  expect(await instance()).toMatchObject({ opened: true, report: { state: 'running' } });
  const records = readdirSync(own('gateway', 'up'))
    .filter((name) => name.endsWith('-usage'))
    .flatMap((name) => decodeAs(usageBatch, new Uint8Array(readFileSync(own('gateway', 'up', name))), 'usage').records)
    .map((record): Usage => unseal(nodeCrypto, usageNoun, record).value);
  const last = records.reduce((a, b) => (b.seq > a.seq ? b : a));
  const { period } = await gateway.order<{ period: number }>('/1/periods', {});
  const bytes = new Uint8Array(await (await fetch(`${gateway.url}/1/periods/${period}/statement`)).arrayBuffer());
  const [posting] = decodeAs(statementSchema, bytes, 'statement', 8_000_000).invoices.flatMap(({ postings }) => postings);
  expect(posting).toMatchObject({ toSeq: last.seq });
  expect([posting?.used.wallMs, posting?.used.cpuMicros]).toEqual([last.registers.wallMs, last.registers.cpuMicros]);
  expect(last.registers.wallMs).toBeGreaterThan(1000n);
});

test('is told to stop by the next one', async () => {
  await gateway.accepts(requestOf('remote', release.hash, { filter: { board: board.key.id }, sequence: 2, state: 'destroyed' }).document);
  expect(await bring()).toMatchObject({ leases: 0, refused: null });
  carry('gateway', 'board');
  await visited(true);
  await until('it to be gone', 30_000, () => (board.partitions().length === 0 ? true : undefined));
});

const asksAnew = () =>
  until('the board to have asked anew', 40_000, () => (names('board', 'up').some((name) => name.endsWith('-hello')) ? true : undefined));

test('plants nothing of content that is not what it is called [stick-2]', async () => {
  await gateway.accepts(requestOf('remote', release.hash, { filter: { board: board.key.id }, sequence: 3 }).document);
  await asksAnew();
  carry('board', 'gateway');
  expect(await bring()).toMatchObject({ leases: 1, refused: null });
  const content = join(at('gateway'), 'lichen', 'content');
  for (const name of readdirSync(content)) writeFileSync(join(content, name), `not ${name}`);
  const mark = board.mark();
  carry('gateway', 'board');
  await visited(true);
  const lines = board.log().slice(mark);
  expect(lines.some((line) => /chunk refused: bad-signature/.test(line))).toBe(true);
  expect(board.partitions()).toEqual([]);
});

test('takes nothing from a folder that is torn, turned over or malicious, and says why [stick-4]', async () => {
  await asksAnew();
  carry('board', 'gateway');
  await bring();
  truncateSync(own('gateway', 'down', names('gateway', 'down').find((name) => name.endsWith('-desired')) ?? ''), 40);
  symlinkSync('/etc/passwd', own('gateway', 'down', '000007-ack'));
  writeFileSync(own('gateway', 'down', '000008-ack'), new Uint8Array(100_000));
  writeFileSync(own('gateway', 'down', 'autorun.sh'), 'rm -rf /');
  mkdirSync(own('gateway', 'down', '000009-now'));
  const mark = board.mark();
  carry('gateway', 'board');
  const status = JSON.parse(await visited(true));
  const problems: string[] = status.problems;
  for (const why of [
    /000007-ack is no plain file/,
    /000008-ack has 100000 bytes/,
    /autorun\.sh.* is no name/,
    /000009-now is no plain file/,
  ])
    expect(
      problems.some((problem) => why.test(problem)),
      `${why} in ${problems.join('\n')}`,
    ).toBe(true);
  expect(
    board
      .log()
      .slice(mark)
      .some((line) => /desired refused: bad-/.test(line)),
  ).toBe(true);
  // The next whole one is taken as if nothing had been.
  await asksAnew();
  carry('board', 'gateway');
  expect(await bring()).toMatchObject({ leases: 1, refused: null });
  carry('gateway', 'board');
  await until('it to run', 40_000, () => (board.partitions().length === 1 ? true : undefined));
});
