/** primes, built from its Debian package, planted, and run as a partition runs it: no rights, read-only root, own network. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildRelease } from '../../recipes/builder/build.ts';
import { type Bundle, manifestOf } from '../../recipes/builder/bundle.ts';
import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import { openFiles } from '../../runtime/adapters/files.ts';
import type { FilesEvent, FilesStep } from '../../runtime/ports/files.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { type Entry, pageSchema } from '../../runtime/protocol/nouns/release.ts';

const canIsolate = spawnSync('unshare', ['-mnpf', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;
const hasPackages = spawnSync('dpkg-deb', ['--version'], { stdio: 'ignore' }).status === 0;

/** What a board does with a release that has arrived. */
const plantBundle = async ({ release, pages, chunks }: Bundle, path: string): Promise<string> => {
  const files = openFiles({ path });
  const perform = (step: FilesStep): Promise<FilesEvent> => new Promise((answer) => files.perform(step, answer));
  const entries: Entry[] = [...pages.values()].flatMap((page) => decodeAs(pageSchema, page, 'page').entries);
  let offset = 0;
  let file = { hash: nodeCrypto.sha256(new Uint8Array()), executable: false };
  for (const entry of entries) {
    if (entry.kind === 'dir' || entry.kind === 'link') continue;
    if (entry.kind === 'file') [offset, file] = [0, { hash: entry.hash, executable: entry.executable }];
    for (const [hash, length] of entry.chunks) {
      await perform({ kind: 'write', file, offset, bytes: chunks.get(hex(hash)) ?? new Uint8Array() });
      offset += length;
    }
    if (entry.kind === 'file') expect(await perform({ kind: 'seal', file, bytes: entry.bytes })).toMatchObject({ kind: 'file-sealed' });
  }
  const planted = await perform({ kind: 'plant', release, entries });
  return planted.kind === 'planted' ? planted.rootPath : expect.unreachable(JSON.stringify(planted));
};

describe.skipIf(!canIsolate || !hasPackages)('primes', () => {
  let home = '';
  let bundle: Bundle;
  let root = '';

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'lichen-primes-'));
    bundle = await buildRelease({
      recipePath: join(import.meta.dirname, '../../recipes/primes'),
      publisherId: 'a'.repeat(32),
      signer: signerFromSeed(new Uint8Array(32)),
      sequence: 1,
      cachePath: join(home, 'cache'),
    });
    root = await plantBundle(bundle, join(home, 'board'));
    // The places that an engine mounts over; it makes them itself.
    chmodSync(root, 0o755);
    for (const place of ['dev', 'tmp', 'data']) mkdirSync(join(root, place));
    writeFileSync(join(root, 'dev', 'null'), '');
    chmodSync(root, 0o555);
    mkdirSync(join(home, 'data'), { mode: 0o777 });
    chmodSync(join(home, 'data'), 0o777);
  }, 120_000);
  afterAll(() => {
    chmodSync(root, 0o755);
    rmSync(home, { recursive: true, force: true });
  });

  /** Runs it until the page says something other than "counting", then ends it; answers with the page and how it ended. */
  const run = (environment: Record<string, string>, mountData = true) => {
    const script = `
      set -e
      ip link set lo up
      mount --bind "$ROOT" "$ROOT"
      mount -o remount,bind,ro "$ROOT"
      mount -t tmpfs -o mode=1777,size=1m tmpfs "$ROOT/tmp"
      ${mountData ? 'mount --bind "$DATA" "$ROOT/data"' : ''}
      mount --bind /dev/null "$ROOT/dev/null"
      env -i ${Object.entries(environment)
        .map(([key, word]) => `'${key}=${word}'`)
        .join(' ')} "$CHROOT" --userspec=65534:65534 "$ROOT" /bin/busybox sh /app/main.sh &
      pid=$!
      tries=0
      until page=$("$ROOT/bin/busybox" wget -qO- 'http://[::1]:8080/index.html' 2>/dev/null) && ! echo "$page" | grep -q '>counting<'; do
        kill -0 "$pid" 2>/dev/null || break
        tries=$((tries + 1)); [ "$tries" -lt 300 ] || break
        sleep 0.05
      done
      echo "$page"
      kill "$pid" 2>/dev/null || true
      wait "$pid" && status=0 || status=$?
      echo "status $status"
    `;
    const variables = { PATH: process.env.PATH, ROOT: root, DATA: join(home, 'data'), CHROOT: '/usr/sbin/chroot' };
    return spawnSync('unshare', ['-mnpf', '--kill-child', 'sh', '-c', script], { env: variables, encoding: 'utf8' });
  };

  test('is a release for this processor with one program of Debian and two files of its own', () => {
    const { arch, args, limits, promises } = manifestOf(bundle);
    expect({ arch, args }).toEqual({ arch: process.arch, args: ['/bin/busybox', 'sh', '/app/main.sh'] });
    expect(limits).toMatchObject({ memoryMib: 32, pids: 16 });
    expect(promises[0]?.probe).toEqual({ kind: 'http', port: 8080, path: '/index.html' });
    const entries = [...bundle.pages.values()].flatMap((page) => decodeAs(pageSchema, page, 'page').entries);
    expect(entries.map(({ path }) => path)).toEqual(['app', 'app/main.sh', 'app/primes.awk', 'bin', 'bin/busybox']);
  });

  test('counts, serves the result, writes it down, and ends when it is told to', () => {
    const { stdout, stderr } = run({ LICHEN_LIMIT: '10000', LICHEN_SECONDS: '30' });
    expect(stderr).toBe('');
    expect(stdout).toContain('<p id="count">1229</p>');
    expect(stdout).toContain('primes up to 10000 of 10000: <span id="state">done</span>');
    expect(stdout).not.toContain('http-equiv="refresh"');
    expect(stdout).toMatch(/status 0\n$/);
    expect(readFileSync(join(home, 'data', 'result.txt'), 'utf8')).toBe('1229 primes up to 10000 of 10000\n');
  });

  test.each([
    ['1', '0'],
    ['2', '1'],
    ['3', '2'],
    ['100', '25'],
  ])('knows that up to %s there are %s', (limit, count) => {
    expect(run({ LICHEN_LIMIT: limit, LICHEN_SECONDS: '30' }).stdout).toContain(`<p id="count">${count}</p>`);
  });

  test('stops at its bound of CPU time and goes on serving', () => {
    const { stdout } = run({ LICHEN_LIMIT: '99999999', LICHEN_SECONDS: '1' });
    expect(stdout).toContain('<span id="state">stopped at 1 s of CPU</span>');
    expect(stdout).toMatch(/status 0\n$/);
  });

  test('needs no place for data', () => {
    const { stdout, stderr } = run({ LICHEN_LIMIT: '100', LICHEN_SECONDS: '30' }, false);
    expect(stderr).toBe('');
    expect(stdout).toContain('<p id="count">25</p>');
  });

  test.each(['0', '-1', '1e6', '100; reboot', '999999999', '$(id)'])('refuses the limit %j with a sentence', (limit) => {
    const { stdout, stderr } = run({ LICHEN_LIMIT: limit, LICHEN_SECONDS: '30' });
    expect(stderr).toBe(`limit and seconds are numbers from 1 to 99999999, not "${limit}"\n`);
    expect(stdout).toMatch(/status 64\n$/);
  });
});
