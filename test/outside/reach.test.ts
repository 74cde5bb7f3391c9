/** Links from the tenant's signature to the packet: a gateway, a board with real partitions, and who reaches whom. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BoardId } from '../../runtime/protocol/ids.ts';
import type { NetworkWish } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import { until } from '../../sim/harness/wait.ts';
import { bindingOf, demandOf, owner, piecesOf, publisher, type Release, requestOf, smallRelease } from './documents.ts';
import { federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';
import { RealBoard } from './real-board.ts';

const LIMITS = { cpuMillis: 400, memoryMib: 64, pids: 16, tmpMib: 1 };
const LINKED: NetworkWish = { outbound: [], dns: false, links: [{ name: 'db', port: 7000, protocol: 'tcp' }], publish: [] };
const often = (port: number): Manifest['promises'] => [
  { name: 'answers', probe: { kind: 'http', port, path: '/' }, intervalMs: 300, timeoutMs: 1000, graceMs: 20_000 },
];
const node = (script: string): string[] => ['/usr/bin/node', '-e', script];

/** Says who it is to whoever asks. */
const SERVE = "require('node:http').createServer((_, answer) => answer.end('stock')).listen(7000)";
/** Is well as long as it reaches what it calls db. */
const ASK = `
  const { createServer, get } = require('node:http');
  createServer((_, answer) => {
    const asked = get('http://db:7000/', { timeout: 500 }, (said) => { answer.statusCode = said.statusCode; answer.end(); said.resume(); });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => { answer.statusCode = 503; answer.end(); });
  }).listen(8080)`;

interface Seen {
  name: string;
  lease: string;
  board: string;
  report: { state: string; promise: string; restarts: number; detail: string; address: string | null } | null;
}

const suite = (): void => {
  const stock = smallRelease('stock', 1, { args: node(SERVE), limits: LIMITS, promises: often(7000) });
  const shop = smallRelease('shop', 1, { args: node(ASK), limits: LIMITS, promises: often(8080), network: LINKED });
  let gateway: Gateway;
  let board: RealBoard;

  const seen = async (name: string): Promise<Seen | undefined> =>
    (await gateway.get<Seen[]>('/1/instances')).find((one) => one.name === name);
  const untilSeen = (name: string, what: string, holds: (report: NonNullable<Seen['report']>) => boolean): Promise<Seen> =>
    until(`${name} to be ${what}`, 30_000, async () => {
      const found = await seen(name);
      return found?.report !== undefined && found.report !== null && holds(found.report) ? found : undefined;
    });
  const ask = (name: string, release: Release, more: Partial<Request> = {}) => gateway.accepts(...demandOf(name, release.hash, more));

  beforeAll(async () => {
    gateway = await Gateway.open(await federate('north'), 'north');
    await gateway.admit(tenant);
    await gateway.accepts(publisher.document, ...piecesOf(stock), ...piecesOf(shop));
    board = RealBoard.start(
      'board that links',
      (await gateway.order<{ claim: string }>('/1/claims', { owner: owner.id })).claim,
      { 'tick-ms': 50, 'report-ms': 200 },
      null,
    );
    await board.said(/"line":"running"/);
    await until('the board to be known', PATIENCE_MS, async () =>
      (await gateway.get<{ offer: unknown }[]>('/1/boards')).some(({ offer }) => offer !== null) ? true : undefined,
    );
    await gateway.accepts(bindingOf(board.key.id as BoardId, 1));
  });
  afterAll(async () => {
    await board?.end();
    await gateway?.end();
  });

  test('an instance waits for what it is linked to, is placed beside it, and reaches it by name', async () => {
    await ask('front', shop, { links: { db: 'back' } });
    const requests = await gateway.get<{ name: string; lacks: string[] }[]>('/1/requests');
    expect(requests.find(({ name }) => name === 'front')?.lacks).toEqual(['it is to be beside back, which has no board']);
    await ask('back', stock);
    const front = await untilSeen('front', 'well', ({ promise }) => promise === 'held');
    expect(front.board).toBe((await seen('back'))?.board);
    expect(front.report).toMatchObject({ state: 'running', detail: '' });
  });

  test('the link goes with its other end and comes back with it, and the instance is not started again', async () => {
    const before = await seen('front');
    await ask('back', stock, { sequence: 2, state: 'stopped' });
    await untilSeen('front', 'told', ({ promise }) => promise !== 'held');
    await untilSeen('back', 'stopped', ({ state }) => state === 'stopped');
    await ask('back', stock, { sequence: 3 });
    const after = await untilSeen('front', 'well again', ({ promise }) => promise === 'held');
    expect([after.lease, after.report?.restarts, after.report?.address]).toEqual([before?.lease, 0, before?.report?.address]);
  });

  test('what no board lends is said to the tenant, and to whoever asks for this board at once', async () => {
    const reader = smallRelease('reader', 1, { args: node(SERVE), devices: ['camera'] });
    await gateway.accepts(...piecesOf(reader));
    await ask('anywhere', reader);
    const requests = await gateway.get<{ name: string; lacks: string[] }[]>('/1/requests');
    expect(requests.find(({ name }) => name === 'anywhere')?.lacks).toEqual(['no board lends camera']);
    const here = requestOf('here', reader.hash, { filter: { board: board.key.id } }).document;
    const { status, body } = await gateway.push(here);
    expect([status, body]).toEqual([
      409,
      { error: expect.objectContaining({ code: 'not-offered', why: expect.stringContaining('camera') }) },
    ]);
  });
};

const CAN = process.getuid?.() === 0 && ['/usr/bin/crun', '/usr/bin/conmon', '/usr/sbin/nft'].every((path) => existsSync(path));
if (CAN) describe('what is linked', suite);
else describe('what is linked', () => test.skip('needs root, and apt-get install crun conmon nftables', () => undefined));
