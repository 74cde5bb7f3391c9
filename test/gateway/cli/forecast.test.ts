/** What `request set --dry-run` says before anything is signed on: to whom when, how much to each by what runs there, at what price. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClient } from '../../../gateway/cli/client.ts';
import { type Forecast, forecastOf, forecastText } from '../../../gateway/cli/forecast.ts';
import { fromHex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId, LeaseId } from '../../../runtime/protocol/ids.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { type Request, requestIdOf, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { testCrypto } from '../../support/crypto.ts';
import { idOf, OWNER, PUBLISHER, request } from '../../support/federation.ts';
import { refused, told } from './command.ts';

const [NEW, PRESENT, BEFORE, PARTLY] = ['a1', 'b2', 'c3', 'd4'].map((two) => two.repeat(32)) as [string, string, string, string];
/** Of what a board that has the key would still be sent of the new one. */
const BYTES: Record<string, number> = { '': 9_000_000, [PRESENT]: 1_500_000, [BEFORE]: 3_000_000, [NEW]: 0 };
const RATES = { wallHour: '1000', cpuSecond: '2', memoryMibHour: '10', netMib: '0', diskMib: '0', dataMibHour: '0' };

const releaseRow = (release: string, missing = 0) => ({
  ...{ release, recipe: 'echo', label: '1', sequence: 1, publisher: PUBLISHER, bytes: 1, parameters: {}, parameterSchema: null },
  ...{ limits: { memoryMib: 100, cpuMillis: 500 }, missing, refused: '' },
});
const boardRow = (name: string, labels: string[] = []) => ({
  ...{ board: idOf<BoardId>(name), owner: OWNER, home: null, here: true, sinceMs: 0, quarantined: false, offer: null },
  ...{ labels, rates: RATES, bound: true, binding: 1 },
});
const REPORT = { state: 'running', promise: 'held', address: null, restarts: 0, detail: '', connection: null, atMs: 0 };

describe('a forecast', () => {
  let folder: string;
  let server: Server;
  let api: string;
  let rows: Record<string, object[]>;
  let heard: string[];
  let tenant: string;

  const id = () => requestIdOf(testCrypto, tenant as Request['tenant'], 'echo');
  const instance = (board: string, index: number, { term = 1, instead = null as string | null } = {}) => ({
    ...{ lease: idOf<LeaseId>(`${board}/${term}`), request: id(), name: 'echo', index, term, tenant, board: idOf<BoardId>(board) },
    ...{ guardian: idOf<GatewayId>('gateway a'), currency: 'EUR', opened: true },
    report: { ...REPORT, board: idOf<BoardId>(board), instead },
  });
  const standing = (changes: object = {}) => ({
    ...{ request: id(), tenant, name: 'echo', sequence: 4, state: 'started', release: PRESENT, replicas: 2, leases: [], parameters: {} },
    ...{ filter: {}, priceCap: RATES, currency: 'EUR', voucher: 'ab'.repeat(32), onIsolation: 'continue', patienceMs: 60_000 },
    ...{ holdMs: null, bang: 0, refused: '', ...changes },
  });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lichen-forecast-'));
    tenant = (await told<{ id: string }>(['key', 'new', 'tenant.key'], { cwd: folder })).id;
    heard = [];
    rows = {
      boards: [boardRow('one'), boardRow('two', ['attic']), boardRow('three'), boardRow('four')],
      releases: [releaseRow(NEW), releaseRow(PRESENT), releaseRow(BEFORE), releaseRow(PARTLY, 3)],
      requests: [standing()],
      instances: [instance('one', 0), instance('two', 1)],
    };
    server = createServer((asked, response) => {
      const url = new URL(asked.url ?? '', 'http://gateway');
      heard.push(`${asked.method} ${url.pathname}`);
      const bytes = BYTES[url.searchParams.get('from') ?? ''] ?? 0;
      const answer = url.pathname.endsWith('/difference')
        ? { pages: 1, chunks: 1, bytes, wireBytes: bytes }
        : rows[url.pathname.split('/').at(-1) ?? ''];
      response.writeHead(answer === undefined ? 500 : 200).end(JSON.stringify(answer ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const next = (changes: Partial<Request> = {}): Request =>
    request({ release: fromHex(NEW), replicas: 2, fallback: { release: fromHex(PRESENT), bakeMs: 60_000 }, ...changes });
  const forecast = (changes: Partial<Request> = {}, kbitPerS = 100): Promise<Forecast> =>
    forecastOf(openClient({ api }), id(), next(changes), kbitPerS);

  test('counts bytes by what runs on each board, and minutes by the slowest of each wave', async () => {
    rows.instances = [
      instance('one', 0),
      instance('two', 1),
      instance('four', 2, { instead: BEFORE }),
      instance('one', 2, { instead: null }),
      instance('three', 2, { term: 2, instead: BEFORE }),
    ];
    const replicas = [0, 1, 2, 3].map((index) => ({ index, wave: 1, trial: index === 1 ? 'old' : 'passed', why: '' }));
    const view = {
      plan: { waves: [{ kind: 'count', count: 1 }], tolerated: 0 },
      state: 'rolling',
      wave: 1,
      of: 1,
      why: '',
      next: '',
      replicas,
    };
    rows.requests = [standing({ replicas: 4, fallback: { release: PARTLY, bakeMs: 0 }, rollout: view })];
    const waves = [
      { kind: 'count' as const, count: 1 },
      { kind: 'label' as const, label: 'attic' },
    ];
    const made = await forecast({ replicas: 4, rollout: { waves, tolerated: 0 }, windows: [{ fromMinute: 60, minutes: 210 }] });
    const of = (name: string) => idOf<BoardId>(name);
    expect(made.waves).toEqual([
      { who: 'the first 1', replicas: [0], boards: [of('one')], bytes: [1_500_000] },
      // It runs a release that is not whole at the gateway, so nobody can say what they have in common.
      { who: 'boards with label attic', replicas: [1], boards: [of('two')], bytes: [9_000_000] },
      { who: 'all others', replicas: [2, 3], boards: [of('three')], bytes: [3_000_000, 9_000_000] },
    ]);
    expect(made).toMatchObject({ release: NEW, before: PRESENT, bytesPerBoard: 9_000_000, bytesWithout: 9_000_000 });
    // 2 min and 12 min for the bytes, and one more each to bake.
    expect([made.minutes, made.windows]).toEqual([3 + 13 + 13, ['01:00-04:30 UTC']]);
    expect(forecastText('echo', made, 100)).toContain(
      `wave 3, all others: replica 2, 3 on ${of('three').slice(0, 8)}, to each at most 8.6 MiB`,
    );
  });

  test('prices all replicas at their limits, by the rates of the boards that they are on', async () => {
    const made = await forecast();
    // Twice 1000 + 10 · 100 MiB + 2 · 3600 s · 0.5, in billionths.
    expect([made.pricePerHour, made.currency]).toEqual(['0.0000112', 'EUR']);
    rows.boards = [boardRow('one')];
    expect((await forecast()).pricePerHour).toBe('0.0000056');
  });

  test('of what runs already comes to nothing, and of nothing that runs to all of it', async () => {
    rows.requests = [standing({ release: NEW })];
    expect(await forecast({ fallback: undefined })).toMatchObject({ before: null, bytesPerBoard: 0, minutes: 0 });
    rows.instances = [];
    expect(await forecast()).toMatchObject({ bytesPerBoard: 9_000_000, waves: [{ boards: [], replicas: [0, 1] }], pricePerHour: '0.00' });
  });

  test('of a release that is not known is refused', async () => {
    rows.releases = [releaseRow(PRESENT)];
    await expect(forecast()).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is all that `request set --dry-run` makes: nothing is pushed', async () => {
    const words = ['request', 'set', 'echo', '--release', NEW, '--wave', '1', '--bake', '10m', '--tenant-key', 'tenant.key', '--api', api];
    const made = await told<{ sequence: number; forecast: Forecast }>([...words, '--dry-run', '--link', '1000'], { cwd: folder });
    expect(made).toMatchObject({ request: id(), name: 'echo', sequence: 5, state: 'started' });
    expect(made.forecast).toMatchObject({ release: NEW, before: PRESENT, bytesPerBoard: 1_500_000, minutes: 22 });
    expect(heard.length).toBeGreaterThan(4);
    expect(heard.filter((line) => !line.startsWith('GET '))).toEqual([]);
  });

  test('shows a wave that takes in nobody, which `request set` and `request make` refuse', async () => {
    const key = ['--tenant-key', 'tenant.key', '--api', api];
    const set = ['request', 'set', 'echo', '--release', NEW, '--wave', 'label=atic', ...key];
    const shown = await told<{ forecast: Forecast }>([...set, '--dry-run'], { cwd: folder });
    expect(shown.forecast.waves[0]).toMatchObject({ who: 'boards with label atic', replicas: [] });
    expect(await refused('bad-usage', 64, set, { cwd: folder })).toContain('of 2 boards that echo is on none has that label');
    const make = ['request', 'make', '--name', 'other', '--release', NEW, '--fallback', PRESENT, '--cap', '5', '--currency', 'EUR', ...key];
    expect(await refused('bad-usage', 64, [...make, '--wave', 'label=atic'], { cwd: folder })).toContain('of 4 boards none');
    await told(['key', 'new', 'owner.key'], { cwd: folder });
    const boards = ['one', 'two'].map((name) => idOf<BoardId>(name));
    const update = ['board', 'update', '--board', ...boards, '--owner-key', 'owner.key', '--publisher', PUBLISHER, '--api', api];
    expect(await refused('bad-usage', 64, [...update, '--wave', 'label=atic'], { cwd: folder })).toContain('they have attic');
    const left = await told<{ boards: object[] }>([...update, '--wave', 'label=atic', '1', '--skip-empty', '--out', 'words'], {
      cwd: folder,
    });
    expect(left.boards).toMatchObject([{ wave: 1 }, { wave: 2 }]);
    expect(heard.filter((line) => !line.startsWith('GET '))).toEqual([]);
    await told([...make, '--wave', 'label=attic', '--out', 'one'], { cwd: folder });
    await told([...make, '--wave', 'label=atic', '1', '--skip-empty', '--out', 'two'], { cwd: folder });
    const signed = unseal(testCrypto, requestNoun, new Uint8Array(readFileSync(join(folder, 'two')))).value;
    expect(signed.rollout?.waves).toEqual([{ kind: 'count', count: 1 }]);
  });
});
