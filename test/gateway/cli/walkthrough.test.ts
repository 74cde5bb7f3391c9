/** From keys to a checked bill with nothing but the command line, each step's JSON as its help promises it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '../../../gateway/cli/machine.ts';
import { inside, lastJson, lichen, refused, type Service, serve, told } from './command.ts';
import { PaperBoard } from './paper-board.ts';

const RECIPE = `name: echo
label: "1.0"
arch: any
args: [/app/echo]
parameters: { port: "8080" }
limits: { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 4 }
promises: []
files:
  - { from: app/echo, to: app/echo, executable: true }
`;

interface Key {
  id: string;
  publicKey: string;
}

describe('a federation of one', () => {
  let directory: string;
  let gateway: Service;
  let board: PaperBoard;
  let env: Record<string, string>;
  let place: { cwd: string; env: Record<string, string> };
  const known: Record<string, string> = {};
  const at = (path: string) => join(directory, path);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-cli-'));
    place = { cwd: directory, env: {} };
    mkdirSync(at('gateway'));
    mkdirSync(at('recipe/app'), { recursive: true });
    writeFileSync(at('recipe/recipe.yaml'), RECIPE);
    // Several chunks, all different.
    writeFileSync(at('recipe/app/echo'), `#!/bin/sh\n${Array.from({ length: 9000 }, (_, line) => `# line ${line * line}\n`).join('')}`);
    const keys = ['root.key', 'gateway/gateway.key', 'publisher.key', 'release.key', 'tenant.key', 'owner.key'];
    const made = await Promise.all(keys.map((key) => told<Key>(['key', 'new', key], place)));
    for (const [i, { id, publicKey }] of made.entries()) Object.assign(known, { [keys[i]!]: id, [`${keys[i]} public`]: publicKey });
    const entry = `name=alpha,region=north,key=gateway/gateway.key,address=127.0.0.1:8883`;
    const [operator, publisher] = await Promise.all([
      told<{ operator: string }>(
        ['operator', 'init', '--root', 'root.key', '--name', 'North', '--fee', '50', '--gateway', entry, '--out', 'operator-1.cose'],
        place,
      ),
      told<{ publisher: string }>(
        ['publisher', 'init', '--root', 'publisher.key', '--name', 'Press', '--key', 'release.key', '--out', 'publisher-1.cose'],
        place,
      ),
    ]);
    Object.assign(known, { operator: operator.operator, publisher: publisher.publisher });
    gateway = await serve(
      ['gateway', 'run', '--data', 'gateway', '--operator', 'operator-1.cose', '--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0'],
      place,
    );
    env = { LICHEN_API: `http://127.0.0.1:${gateway.ready.apiPort}`, LICHEN_TOKEN: readFileSync(at('gateway/admin.token'), 'utf8') };
    place = { cwd: directory, env };
  });

  afterAll(async () => {
    board?.close();
    await gateway?.stop('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  test('a second one on its folder is refused, with which process holds it, and changes nothing', async () => {
    const doors = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0'];
    const second = await lichen(['gateway', 'run', '--data', './gateway/', '--operator', 'operator-1.cose', ...doors], place);
    expect(second).toMatchObject({ status: 75, stdout: '', stderr: expect.stringContaining(`process ${gateway.child.pid}`) });
    // Whatever it writes goes through its store.
    await told(['board', 'claim', '--owner', 'b'.repeat(32)], place);
    expect(gateway.child.exitCode).toBeNull();
  });

  test('the gateway says who it is', async () => {
    expect(gateway.ready).toEqual({
      gateway: known['gateway/gateway.key'],
      port: expect.any(Number),
      apiPort: expect.any(Number),
      tokenFile: 'gateway/admin.token',
    });
    const [status, list, boards, periods] = await Promise.all([
      told(['gateway', 'status'], place),
      told(['gateway', 'list'], place),
      told(['board', 'list'], place),
      told(['invoice', 'list'], place),
    ]);
    expect(status).toMatchObject({ gateway: gateway.ready.gateway, name: 'alpha', region: 'north', operator: known.operator, peers: [] });
    expect(list).toMatchObject([
      { gateway: gateway.ready.gateway, address: '127.0.0.1:8883', serving: true, revoked: false, reachable: true },
    ]);
    expect([boards, periods]).toEqual([[], []]);
  });

  test("a token opens the operator's verbs, another one does not", async () => {
    const args = ['tenant', 'admit', '--key', 'tenant.key', '--name', 'Museum'];
    await Promise.all([
      refused('not-authorised', 77, args, { cwd: directory, env: { ...env, LICHEN_TOKEN: 'x'.repeat(64) } }),
      refused('not-authorised', 77, args, { cwd: directory, env: { LICHEN_API: env.LICHEN_API! } }),
      refused('not-authorised', 77, ['invoice', 'close'], { cwd: directory, env: { ...env, LICHEN_TOKEN: 'not\na header' } }),
    ]);
    const admitted = await told([...args, '--token-file', 'gateway/admin.token'], { cwd: directory, env: { LICHEN_API: env.LICHEN_API! } });
    expect(admitted).toEqual({ tenant: known['tenant.key'], name: 'Museum', key: known['tenant.key public'] });
  });

  test('a claim pairs a board, its owner binds it', async () => {
    const { claim, validMs, owner } = await told<{ claim: string; validMs: number; owner: string }>(
      ['board', 'claim', '--owner-key', 'owner.key'],
      place,
    );
    expect({ claim, validMs, owner }).toEqual({
      claim: expect.stringMatching(/^LICHEN1:[A-Z2-7]+$/),
      validMs: 86_400_000,
      owner: known['owner.key'],
    });
    board = await PaperBoard.pair('board 1', claim, gateway.ready.port);
    const bind = [
      'board',
      'bind',
      '--board',
      board.id,
      '--owner-key',
      'owner.key',
      '--payee',
      'DE02',
      '--currency',
      'EUR',
      '--rate',
      'wallHour=3.6',
      'cpuSecond=20u',
    ];
    const first = await told(bind, place);
    expect(first).toMatchObject({ version: 1, rates: { wallHour: '3600000000', cpuSecond: '20000', memoryMibHour: '0' }, file: null });
    const [written] = await Promise.all([
      told([...bind, '--out', 'binding-2.cose'], place),
      refused('stale', 77, [...bind, '--version', '1', '--payee', 'another'], place),
    ]);
    expect(written).toMatchObject({ version: 2, file: 'binding-2.cose' });
    await told(['request', 'push', 'binding-2.cose'], place);
    await refused('wrong-signer', 77, [...bind.slice(0, 5), 'tenant.key', ...bind.slice(6)], place);
    await board.hello();
    expect(await told(['board', 'list'], place)).toMatchObject([
      { board: board.id, owner: known['owner.key'], bound: true, binding: 2, offer: { tier: 'reduced' } },
    ]);
  });

  test('a release is built and pushed, and a push that broke off is resumed', async () => {
    const build = [
      'release',
      'build',
      'recipe',
      '--key',
      'release.key',
      '--publisher',
      known.publisher!,
      '--sequence',
      '1',
      '--out',
      'echo-1',
      '--cache',
      'cache',
    ];
    const { release } = await told<{ release: string }>(build, place);
    known.release = release;
    await refused('unknown-key', 77, ['release', 'push', 'echo-1'], place);
    const names = readdirSync(at('echo-1'));
    const lost = names.find((name) => name.startsWith('chunk-'))!;
    const bytes = readFileSync(at(`echo-1/${lost}`));
    writeFileSync(at(`echo-1/${lost}`), 'torn');
    await refused('missing-content', 66, ['release', 'push', 'echo-1', '--publisher', 'publisher-1.cose'], place);
    expect(await told(['release', 'list'], place)).toMatchObject([{ release, missing: expect.any(Number) }]);
    writeFileSync(at(`echo-1/${lost}`), bytes);
    const resumed = await told<{ pieces: number }>(['release', 'push', 'echo-1', '--publisher', 'publisher-1.cose'], place);
    expect(resumed).toMatchObject({ release, recipe: 'echo', sequence: 1, to: env.LICHEN_API });
    expect(resumed.pieces).toBeGreaterThan(0);
    const again = await told(['release', 'push', 'echo-1'], place);
    expect(again).toMatchObject({ pieces: 0, bytes: 0 });
    expect(await told(['release', 'list'], place)).toMatchObject([{ release, recipe: 'echo', missing: 0, publisher: known.publisher }]);
  });

  test('a request is made, looked at, pushed over either door, and placed', async () => {
    const make = [
      'request',
      'make',
      '--tenant-key',
      'tenant.key',
      '--release',
      known.release!,
      '--name',
      'museum',
      '--filter',
      'region=north',
      '--param',
      'port=8081',
    ];
    const made = await told<{ request: string }>([...make, '--cap', '5.00', '--currency', 'EUR', '--out', 'museum.request'], place);
    expect(made).toMatchObject({
      name: 'museum',
      sequence: 1,
      state: 'started',
      tenant: known['tenant.key'],
      files: ['museum.request.voucher', 'museum.request'],
    });
    const dry = await told(['request', 'push', 'museum.request', 'museum.request.voucher', '--dry-run'], place);
    expect(dry).toMatchObject({
      dryRun: true,
      to: env.LICHEN_API,
      documents: [
        { kind: 'voucher', document: { capMicro: '5000000' } },
        { kind: 'request', document: { name: 'museum', parameters: { port: '8081' } } },
      ],
    });
    expect(await told(['request', 'list'], place)).toEqual([]);
    const why = await refused('not-found', 66, ['request', 'push', 'museum.request'], place);
    const bad = ['request', 'make', '--tenant-key', 'tenant.key', '--release', String(known.release), '--name', 'bad', '--sequence', '1'];
    await told([...bad, '--cap', '5', '--currency', 'EUR', '--param', 'door=1', '--out', 'bad.request'], place);
    const unlike = await inside(['request', 'push', 'bad.request.voucher', 'bad.request'], place);
    expect(unlike).toMatchObject({ status: 65, stderr: expect.stringContaining('bad.request: parameter door is not declared') });
    // Nor was the voucher sent.
    expect(unlike.stderr).not.toContain('accepted');
    expect(why).toContain('voucher');
    const mqtt = [
      '--mqtt',
      `127.0.0.1:${gateway.ready.port}`,
      '--gateway-key',
      known['gateway/gateway.key public']!,
      '--tenant-key',
      'tenant.key',
    ];
    const pushed = await told(['request', 'push', 'museum.request', 'museum.request.voucher', ...mqtt], place);
    expect(pushed).toMatchObject({
      dryRun: false,
      to: `mqtts://127.0.0.1:${gateway.ready.port}`,
      documents: [{ file: 'museum.request.voucher' }, { file: 'museum.request' }],
    });
    const lease = await board.lease();
    known.lease = lease.lease;
    const [requests, instances] = await Promise.all([told(['request', 'list'], place), told(['instance', 'list'], place)]);
    expect(requests).toMatchObject([
      { request: made.request, sequence: 1, replicas: 1, leases: [known.lease], filter: { region: 'north' }, patienceMs: 300_000 },
    ]);
    expect(instances).toMatchObject([{ lease: known.lease, name: 'museum', index: 0, board: board.id, currency: 'EUR', report: null }]);
    await board.report(lease.lease);
    expect(await told(['instance', 'list'], place)).toMatchObject([
      { report: { state: 'running', promise: 'held', restarts: 2, atMs: expect.any(Number) } },
    ]);
  });

  test('refusals of the gateway keep their code, over MQTT as over HTTP', async () => {
    const stranger = { ...place };
    await told(['key', 'new', 'stranger.key'], place);
    const make = (...more: string[]) => [
      'request',
      'make',
      '--name',
      'other',
      '--cap',
      '1',
      '--currency',
      'EUR',
      '--sequence',
      '1',
      ...more,
    ];
    await told(make('--tenant-key', 'tenant.key', '--release', 'ab'.repeat(32), '--out', 'unknown.request'), stranger);
    await told(make('--tenant-key', 'stranger.key', '--release', known.release!, '--out', 'stranger.request'), stranger);
    await told(
      make('--tenant-key', 'tenant.key', '--release', known.release!, '--param', 'colour=red', '--out', 'colour.request'),
      stranger,
    );
    const mqtt = (key: string) => [
      '--mqtt',
      `127.0.0.1:${gateway.ready.port}`,
      '--gateway-key',
      known['gateway/gateway.key public']!,
      '--tenant-key',
      key,
    ];
    const push = (name: string) => ['request', 'push', `${name}.request.voucher`, `${name}.request`];
    const [http, over] = await Promise.all([
      refused('not-found', 66, push('unknown'), place),
      refused('not-found', 66, [...push('unknown'), ...mqtt('tenant.key')], place),
      refused('unknown-key', 77, push('stranger'), place),
      refused('bad-parameter', 65, push('colour'), place),
      refused('unknown-key', 77, [...push('stranger'), ...mqtt('stranger.key')], place),
      refused('pin-mismatch', 77, [...push('colour'), ...mqtt('tenant.key').with(3, known['tenant.key public']!)], place),
    ]);
    expect(http).toContain(`release ${'ab'.repeat(32)} is not known here`);
    expect(over).toBe(http);
  });

  test('a request is stopped, started and destroyed by its name', async () => {
    const change = (verb: string, key = 'tenant.key') => ['request', verb, 'museum', '--tenant-key', key];
    expect(await told(change('stop'), place)).toMatchObject({ name: 'museum', sequence: 2, state: 'stopped' });
    const held = await told(['request', 'list'], place);
    expect(held).toMatchObject([
      {
        state: 'stopped',
        sequence: 2,
        parameters: { port: '8081' },
        filter: { region: 'north' },
        release: known.release,
      },
    ]);
    expect(await told(change('start'), place)).toMatchObject({ sequence: 3, state: 'started' });
    await refused('not-found', 66, change('stop', 'stranger.key'), place);
    expect(await told([...change('set'), '--param', 'port=8082'], place)).toMatchObject({ sequence: 4, state: 'started' });
    await refused('bad-parameter', 65, [...change('set'), '--param', 'colour=red'], place);
    await refused('bad-usage', 64, change('set'), place);
    expect(await told(['instance', 'bang', 'museum', '--tenant-key', 'tenant.key'], place)).toMatchObject({ sequence: 5 });
    const shown = await told<{ instances: unknown[] }>(['request', 'show', 'museum'], place);
    expect(shown).toMatchObject({ sequence: 5, parameters: { port: '8082' }, bang: 1, refused: '' });
    expect(await told(['instance', 'show', 'museum'], place)).toEqual(shown.instances);
    await Promise.all([
      refused('not-found', 66, ['request', 'show', 'nothing'], place),
      refused('not-found', 66, ['instance', 'show', 'nothing'], place),
    ]);
    expect(await told(change('destroy'), place)).toMatchObject({ sequence: 6, state: 'destroyed' });
  });

  test('a period is closed, shown, kept and audited', async () => {
    const lease = known.lease as never;
    await board.usage([
      { lease, kind: 'open', tier: 'reduced' },
      { lease, kind: 'close', tier: 'reduced', registers: { wallMs: 3_600_000n, cpuMicros: 1_000_000n } },
    ]);
    expect(await told(['invoice', 'close'], place)).toMatchObject({ period: 1 });
    const shown = await told(['invoice', 'show', '1', '--tenant', known['tenant.key']!], place);
    // 3.60 an hour and 20 millionths a second of CPU, one of each.
    expect(shown).toMatchObject({
      period: 1,
      invoices: [{ totalMicro: '3600020', currency: 'EUR', hash: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
    const kept = await told<{ entries: number }>(['invoice', 'keep', '1', 'evidence'], place);
    expect(kept).toMatchObject({ period: 1, authors: [gateway.ready.gateway] });
    // A bill needs no gateway to be checked.
    const report = await told(['invoice', 'audit', 'evidence'], { cwd: directory });
    expect(report).toMatchObject({ ok: true, findings: [], verified: { entries: kept.entries, postings: 1 } });
    const statement = readFileSync(at('evidence/statement.cbor'));
    statement[statement.length - 1]! ^= 1;
    writeFileSync(at('evidence/statement.cbor'), statement);
    const cooked = await lichen(['invoice', 'audit', 'evidence', '--json'], { cwd: directory });
    expect(cooked.status).toBe(65);
    expect(lastJson(cooked)).toMatchObject({ ok: false });
    await Promise.all([
      refused('not-found', 66, ['invoice', 'show', '7'], place),
      refused('not-found', 66, ['invoice', 'show', '1', '--tenant', known.operator!], place),
      refused('conflict', 75, ['invoice', 'keep', '1', 'evidence'], place),
      refused('not-found', 66, ['invoice', 'audit', 'recipe'], { cwd: directory }),
    ]);
  });

  test('one screen shows all of it, and the doctor finds what is missing', async () => {
    const [status, text, doctor] = await Promise.all([
      told(['status'], place),
      lichen(['status'], place),
      lichen(['doctor', '--json'], place),
    ]);
    expect(status).toMatchObject({
      gateway: { name: 'alpha' },
      gateways: [{ name: 'alpha' }],
      boards: [{ board: board.id }],
      instances: [],
    });
    expect(text.stdout).toContain(board.id);
    const checks = lastJson<Check[]>(doctor);
    expect(checks).toContainEqual(expect.objectContaining({ name: 'peers', state: 'lacks' }));
    expect(checks.filter(({ state, fix }) => state !== 'ok' && fix === '')).toEqual([]);
    expect(doctor.status).toBe(checks.some(({ state }) => state === 'broken') ? 69 : 0);
  });

  test('a process that has pushed ends by itself, over either door', async () => {
    const mqtt = [
      '--mqtt',
      `127.0.0.1:${gateway.ready.port}`,
      '--gateway-key',
      known['gateway/gateway.key public']!,
      '--tenant-key',
      'tenant.key',
    ];
    const runs = await Promise.all([
      lichen(['release', 'push', 'echo-1', ...mqtt], place),
      lichen(['release', 'push', 'echo-1'], place),
      lichen(['request', 'push', 'museum.request.voucher', ...mqtt], place),
    ]);
    expect(runs).toMatchObject([
      { status: 0, stderr: '' },
      { status: 0, stderr: '' },
      { status: 0, stderr: 'museum.request.voucher: accepted\n' },
    ]);
  });

  test("an operator's next version reaches the running gateway", async () => {
    const next = [
      'operator',
      'next',
      'operator-1.cose',
      '--root',
      'root.key',
      '--fee',
      '60',
      '--gateway',
      `name=beta,region=south,key=${known['owner.key public']},address=[::1]:8883`,
      '--out',
      'operator-2.cose',
    ];
    expect(await told(next, place)).toMatchObject({
      version: 2,
      feePermille: 60,
      gateways: [{ name: 'alpha' }, { name: 'beta', address: '[::1]:8883' }],
    });
    await told(['operator', 'push', 'operator-2.cose'], place);
    expect(await told(['gateway', 'list'], place)).toMatchObject([{ name: 'alpha' }, { name: 'beta' }]);
  });

  test('the gateway closes when it is told to', async () => {
    expect(await gateway.stop('SIGTERM')).toBe(0);
    await refused('unavailable', 69, ['status'], place);
  });
});
