/** Requests from words: what they mean, and that nothing is written for words that mean nothing. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANY_PRICE } from '../../../gateway/cli/ceremony.ts';
import type { Client } from '../../../gateway/cli/client.ts';
import { readDocument } from '../../../gateway/cli/documents.ts';
import { readKey } from '../../../gateway/cli/keys.ts';
import { type Change, type MakeFlags, makeFiles, nextOf } from '../../../gateway/cli/request-make.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { openKeyFile } from '../../../runtime/adapters/keyfile.ts';
import { fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import { fingerprint, type TenantId } from '../../../runtime/protocol/ids.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { type Request, requestIdOf, requestNoun, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { testCrypto } from '../../support/crypto.ts';

describe('a request', () => {
  let directory: string;
  let flags: MakeFlags;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-make-'));
    const tenantKey = join(directory, 'tenant.key');
    openKeyFile(tenantKey);
    flags = {
      ...{
        tenantKey,
        release: 'ab'.repeat(32),
        name: 'museum',
        replicas: '1',
        state: 'started',
        sequence: '7',
        cap: '5.25',
        currency: 'EUR',
        valid: '30d',
        tolerate: '0',
        bake: '1m',
      },
      ...{ patience: '90s', onIsolation: 'continue', out: join(directory, 'museum.request') },
    };
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('is what its words say, and so is the voucher that is made along', async () => {
    const made = await makeFiles({
      ...flags,
      param: ['port=8081', 'greeting=a=b'],
      filter: ['tier=full', 'region=north'],
      link: ['db=stock'],
      publish: ['web=8080'],
      priceCap: ['cpuSecond=30n'],
      replicas: '2',
    });
    const [voucherFile, requestFile] = made.files;
    const request = unseal(testCrypto, requestNoun, new Uint8Array(readFileSync(requestFile!)));
    const voucher = unseal(testCrypto, voucherNoun, new Uint8Array(readFileSync(voucherFile!)));
    const tenant = fingerprint(testCrypto, openKeyFile(flags.tenantKey).signer.publicKey);
    expect(request.value).toMatchObject({
      ...{
        tenant,
        name: 'museum',
        sequence: 7,
        state: 'started',
        replicas: 2,
        parameters: { port: '8081', greeting: 'a=b' },
        filter: { tier: 'full', region: 'north' },
        links: { db: 'stock' },
        publish: { web: 8080 },
      },
      ...{
        currency: 'EUR',
        onIsolation: 'continue',
        patienceMs: 90_000,
        priceCap: { cpuSecond: 30n, wallHour: 10n ** 15n },
        voucher: voucher.hash,
      },
    });
    expect(voucher.value).toMatchObject({ tenant, currency: 'EUR', capMicro: 5_250_000n });
    expect(voucher.value.notAfterMs - voucher.value.serial).toBe(30 * 86_400_000);
    expect(readDocument(requestFile!)).toMatchObject({ kind: 'request', hash: request.hash });
  });

  test.each<[string, Partial<MakeFlags>]>([
    ['--state', { state: 'running' }],
    ['--replicas', { replicas: '0' }],
    ['--replicas', { replicas: '65' }],
    ['--release', { release: 'abc' }],
    ['--name', { name: 'Museum' }],
    ['--filter', { filter: ['colour=red'] }],
    ['--filter', { filter: ['tier=best'] }],
    ['--filter', { filter: ['board=short'] }],
    ['--param', { param: ['x'] }],
    ['--param', { param: ['Port=1'] }],
    ['--patience', { patience: 'never' }],
    ['--patience', { patience: '1ms' }],
    ['--cap', { cap: '100000001' }],
    ['--cap', { cap: '0.0000001' }],
    ['--currency', { currency: 'euro' }],
    ['--valid', { valid: '1y' }],
    ['--voucher', { voucher: 'x' }],
    ['--price-cap', { priceCap: ['gpu=1'] }],
    ['--on-isolation', { onIsolation: 'panic' }],
    ['--sequence', { sequence: '0' }],
  ])('%s is read strictly: %o', async (flag, changes) => {
    const out = join(directory, 'none.request');
    await expect(makeFiles({ ...flags, ...changes, out })).rejects.toMatchObject({
      code: 'bad-usage',
      detail: expect.stringContaining(flag),
    });
    expect([existsSync(out), existsSync(`${out}.voucher`)]).toEqual([false, false]);
  });
});

describe('the next sequence of a request', () => {
  const WAVES = { waves: [{ kind: 'count' as const, count: 1 }], tolerated: 0 };
  const [present, before, newer] = ['11', '22', '33'].map((byte) => byte.repeat(32));
  let directory = '';
  let keyFile = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-next-'));
    keyFile = join(directory, 'tenant.key');
    openKeyFile(keyFile);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** `fellBack`: some board runs another release in its place. */
  const next = async (
    change: Change,
    { fallback = null as string | null, fellBack = false, state = null as 'rolling' | 'halted' | 'done' | null } = {},
  ): Promise<Request> => {
    const { signer } = readKey(keyFile);
    const tenant = fingerprint<TenantId>(nodeCrypto, signer.publicKey);
    const request = requestIdOf(nodeCrypto, tenant, 'museum');
    const row = {
      ...{ request, tenant, name: 'museum', sequence: 3, state: 'started', release: present, replicas: 1, parameters: { a: 'b' } },
      ...{
        filter: {},
        priceCap: ANY_PRICE,
        currency: 'EUR',
        voucher: before,
        onIsolation: 'continue',
        patienceMs: 1000,
        links: {},
        publish: {},
      },
      ...{
        secrets: [],
        lacks: [],
        holdMs: null,
        windows: null,
        rollout: state === null ? null : { plan: WAVES, state },
        bang: 0,
        refused: '',
        leases: [],
        fallback: fallback === null ? null : { release: fallback, bakeMs: 5 },
      },
    };
    const instances = [{ request, report: { instead: fellBack ? fallback : null } }];
    const client = { url: 'http://test', ask: async (call: string) => (call === 'requests' ? [row] : instances) };
    const { document } = await nextOf('museum', change, keyFile, client as unknown as Client);
    return unseal(nodeCrypto, requestNoun, document).value;
  };
  const releases = ({ release, fallback }: Request): (string | undefined)[] => [hex(release), fallback && hex(fallback.release)];
  const update = { release: fromHex(newer!), bake: '90s' };

  test('keeps the releases when something else changes', async () => {
    expect(releases(await next({ state: 'stopped' }))).toEqual([present, undefined]);
    expect(releases(await next({ state: 'stopped' }, { fallback: before! }))).toEqual([present, before]);
  });

  test('of another release falls back to the present one, unless that has failed itself, or nobody wants it', async () => {
    const updated = await next({ update });
    expect([...releases(updated), updated.fallback?.bakeMs, updated.sequence]).toEqual([newer, present, 90_000, 4]);
    expect(releases(await next({ update }, { fallback: before!, fellBack: true }))).toEqual([newer, before]);
    expect(releases(await next({ update: { ...update, bake: null } }, { fallback: before! }))).toEqual([newer, undefined]);
    expect(releases(await next({ update: { ...update, release: fromHex(before!) } }, { fallback: before!, fellBack: true }))).toEqual([
      before,
      undefined,
    ]);
  });

  test('with waves that have not reached all falls back to what the others run; another change leaves the waves as they are', async () => {
    const rolling = { fallback: before!, state: 'rolling' as const };
    expect(releases(await next({ update: { ...update, rollout: WAVES } }, rolling))).toEqual([newer, before]);
    expect(releases(await next({ update }, { ...rolling, state: 'halted' }))).toEqual([newer, before]);
    expect(releases(await next({ update }, { ...rolling, state: 'done' }))).toEqual([newer, present]);
    expect((await next({ state: 'stopped' }, rolling)).rollout).toEqual(WAVES);
    expect((await next({ rollback: true }, rolling)).rollout).toBeUndefined();
    expect((await next({ update: { ...update, rollout: WAVES } })).rollout).toEqual(WAVES);
  });

  test('goes back to what the present one would fall back to, and says when there is nothing', async () => {
    expect(releases(await next({ rollback: true }, { fallback: before! }))).toEqual([before, undefined]);
    await expect(next({ rollback: true })).rejects.toMatchObject({
      code: 'not-found',
      detail: expect.stringContaining('request set --release'),
    });
  });
});
