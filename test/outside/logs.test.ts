/** A log, from a program on a real board over a real gateway to the command line, through the end of both. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchLog } from '../../gateway/cli/log-watch.ts';
import { linesOf } from '../../gateway/cli/logs.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import type { TenantId } from '../../runtime/protocol/ids.ts';
import type { LogText } from '../../runtime/protocol/nouns/watch.ts';
import { until } from '../../sim/harness/wait.ts';
import { bindingOf, demandOf, owner, piecesOf, publisher, smallRelease } from './documents.ts';
import { type Federation, federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';
import { type Person, person } from './person.ts';
import { RealBoard } from './real-board.ts';

const LICHEN = fileURLToPath(new URL('../../gateway/lichen.ts', import.meta.url));
const COUNTS = "let i = 0; process.on('SIGTERM', () => process.exit()); setInterval(() => console.log('line ' + ++i), 100)";
const release = smallRelease('talker', 1, { args: ['/usr/bin/node', '-e', COUNTS] });

let federation: Federation;
let gateway: Gateway;
let board: RealBoard;

beforeAll(async () => {
  federation = await federate('north');
  gateway = await Gateway.open(federation, 'north');
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document, ...piecesOf(release));
  const { claim } = await gateway.order<{ claim: string }>('/1/claims', { owner: owner.id });
  board = RealBoard.start('talker board', claim);
  await until('the board to be here', PATIENCE_MS, async () => (await gateway.get<unknown[]>('/1/boards')).length > 0);
  await gateway.accepts(bindingOf(board.key.id, 1), ...demandOf('talker', release.hash));
  await until('the instance to run', 30_000, async () => {
    const [instance] = await gateway.get<{ report: { state: string } | null }[]>('/1/instances');
    return instance?.report?.state === 'running' ? true : undefined;
  });
});
afterAll(async () => {
  await board?.end();
  await gateway?.end();
});

const watch = (by: Person, follow: boolean, take: (part: LogText) => void): Promise<void> =>
  watchLog({
    ...{ address: gateway.entry.address, gatewayKey: gateway.entry.key, key: by, name: 'talker', index: 0, follow, take },
    ...{ tailBytes: 1 << 20, broken: () => {}, timeoutMs: 5_000, retryMs: 100 },
  });

const wordsOf = (part: LogText): string[] => linesOf(part).map(({ text }) => text);

test('is followed through a restart of the runtime and of the gateway: every line once, in order [logs-5]', async () => {
  const heard: string[] = [];
  const gaps: number[] = [];
  const following = watch(tenant, true, (part) => {
    heard.push(...wordsOf(part));
    if (part.missed > 0) gaps.push(part.missed);
  });
  // It goes on for ever; what ends it is the end of the test.
  following.catch((thrown: unknown) => heard.push(String(thrown)));
  const at = (line: number) => until(`line ${line}`, 30_000, () => (heard.includes(`line ${line}`) ? true : undefined));
  await at(10);
  await board.process.kill('SIGKILL');
  board.restart();
  const mark = heard.length;
  await until('more lines', 40_000, () => (heard.length > mark + 10 ? true : undefined));
  await gateway.close();
  gateway = await Gateway.open(federation, 'north', { dir: gateway.dir });
  const again = heard.length;
  await until('more lines', 60_000, () => (heard.length > again + 10 ? true : undefined));
  expect(gaps).toEqual([]);
  expect(heard).toEqual(heard.map((_, i) => `line ${i + 1}`));
});

test('is for its tenant: on the command line, and to nobody else', async () => {
  const stranger = person<TenantId>('stranger');
  await gateway.admit(stranger);
  await expect(watch(stranger, false, () => {})).rejects.toMatchObject({ code: 'not-found' });
  const run = (key: Person, ...more: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const file = join(gateway.dir, 'who.key');
    writeFileSync(file, key.seed, { mode: 0o600 });
    const args = ['logs', 'talker', '--mqtt', gateway.entry.address, '--gateway-key', hex(gateway.entry.key), '--tenant-key', file];
    return new Promise((resolve) => {
      execFile(process.execPath, [LICHEN, ...args, ...more], { timeout: 30_000 }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  };
  const plain = await run(tenant);
  expect([plain.code, plain.stderr]).toEqual([0, '']);
  expect(plain.stdout).toMatch(/^line \d+\n(line \d+\n)+$/);
  const json = JSON.parse((await run(tenant, '--json', '--tail', '1')).stdout.trim().split('\n').at(-1) ?? '');
  expect(Object.keys(json)).toEqual(['lease', 'missed', 'lines']);
  expect(json.lines[0]).toMatchObject({ stream: 'out', text: expect.stringMatching(/^line \d+$/), goesOn: false });
  const refused = await run(stranger);
  expect(refused.code).toBe(66);
  expect(refused.stdout).toBe('');
  expect(refused.stderr).toContain('talker/0 runs nowhere');
  expect((await run(tenant, '--follow', '--json')).code).toBe(64);
});
