/**
 * A shared instance from two tenants' command lines to an HTTP answer: the recipe built and pushed, a real board with real
 * partitions, a gateway. The instance is never started again, whoever comes and goes.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildRelease } from '../../recipes/builder/build.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import type { BoardId, TenantId } from '../../runtime/protocol/ids.ts';
import { until } from '../../sim/harness/wait.ts';
import { bindingOf, owner, publisher, releaseKey } from './documents.ts';
import { federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';
import { person } from './person.ts';
import { RealBoard } from './real-board.ts';

const LICHEN = fileURLToPath(new URL('../../gateway/lichen.ts', import.meta.url));
const RECIPE = fileURLToPath(new URL('../../recipes/signpost', import.meta.url));
const guest = person<TenantId>('guest');

interface Shown {
  refused: string;
  servings: { address: string | null; connection: string | null }[];
}

const suite = (): void => {
  let gateway: Gateway;
  let board: RealBoard;
  let directory: string;

  const lichen = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [LICHEN, ...args, '--api', gateway.url], { cwd: directory, timeout: 30_000 })).stdout;
  const shown = async (name: string): Promise<Shown> =>
    JSON.parse((await lichen('share', 'show', name, '--json')).trim().split('\n').at(-1) ?? '');
  const told = (name: string): Promise<{ url: string }> =>
    until(`share ${name} to be told how it is reached`, 30_000, async () => {
      const [serving] = (await shown(name)).servings;
      if (serving?.connection == null || serving.address === null) return;
      const { port, path } = JSON.parse(serving.connection) as { port: number; path: string };
      return { url: `http://[${serving.address}]:${port}${path}` };
    });
  const follow = async (url: string): Promise<[number, string | null]> => {
    const { status, headers } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5_000) });
    return [status, headers.get('location')];
  };
  const ask = async (key: string, name: string, to: string): Promise<void> => {
    const file = `${name}-${to.length}.share`;
    await lichen(
      'share',
      'make',
      '--tenant-key',
      key,
      '--name',
      name,
      '--host',
      `${tenant.id}/signs`,
      '--param',
      `to=${to}`,
      '--out',
      file,
    );
    await lichen('request', 'push', file);
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-outside-'));
    for (const [file, { seed }] of Object.entries({ 'host.key': tenant, 'guest.key': guest }))
      writeFileSync(join(directory, file), seed, { mode: 0o600 });
    gateway = await Gateway.open(await federate('north'), 'north');
    await gateway.admit(tenant);
    await gateway.admit(guest);
    const built = await buildRelease({
      ...{
        recipePath: RECIPE,
        publisherId: publisher.doc.publisher,
        signer: releaseKey.signer,
        sequence: 1,
        cachePath: join(directory, 'cache'),
      },
    });
    await gateway.accepts(publisher.document, built.manifest, ...built.pages.values(), ...built.chunks.values());
    const { claim } = await gateway.order<{ claim: string }>('/1/claims', { owner: owner.id });
    board = RealBoard.start('board that serves many', claim, { 'tick-ms': 50, 'report-ms': 200 }, null);
    await board.said(/"line":"running"/);
    await until('the board to be known', PATIENCE_MS, async () =>
      (await gateway.get<{ offer: unknown }[]>('/1/boards')).some(({ offer }) => offer !== null) ? true : undefined,
    );
    await gateway.accepts(bindingOf(board.key.id as BoardId, 1));
    const terms = ['--release', hex(built.release), '--name', 'signs', '--cap', '1.00', '--currency', 'EUR'];
    await lichen(
      'request',
      'make',
      '--tenant-key',
      'host.key',
      ...terms,
      '--shares',
      '2',
      '--share-with',
      guest.id,
      '--out',
      'signs.request',
    );
    await lichen('request', 'push', 'signs.request.voucher', 'signs.request');
  });
  afterAll(async () => {
    await board?.end();
    await gateway?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('serves its own tenant and another one, and each is told its own way [instances-26]', async () => {
    await ask('host.key', 'own', 'https://example.org/own');
    await ask('guest.key', 'theirs', 'https://example.org/theirs');
    const [own, theirs] = [await told('own'), await told('theirs')];
    expect(await follow(own.url)).toEqual([302, 'https://example.org/own']);
    expect(await follow(theirs.url)).toEqual([302, 'https://example.org/theirs']);
    expect(own.url).not.toBe(theirs.url);
  });

  test('refuses a third, and takes it once there is room; nobody was interrupted [instances-25]', async () => {
    const { url } = await told('theirs');
    await expect(ask('guest.key', 'third', 'https://example.org/third')).rejects.toThrow('signs serves 2 shares, and others came first');
    await lichen('share', 'destroy', 'own', '--tenant-key', 'host.key');
    await lichen('request', 'push', 'third-25.share');
    const third = await told('third');
    expect(await follow(third.url)).toEqual([302, 'https://example.org/third']);
    await ask('guest.key', 'theirs', 'https://example.org/elsewhere');
    await until('the sign to lead elsewhere', 30_000, async () => (await follow(url))[1] === 'https://example.org/elsewhere' || undefined);
    const [instance] = await gateway.get<{ report: { restarts: number; state: string } }[]>('/1/instances');
    expect(instance?.report).toMatchObject({ restarts: 0, state: 'running' });
    expect((await shown('own')).servings).toEqual([]);
  });

  test('refuses what is no address by the schema of its recipe, before anything is kept', async () => {
    await expect(ask('guest.key', 'odd', 'nowhere')).rejects.toThrow('does not match format');
    expect(await lichen('share', 'list')).toContain('destroyed');
  });
};

const CAN = process.getuid?.() === 0 && ['/usr/bin/crun', '/usr/bin/conmon', '/usr/sbin/nft'].every((path) => existsSync(path));
if (CAN) describe('a shared instance', suite);
else describe('a shared instance', () => test.skip('needs root, and apt-get install crun conmon nftables', () => undefined));
