/** Debian packages: which way each file is had, and what is said when there is none. Only dpkg-deb is really run here. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Outcome, type Run, runCommand } from '../../../recipes/builder/command.ts';
import { packageItems } from '../../../recipes/builder/debian.ts';
import type { Item } from '../../../recipes/builder/items.ts';
import type { PackagedSource } from '../../../recipes/builder/recipe.ts';
import { fromUtf8 } from '../../../runtime/protocol/bytes.ts';

const hasDpkg = spawnSync('dpkg-deb', ['--version'], { stdio: 'ignore' }).status === 0;
const FILE = 'tiny_1%3a2.0-1_amd64.deb';
const WANTED: PackagedSource = { package: 'tiny', files: [{ from: 'bin/tiny', to: 'app/tiny' }] };

let home = '';
let store = '';
let calls: string[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-debian-'));
  store = join(home, 'cache', 'debian', 'amd64');
  calls = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A package with one program at `program`, built as Debian's are. */
const makeDeb = (path: string, program = 'bin/tiny'): void => {
  const tree = join(home, 'tree');
  rmSync(tree, { recursive: true, force: true });
  for (const directory of ['DEBIAN', join(program, '..'), 'usr/share/tiny']) mkdirSync(join(tree, directory), { recursive: true });
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    'Package: tiny\nVersion: 1:2.0-1\nArchitecture: amd64\nMaintainer: nobody <a@b>\nDescription: x\n',
  );
  writeFileSync(join(tree, program), 'tiny program');
  chmodSync(join(tree, program), 0o755);
  writeFileSync(join(tree, 'usr/share/tiny/b'), 'b');
  writeFileSync(join(tree, 'usr/share/tiny/a'), 'a');
  symlinkSync('a', join(tree, 'usr/share/tiny/link'));
  const { status, stderr } = spawnSync('dpkg-deb', ['--root-owner-group', '--build', tree, path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
};

const none: Outcome = { status: 100, stdout: '', stderr: 'E: Unable to locate package tiny' };
const ok = (stdout = ''): Outcome => ({ status: 0, stdout, stderr: '' });

interface Machine {
  /** Puts the package into the store, as `apt-get download` does. */
  download?: (path: string) => void;
  /** What the list says of the package; without it the list does not know it. */
  listed?: string;
  /** Lists of our own, known after `apt-get update` only. */
  listedAfterUpdate?: boolean;
  installed?: string;
  owned?: string;
  verify?: string;
}

/** A machine on which only dpkg-deb is real. */
const machine = ({ download, listed, listedAfterUpdate, installed, owned, verify }: Machine): Run => {
  let isUpdated = listedAfterUpdate !== true;
  return async (command, args, cwd) => {
    const words = args.filter((word, at) => word !== '-q' && word !== '-o' && args[at - 1] !== '-o');
    calls.push([command, ...words].join(' '));
    if (command === 'dpkg-deb') return runCommand(command, args, cwd);
    if (command === 'apt-get' && words[0] === 'update') {
      isUpdated = true;
      return listedAfterUpdate === true ? ok() : none;
    }
    if (command === 'apt-get') {
      if (listed === undefined || !isUpdated) return none;
      if (words.includes('--print-uris')) return ok(`'http://deb.example/tiny.deb' ${FILE} 1000 SHA256:${listed}\n`);
      if (download === undefined) return { ...none, stderr: 'E: Failed to fetch' };
      download(join(cwd, FILE));
      return ok();
    }
    if (command === 'dpkg-query') return installed === undefined ? none : ok(installed);
    // It says so by its output; its exit status has changed between versions.
    if (words[0] === '--verify') return ok(verify);
    return owned === undefined || !owned.endsWith(`: ${words.at(-1)}`) ? none : ok(`${owned}\n`);
  };
};

const build = (run: Run, source = WANTED, arch: 'x64' | 'arm64' = 'x64'): Promise<Item[]> =>
  packageItems(source, { arch, hostArch: 'x64', cachePath: join(home, 'cache'), run });

const hashOfDeb = (): string => {
  const path = join(home, 'model.deb');
  makeDeb(path);
  return createHash('sha256').update(readFileSync(path)).digest('hex');
};
const copyModel = (path: string): void => writeFileSync(path, readFileSync(join(home, 'model.deb')));
/** But for the package that it is of, which has a test of its own. */
const told = (item: Item | undefined) => {
  if (item?.kind !== 'file') return item;
  const { of, ...rest } = item;
  return { ...rest, bytes: fromUtf8(item.bytes) };
};
const PROGRAM = { kind: 'file', path: 'app/tiny', executable: true, bytes: 'tiny program' };

describe.skipIf(!hasDpkg)('a package', () => {
  test('is named with each of its files, for the bill of materials', async () => {
    const [item] = await build(machine({ listed: hashOfDeb(), download: copyModel }));
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(item).toMatchObject({ of: { name: 'tiny', version: '1:2.0-1', purl: 'pkg:deb/debian/tiny@1%3A2.0-1?arch=amd64', sha256 } });
    calls = [];
  });

  test('is fetched once, checked, unpacked once', async () => {
    const run = machine({ listed: hashOfDeb(), download: copyModel });
    expect((await build(run)).map(told)).toEqual([PROGRAM]);
    expect(calls.map((call) => call.split(' /')[0])).toEqual([
      'apt-get download --print-uris tiny',
      'apt-get download tiny',
      expect.stringMatching(/^dpkg-deb -x/),
    ]);
    calls = [];
    expect((await build(run)).map(told)).toEqual([PROGRAM]);
    expect(calls).toEqual(['apt-get download --print-uris tiny']);
  });

  test('of a wanted version is asked for by it', async () => {
    await build(machine({ listed: hashOfDeb(), download: copyModel }), { ...WANTED, version: '1:2.0-1' });
    expect(calls[0]).toBe('apt-get download --print-uris tiny=1:2.0-1');
  });

  test('that was changed in the store is fetched again', async () => {
    const run = machine({ listed: hashOfDeb(), download: copyModel });
    await build(run);
    writeFileSync(join(store, FILE), 'evil');
    expect((await build(run)).map(told)).toEqual([PROGRAM]);
  });

  test('with another hash than the list says is not used', async () => {
    const run = machine({ listed: '0'.repeat(64), download: (path) => makeDeb(path) });
    await expect(build(run)).rejects.toThrow(/does not have the hash that the package list names/);
  });

  test('comes from lists of our own for another processor, which are fetched when needed', async () => {
    await build(machine({ listed: hashOfDeb(), download: copyModel, listedAfterUpdate: true }), WANTED, 'arm64');
    expect(calls.slice(0, 4)).toEqual([
      'apt-get download --print-uris tiny',
      'apt-get update',
      'apt-get download --print-uris tiny',
      'apt-get download tiny',
    ]);
    expect(existsSync(join(home, 'cache', 'debian', 'arm64', FILE))).toBe(true);
  });

  test('in the store serves where there is no apt', async () => {
    mkdirSync(store, { recursive: true });
    makeDeb(join(store, 'tiny_0.9_amd64.deb'), 'usr/bin/old');
    makeDeb(join(store, FILE));
    expect((await build(machine({}))).map(told)).toEqual([PROGRAM]);
  });

  test('has its programs in bin and usr/bin alike', async () => {
    mkdirSync(store, { recursive: true });
    makeDeb(join(store, FILE), 'usr/bin/tiny');
    expect((await build(machine({}))).map(told)).toEqual([PROGRAM]);
  });

  test('gives whole directories, links kept, in the order of names', async () => {
    mkdirSync(store, { recursive: true });
    makeDeb(join(store, FILE));
    const items = await build(machine({}), { package: 'tiny', files: [{ from: 'usr/share/tiny', to: 'share' }] });
    expect(items.map(told)).toEqual([
      { kind: 'dir', path: 'share' },
      { kind: 'file', path: 'share/a', executable: false, bytes: 'a' },
      { kind: 'file', path: 'share/b', executable: false, bytes: 'b' },
      { kind: 'link', path: 'share/link', target: 'a' },
    ]);
  });

  test('without the file says so', async () => {
    mkdirSync(store, { recursive: true });
    makeDeb(join(store, FILE));
    const source = { package: 'tiny', files: [{ from: 'bin/other', to: 'app/tiny' }] };
    await expect(build(machine({}), source)).rejects.toThrow('bad-recipe: the package tiny has no bin/other');
  });

  test('that is torn says so, and leaves no half of a tree', async () => {
    mkdirSync(store, { recursive: true });
    writeFileSync(join(store, FILE), 'torn');
    await expect(build(machine({}))).rejects.toThrow(/tiny_1%3a2\.0-1_amd64\.deb cannot be unpacked: .*dpkg-deb/s);
    expect(readdirSync(store).filter((name) => name.startsWith('tiny'))).toEqual([FILE]);
  });
});

describe('a package that cannot be fetched', () => {
  // A file that every machine with this test has, standing for one that the package installed.
  const program = { package: 'tiny', files: [{ from: process.execPath.slice(1), to: 'app/tiny' }] };
  const installed = { installed: 'installed 1:2.0-1 amd64', owned: `tiny: ${process.execPath}` };

  test('is taken from this machine when it is installed and unchanged', async () => {
    const [item] = await build(machine(installed), program);
    expect(item).toMatchObject({ kind: 'file', path: 'app/tiny', executable: true });
    expect(item?.kind === 'file' && item.bytes.length).toBe(readFileSync(process.execPath).length);
  });

  const unfit: [string, Machine, Partial<PackagedSource>, 'x64' | 'arm64'][] = [
    ['is not installed', {}, {}, 'x64'],
    ['is half installed', { ...installed, installed: 'half-installed 1:2.0-1 amd64' }, {}, 'x64'],
    ['is installed in another version', installed, { version: '3' }, 'x64'],
    ['is installed for another processor', { ...installed, installed: 'installed 1:2.0-1 i386' }, {}, 'x64'],
    ['is wanted for another processor', installed, {}, 'arm64'],
    ['was changed', { ...installed, verify: `??5?????? ${process.execPath}\n` }, {}, 'x64'],
    ['does not own the file', { ...installed, owned: `other: ${process.execPath}` }, {}, 'x64'],
  ];
  test.each(unfit)('and %s is an error that says what to do', async (_name, on, more, arch) => {
    const why =
      /^bad-recipe: the package tiny( 3)? for (amd64|arm64) cannot be fetched \(E: Unable to locate package tiny\)\. On Debian run "apt-get update" and build again; elsewhere put tiny_<version>_(amd64|arm64)\.deb into /;
    await expect(build(machine(on), { ...program, ...more }, arch)).rejects.toThrow(why);
  });

  test('because there is no apt says so', async () => {
    const run: Run = async () => ({ status: 127, stdout: '', stderr: '' });
    await expect(build(run)).rejects.toThrow(/\(there is no apt on this machine\)/);
  });
});
