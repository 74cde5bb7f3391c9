/** What goes wrong without any gateway: one sentence, its reason, the next step, the right status, and never a stack trace. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, lichen, refused, told } from './command.ts';

describe('without a gateway', () => {
  let directory: string;
  let place: { cwd: string; env: Record<string, string> };
  const id = 'a'.repeat(32);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'lichen-cli-'));
    // Nothing listens on the discard port.
    place = { cwd: directory, env: { LICHEN_API: 'http://127.0.0.1:9' } };
    mkdirSync(join(directory, 'folder'));
    writeFileSync(join(directory, 'noise'), 'noise');
    await Promise.all(['root-1', 'root-2', 'root-3', 'tenant'].map((name) => told(['key', 'new', `${name}.key`], place)));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('unknown words are bad usage, with what was probably meant', async () => {
    const whys = await Promise.all([
      refused('bad-usage', 64, ['bord', 'list'], place),
      refused('bad-usage', 64, ['board', 'lst'], place),
      refused('bad-usage', 64, ['board', 'list', '--nope'], place),
      refused('bad-usage', 64, ['board'], place),
      refused('bad-usage', 64, ['board', 'list', 'extra'], place),
      refused('bad-usage', 64, ['key', 'new'], place),
      refused('bad-usage', 64, ['board', 'claim'], place),
      refused('bad-usage', 64, ['board', 'claim', '--owner', 'short'], place),
      refused('bad-usage', 64, ['tenant', 'admit', '--name', 'x'], place),
      refused('bad-usage', 64, ['status', '--api', 'nonsense'], place),
    ]);
    expect(whys[0]).toContain('Did you mean board?');
    expect(whys[1]).toContain('Did you mean list?');
    expect(whys[8]).toContain("'--key <key>'");
  });

  test('the next step after a slip is the help of what was called, named once', async () => {
    const next = async (...args: string[]): Promise<string> => {
      const { status, stderr } = await inside(args, place);
      expect({ args, status }).toEqual({ args, status: 64 });
      expect(stderr.split('--help').length, args.join(' ')).toBe(2);
      return stderr.trimEnd().split('\n').at(-1) ?? '';
    };
    expect(await next('bord', 'list')).toBe('`lichen --help` shows what there is.');
    expect(await next('board', 'lst')).toBe('`lichen board --help` shows what there is.');
    expect(await next('key', 'show')).toBe('`lichen key show --help` shows what there is.');
    expect(await next('status', '--api', 'nonsense')).toBe('`lichen status --help` shows what there is.');
  });

  test('what was typed is said as it was typed', async () => {
    const { stderr } = await inside(['release', 'push', 'folder'], place);
    expect(stderr).toContain(' folder holds no 000000-manifest.cose');
  });

  test('a step that is known better than by its kind is said', async () => {
    const nextOf = async (...args: string[]): Promise<string> => (await inside(args, place)).stderr.trimEnd().split('\n').at(-1) ?? '';
    writeFileSync(join(directory, 'open.key'), new Uint8Array(32), { mode: 0o644 });
    expect(await nextOf('key', 'show', 'open.key')).toContain('chmod 600 open.key');
    expect(await nextOf('invoice', 'close')).toContain('--token-file DIR/admin.token');
    expect(await nextOf('board', 'update', '--all', '--owner-key', 'tenant.key', '--publisher', 'NOTANID')).toContain(
      'lichen publisher id',
    );
    const build = ['release', 'build', 'folder', '--unsigned', '--sequence', '1', '--out', 'none', '--publisher'];
    expect(await nextOf(...build, 'NOTANID')).toContain('lichen publisher id');
  });

  test('a gateway that is named without its address is told that it lacks one', async () => {
    const init = ['operator', 'init', '--root', 'root-1.key', '--name', 'x', '--out', 'none.cose', '--gateway'];
    const lacks = (entry: string) => refused('bad-usage', 64, [...init, entry], place);
    expect(await lacks('name=alpha,region=north,key=tenant.key')).toContain('lacks address=HOST:PORT');
    expect(await lacks('region=north,key=tenant.key,address=a.example:1')).toContain('lacks name=NAME');
    expect(await lacks('name=alpha,key=tenant.key,address=a.example:1')).toContain('lacks region=NAME');
    expect(await lacks('name=alpha,region=north,address=a.example:1')).toContain('lacks key=');
  });

  test('who cannot be reached, what is not there, what is no key', async () => {
    const [unreachable, missing] = await Promise.all([
      refused('unavailable', 69, ['board', 'list'], place),
      refused('not-found', 66, ['key', 'show', 'nobody.key'], place),
      refused('not-found', 66, ['request', 'push', 'nobody.request'], place),
      refused('not-found', 66, ['release', 'push', 'folder'], place),
      refused('bad-schema', 65, ['request', 'push', 'noise'], place),
      refused('bad-key-file', 65, ['key', 'show', 'noise'], place),
      refused('bad-key-file', 65, ['key', 'show', 'folder'], place),
      refused('weak-key', 77, ['tenant', 'admit', '--key', `01${'00'.repeat(31)}`, '--name', 'x'], place),
      refused('not-authorised', 77, ['invoice', 'close'], place),
    ]);
    expect(unreachable).toContain('http://127.0.0.1:9');
    expect(missing).toContain('lichen key new nobody.key');
  });

  test('a key is never made twice nor shown to others', async () => {
    const before = await told(['key', 'show', 'tenant.key'], place);
    expect(await told(['key', 'new', 'tenant.key'], place)).toEqual(before);
    expect(statSync(join(directory, 'tenant.key')).mode & 0o777).toBe(0o600);
  });

  test('a key makes its folder, which is shown to nobody either', async () => {
    const made = await told(['key', 'new', 'husum/keys/gateway.key'], place);
    expect(await told(['key', 'show', 'husum/keys/gateway.key'], place)).toEqual(made);
    for (const folder of ['husum', 'husum/keys']) expect(statSync(join(directory, folder)).mode & 0o777, folder).toBe(0o700);
  });

  test('operators change roots, gateways and peers from version to version', async () => {
    const roots = ['--root', 'root-1.key', 'root-2.key'];
    const gateway = 'name=alpha,region=north,key=tenant.key,address=alpha.example:8883';
    const init = ['operator', 'init', ...roots, '--threshold', '2', '--name', 'North', '--gateway', gateway, '--out', 'operator-1.cose'];
    const first = await told<{ operator: string; gateways: [{ gateway: string }] }>(init, place);
    expect(await told(['operator', 'id', ...roots, '--threshold', '2'], place)).toEqual({ operator: first.operator });
    // Made again it is the same document; another one does not take its place.
    expect(await told(init, place)).toEqual(first);
    const onFolder = async (data: string): Promise<string> =>
      (await inside(['gateway', 'run', '--operator', 'operator-1.cose', '--data', data], place)).stderr;
    expect(await onFolder('nodir')).toMatch(/There is no folder nodir\.\n.*lichen key new nodir\/gateway\.key/);
    expect(await onFolder('folder')).toMatch(/There is no key folder\/gateway\.key\.\n.*lichen key new/);
    const next = (out: string, ...more: string[]) => ['operator', 'next', 'operator-1.cose', '--out', out, ...more];
    const [second] = await Promise.all([
      told(
        next(
          'operator-2.cose',
          ...roots,
          '--add-root',
          'root-3.key',
          '--drop-root',
          'root-1.key',
          '--peer',
          id,
          '--retire',
          first.gateways[0].gateway,
          '--revoke',
          'ab'.repeat(32),
        ),
        place,
      ),
      refused('conflict', 75, [...init, '--fee', '7'], place),
      refused('bad-signature', 77, next('none.cose', '--root', 'root-1.key'), place),
      refused('bad-usage', 64, next('none.cose', ...roots, 'root-3.key'), place),
      refused('bad-usage', 64, next('none.cose', ...roots, '--retire', id), place),
      refused('bad-usage', 64, ['operator', 'init', ...roots, '--name', 'x', '--gateway', 'name=alpha', '--out', 'none.cose'], place),
      refused('bad-usage', 64, ['operator', 'init', ...roots, '--threshold', '3', '--name', 'x', '--out', 'none.cose'], place),
    ]);
    expect(second).toMatchObject({ operator: first.operator, version: 2, peers: [id], retired: [first.gateways[0].gateway] });
    // The dropped root signed for the last time; now it takes the two that are left.
    const third = (...signers: string[]) => [
      'operator',
      'next',
      'operator-2.cose',
      '--root',
      ...signers,
      '--drop-peer',
      id,
      '--out',
      'operator-3.cose',
    ];
    await refused('bad-usage', 64, third('root-1.key', 'root-2.key'), place);
    expect(await told(third('root-2.key', 'root-3.key'), place)).toMatchObject({ version: 3, peers: [] });
    expect(() => readFileSync(join(directory, 'none.cose'))).toThrow();
  });

  test('publishers change their release keys', async () => {
    const init = ['publisher', 'init', '--root', 'root-1.key', '--name', 'Press', '--key', 'root-2.key', '--out', 'publisher-1.cose'];
    const [first, named] = await Promise.all([
      told<{ publisher: string }>(init, place),
      told(['publisher', 'id', '--root', 'root-1.key'], place),
    ]);
    expect(named).toEqual({ publisher: first.publisher });
    const next = ['publisher', 'next', 'publisher-1.cose', '--root', 'root-1.key', '--out', 'publisher-2.cose'];
    const key = await told<{ publicKey: string }>(['key', 'show', 'root-3.key'], place);
    await refused('bad-usage', 64, [...next, '--drop-key', 'root-3.key'], place);
    expect(await told([...next, '--key', 'root-3.key', '--drop-key', 'root-2.key'], place)).toMatchObject({
      version: 2,
      keys: [key.publicKey],
    });
    await refused('bad-schema', 65, ['operator', 'next', 'publisher-1.cose', '--root', 'root-1.key', '--out', 'none.cose'], place);
  });

  test('a request is made without a gateway when its sequence is named', async () => {
    const make = ['request', 'make', '--tenant-key', 'tenant.key', '--release', 'ab'.repeat(32), '--name', 'museum', '--sequence', '3'];
    const paid = ['--cap', '5', '--currency', 'EUR'];
    expect(await told([...make, ...paid], place)).toMatchObject({ sequence: 3, files: ['museum-3.request.voucher', 'museum-3.request'] });
    expect(
      await told([...make, '--voucher', 'museum-3.request.voucher', '--state', 'stopped', '--out', 'again.request'], place),
    ).toMatchObject({ state: 'stopped', files: ['museum-3.request.voucher', 'again.request'] });
    await Promise.all([
      refused('bad-usage', 64, [...make, ...paid, '--filter', 'colour=red', '--out', 'none.request'], place),
      refused('bad-usage', 64, [...make, '--cap', '5'], place),
      refused('bad-usage', 64, make, place),
      refused(
        'wrong-signer',
        77,
        ['request', 'make', '--tenant-key', 'root-1.key', ...make.slice(4), '--voucher', 'museum-3.request.voucher'],
        place,
      ),
      refused('unavailable', 69, [...make.slice(0, -2), ...paid], place),
      refused('bad-usage', 64, ['request', 'push', 'again.request', '--mqtt', '127.0.0.1:9'], place),
      refused('bad-usage', 64, ['request', 'stop', 'museum'], place),
    ]);
    expect(() => readFileSync(join(directory, 'none.request'))).toThrow();
  });

  test('a torn signature is found before anything is sent', async () => {
    const bytes = readFileSync(join(directory, 'again.request'));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(join(directory, 'torn.request'), bytes);
    const why = await refused('bad-signature', 77, ['request', 'push', 'again.request', 'torn.request'], place);
    expect(why).toContain('torn.request');
  });

  test('a process ends with the status of its error, and tells it in three lines at most', async () => {
    const runs = await Promise.all(
      [
        ['board', 'lst'],
        ['board', 'list'],
        ['key', 'show', 'nobody.key'],
        ['request', 'push', 'torn.request'],
        ['invoice', 'close'],
        ['request', 'push', 'folder'],
      ].map((args) => lichen(args, place)),
    );
    expect(runs.map(({ status }) => status)).toEqual([64, 69, 66, 77, 77, 64]);
    for (const { stdout, stderr } of runs) {
      expect(stdout).toBe('');
      expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(3);
    }
    const json = await lichen(['board', 'list', '--json'], place);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'unavailable' } });
  });

  test('colours are for those who want them', async () => {
    const coloured = (env: Record<string, string>) => lichen(['key', 'show', 'nobody.key'], { cwd: directory, env });
    const [plain, forced, refusedColour, help] = await Promise.all([
      coloured({}),
      coloured({ FORCE_COLOR: '1' }),
      coloured({ FORCE_COLOR: '1', NO_COLOR: '1' }),
      lichen(['key', '--help'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
    ]);
    expect(forced.stderr).toContain('\u001b[');
    for (const { stdout, stderr } of [plain, refusedColour, help]) expect(stdout + stderr).not.toContain('\u001b');
    expect(plain).toEqual({
      status: 66,
      stdout: '',
      stderr:
        'There is nothing under that name. There is no key file nobody.key; `lichen key new nobody.key` makes one.\nList what there is, or check the name.\n',
    });
  });

  test('help begins with the way from nothing, that of a word with examples, and goes to stdout', async () => {
    const [bare, help, word, version] = await Promise.all([
      lichen([]),
      lichen(['request', 'make', '--help']),
      lichen(['help', 'request', 'make']),
      lichen(['--version']),
    ]);
    expect(bare).toMatchObject({ status: 0, stderr: '' });
    expect(bare.stdout).toMatch(
      /^From nothing to a program on a board \(docs\/first-board\.md.*\n {2}lichen key new [\s\S]*\n\nExamples:\n/,
    );
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Examples:\n {2}lichen request make/);
    expect(word.stdout).toBe(help.stdout);
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
