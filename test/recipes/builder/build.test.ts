/** Recipes into releases: the same bytes anywhere, everything checked before it is signed, folders that can be pushed. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BuildInput, buildRelease } from '../../../recipes/builder/build.ts';
import { type Bundle, manifestOf, readBundle, writeBundle } from '../../../recipes/builder/bundle.ts';
import { build, registerReleaseBuild } from '../../../recipes/builder/cli.ts';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, unseal } from '../../../runtime/protocol/noun.ts';
import { type Entry, manifestNoun, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { entriesOf as entriesOnBoard } from '../../../runtime/protocol/pages.ts';
import { filesOf as filesOnBoard } from '../../support/files-of.ts';

const seed = new Uint8Array(32).fill(7);
const signer = signerFromSeed(seed);
const PUBLISHER = 'abcdefghijklmnopqrstuvwxyz234567';
const HEAD = `name: demo
label: 1
args: [/bin/run]
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
`;

let home = '';
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'lichen-build-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const recipe = (yaml: string, files: Record<string, string> = {}, name = 'recipe'): string => {
  const path = join(home, name);
  for (const [file, text] of Object.entries({ 'recipe.yaml': yaml, ...files })) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
};

const make = (recipePath: string, more: Partial<BuildInput> = {}): Promise<Bundle> =>
  buildRelease({ recipePath, publisherId: PUBLISHER, signer, sequence: 1, cachePath: join(home, 'cache'), ...more });

const refusal = async (recipePath: string, more: Partial<BuildInput> = {}): Promise<string> => {
  try {
    await make(recipePath, more);
  } catch (error) {
    if (error instanceof LichenError) return `${error.code}: ${error.detail.replaceAll(`${recipePath}/`, '')}`;
    throw error;
  }
  return 'built';
};

const entriesOf = ({ pages }: Bundle): Entry[] => [...pages.values()].flatMap((page) => decodeAs(pageSchema, page, 'page').entries);
const pieces = ({ manifest, pages, chunks }: Bundle): string[] => [hex(manifest), ...pages.keys(), ...chunks.keys()];
const content = (bundle: Bundle, path: string): string => {
  const entry = entriesOf(bundle).find((one) => one.path === path && one.kind === 'file');
  const chunks = entry?.kind === 'file' ? entry.chunks : [];
  return Buffer.concat(chunks.map(([hash]) => bundle.chunks.get(hex(hash)) ?? new Uint8Array())).toString('utf8');
};

const RUN = '- { from: run.sh, to: bin/run, executable: true }\n';
const simple = `${HEAD}files:\n  ${RUN}`;

describe('a release', () => {
  test('is signed, complete, and says what its recipe says', async () => {
    const yaml = `${HEAD}env: { A: b }\npromises:\n  - { name: web, probe: { kind: tcp, port: 80 } }\nfiles:\n  ${RUN}  - { from: data, to: share }\n  - { link: ../share/x, at: bin/x }\n`;
    const bundle = await make(recipe(yaml, { 'run.sh': '#!', 'data/x': 'x', 'data/deep/empty': '' }), { sequence: 9 });
    const { value, hash, signer: key } = unseal(nodeCrypto, manifestNoun, bundle.manifest);
    expect(hex(hash)).toBe(hex(bundle.release));
    expect(hex(key)).toBe(hex(signer.publicKey));
    expect(value).toMatchObject({ publisher: PUBLISHER, recipe: 'demo', label: '1', sequence: 9, arch: 'any', entries: 7, bytes: 3 });
    expect(value).toMatchObject({ args: ['/bin/run'], env: { A: 'b' }, engine: 'none', parameters: {}, demands: 'dev' });
    expect(value.pages.map(hex)).toEqual([...bundle.pages.keys()]);
    expect(entriesOf(bundle).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'dir bin',
      'file bin/run',
      'link bin/x',
      'dir share',
      'dir share/deep',
      'file share/deep/empty',
      'file share/x',
    ]);
    for (const [name, bytes] of [...bundle.pages, ...bundle.chunks]) expect(hex(nodeCrypto.sha256(bytes))).toBe(name);
    expect(content(bundle, 'share/x')).toBe('x');
  });

  test('has the same bytes in another folder, on another day, from files that came in another order', async () => {
    const yaml = `${HEAD.replace('/bin/run', '/usr/bin/node, /app/main.mjs').replace('label', 'engine: node\nlabel')}files:\n  - { bundle: src/main.ts, to: app/main.mjs }\n  - { from: data, to: data }\n`;
    const files = {
      'src/main.ts': "import { a, B } from './a.ts';\nimport './side.ts';\nconsole.log(a as string, new B());\n",
      'src/side.ts': "import './own/c.ts';\nconsole.log('side');\n",
      'src/own/package.json': '{ "type": "module" }',
      'src/own/c.ts': 'globalThis.C = class {\n  y = 2;\n};\n',
      'src/a.ts': "export const a: string = 'ä';\nexport class B {\n  x = 1;\n}\n",
      'data/b': 'b',
      'data/a': 'a',
      'data/Z': 'z',
    };
    const first = await make(recipe(yaml, files, 'one'));
    const path = recipe(yaml, Object.fromEntries(Object.entries(files).reverse()), 'elsewhere/deeper/two');
    // What surrounds a recipe must not reach into it.
    writeFileSync(join(home, 'elsewhere', 'tsconfig.json'), '{ "compilerOptions": { "useDefineForClassFields": false, "target": "es5" } }');
    writeFileSync(join(home, 'elsewhere', 'package.json'), '{ "type": "commonjs", "sideEffects": false }');
    for (const file of ['data/a', 'src/a.ts', 'recipe.yaml']) utimesSync(join(path, file), 0, 0);
    chmodSync(join(path, 'data/a'), 0o600);
    chmodSync(join(path, 'data'), 0o700);
    expect(pieces(await make(path))).toEqual(pieces(first));
    expect(content(first, 'app/main.mjs')).toBe(
      '// src/a.ts\nvar a = "ä";\nvar B = class {\n  x = 1;\n};\n\n// src/own/c.ts\nglobalThis.C = class {\n  y = 2;\n};\n\n// src/side.ts\nconsole.log("side");\n\n// src/main.ts\nconsole.log(a, new B());\n',
    );
  });

  test('of a recipe of this project is the same from a copy of it', async () => {
    const source = join(import.meta.dirname, '../../../recipes/hello-sensor');
    cpSync(source, join(home, 'copy'), { recursive: true });
    const bundle = await make(source);
    expect(pieces(await make(join(home, 'copy')))).toEqual(pieces(bundle));
    expect(manifestOf(bundle)).toMatchObject({ recipe: 'hello-sensor', engine: 'node', arch: 'any' });
    // Nothing but Node itself is imported.
    const imports = [...content(bundle, 'app/main.mjs').matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from);
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter((from) => !from?.startsWith('node:'))).toEqual([]);
  });

  test('of a file with thousands of chunks is one that a board takes', async () => {
    const path = recipe(`${HEAD}files:\n  ${RUN}  - { from: big, to: big }\n`, { 'run.sh': '#!' });
    const big = new Uint8Array(12 * 1024 * 1024);
    for (let at = 0, state = 1; at < big.length; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      big[at] = state >>> 16;
    }
    writeFileSync(join(path, 'big'), big);
    const bundle = await make(path);
    const entries = entriesOnBoard(manifestOf(bundle), [...bundle.pages.values()]);
    expect(entries.filter(({ kind }) => kind === 'more').length).toBeGreaterThan(0);
    const file = filesOnBoard(entries).find(({ bytes }) => bytes === big.length);
    const whole = Buffer.concat([...(file?.pieces ?? [])].map(({ chunk }) => bundle.chunks.get(hex(chunk[0])) ?? new Uint8Array()));
    expect(Buffer.compare(whole, big)).toBe(0);
  });

  test('keeps the executable bit of a file unless told otherwise', async () => {
    const yaml = `${HEAD}files:\n  ${RUN}  - { from: data, to: . }\n  - { from: data/on, to: off, executable: false }\n`;
    const path = recipe(yaml, { 'run.sh': '#!', 'data/on': '', 'data/plain': '' });
    chmodSync(join(path, 'data/on'), 0o755);
    const bits = entriesOf(await make(path)).map((entry) => [entry.path, entry.kind === 'file' && entry.executable]);
    expect(Object.fromEntries(bits)).toEqual({ bin: false, 'bin/run': true, off: false, on: true, plain: false });
  });

  test('resends little after one line of a program was changed', async () => {
    const lines = Array.from({ length: 4000 }, (_, at) => `export const value${at} = (x) => x * ${at} + ${(at * 7919) % 1009};`);
    const yaml = `${HEAD.replace('/bin/run', '/usr/bin/node, /app/main.mjs').replace('label', 'engine: node\nlabel')}files:\n  - { bundle: main.ts, to: app/main.mjs }\n`;
    const before = await make(recipe(yaml, { 'main.ts': lines.join('\n') }));
    lines[2000] = 'export const value2000 = (x) => "changed " + x;';
    const after = await make(recipe(yaml, { 'main.ts': lines.join('\n') }));
    const resent = [...after.chunks].filter(([name]) => !before.chunks.has(name));
    expect(manifestOf(after).bytes).toBeGreaterThan(150_000);
    expect(resent.reduce((sum, [, { length }]) => sum + length, 0)).toBeLessThan(2 * LIMITS.chunkMaxBytes);
  });
});

describe('a recipe that cannot be built', () => {
  const node = HEAD.replace('/bin/run', '/usr/bin/node').replace('label', 'engine: node\nlabel');
  const wrong: [string, string, Record<string, string>, string | RegExp][] = [
    [
      'names a file that is not there',
      `${HEAD}files:\n  - { from: gone, to: bin/run }\n`,
      {},
      'bad-recipe: recipe.yaml:6:13: gone: there is no such file in the recipe',
    ],
    [
      'gives two sources for one file',
      `${HEAD}files:\n  ${RUN}  - { from: run.sh, to: bin/run }\n`,
      {},
      'bad-recipe: recipe.yaml:7:13: bin/run comes from source 1 already',
    ],
    [
      'has no such program',
      `${HEAD}files:\n  - { from: run.sh, to: bin/other }\n`,
      {},
      'bad-recipe: recipe.yaml:3:8: the release has no /bin/run',
    ],
    [
      'has no such program of a hook',
      `${HEAD}data: { onUpdate: snapshot, after: { args: [/bin/migrate], withinMs: 1 } }\nfiles:\n  ${RUN}`,
      { 'run.sh': '#!' },
      /^bad-recipe: recipe\.yaml:\d+:\d+: the release has no \/bin\/migrate$/,
    ],
    [
      'has a program that may not run',
      `${HEAD}files:\n  - { from: run.sh, to: bin/run }\n`,
      {},
      'bad-recipe: recipe.yaml:3:8: /bin/run is not executable: say "executable: true" at its source',
    ],
    [
      'has a directory for a program',
      `${HEAD}files:\n  - { from: run.sh, to: bin/run/x }\n`,
      {},
      'bad-recipe: recipe.yaml:3:8: /bin/run is a directory',
    ],
    [
      'forgets the engine',
      `${HEAD.replace('/bin/run', '/usr/bin/node')}files:\n  ${RUN}`,
      {},
      'bad-recipe: recipe.yaml:3:8: the release has no /usr/bin/node (say "engine: node")',
    ],
    [
      'puts a file below a file',
      `${HEAD}files:\n  ${RUN}  - { from: run.sh, to: bin/run/x }\n`,
      {},
      /^bad-recipe: recipe\.yaml: files: bin\/run\/x: its parent is not a directory/,
    ],
    [
      'links out',
      `${HEAD}files:\n  ${RUN}  - { link: ../../etc, at: bin/x }\n`,
      {},
      /^bad-recipe: recipe\.yaml: files: bin\/x: its target \.\.\/\.\.\/etc leaves the root/,
    ],
    [
      'has a program that does not compile',
      `${node}files:\n  - { bundle: main.ts, to: app/main.mjs }\n`,
      { 'main.ts': 'const a = 1;\nconst = 2;\n' },
      /^bad-recipe: recipe\.yaml:7:15: main\.ts:2:7: Expected identifier/,
    ],
    [
      'has a program that is not there',
      `${node}files:\n  - { bundle: gone.ts, to: app/main.mjs }\n`,
      {},
      /^bad-recipe: recipe\.yaml:7:15: .*gone\.ts/,
    ],
    [
      'has a program that imports what is not there',
      `${node}files:\n  - { bundle: main.ts, to: app/main.mjs }\n`,
      { 'main.ts': "import 'left-pad';" },
      /^bad-recipe: recipe\.yaml:7:15: main\.ts:1:8: Could not resolve "left-pad"/,
    ],
    [
      'has a program that reaches outside',
      `${node}files:\n  - { bundle: main.ts, to: app/main.mjs }\n`,
      { 'main.ts': "import '../outside.ts';", '../outside.ts': 'console.log(1);' },
      'bad-recipe: recipe.yaml:7:15: main.ts imports ../outside.ts, which is not part of the recipe',
    ],
    [
      'is for any processor and has a package',
      `${HEAD}files:\n  ${RUN}  - { package: busybox-static, files: [{ from: bin/busybox, to: b }] }\n`,
      {},
      /^bad-recipe: recipe\.yaml: with packages "arch: any" cannot hold/,
    ],
  ];
  test.each(wrong)('because it %s says so', async (_name, yaml, files, expected) => {
    const said = await refusal(recipe(yaml, { 'run.sh': '#!', ...files }));
    if (typeof expected === 'string') expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  });

  test('because a source is a link out of it, a pipe, or a link to nothing says so', async () => {
    const path = recipe(`${HEAD}files:\n  - { from: x, to: bin/run }\n`, { 'run.sh': '#!' });
    for (const target of ['/etc/passwd', '../outside', 'run.sh/..']) {
      rmSync(join(path, 'x'), { force: true });
      writeFileSync(join(home, 'outside'), 'secret');
      symlinkSync(target, join(path, 'x'));
      expect(await refusal(path)).toMatch(/^bad-recipe: recipe\.yaml:6:13: x (leads out of|is a link that leads nowhere)/);
    }
    rmSync(join(path, 'x'));
    expect(spawnSync('mkfifo', [join(path, 'x')]).status).toBe(0);
    expect(await refusal(path)).toBe('bad-recipe: recipe.yaml:6:13: x is neither file, directory nor link');
  });

  test('because of what the caller says says so', async () => {
    const path = recipe(simple, { 'run.sh': '#!' });
    expect(await refusal(join(home, 'nowhere'))).toMatch(/^not-found: there is no /);
    expect(await refusal(path, { publisherId: 'me' })).toMatch(/^bad-schema: publisher: /);
    expect(await refusal(path, { sequence: 0 })).toMatch(/^bad-schema: manifest\.sequence: /);
    expect(await refusal(path, { arch: 'arm64' })).toBe('bad-usage: the recipe is for any; only "arch: each" lets the build choose arm64');
  });

  test('is allowed a program behind links', async () => {
    const yaml = `${HEAD}files:\n  - { from: run.sh, to: opt/v1/run, executable: true }\n  - { link: opt/v1, at: bin }\n`;
    expect(await refusal(recipe(yaml, { 'run.sh': '#!' }))).toBe('built');
    const circle = `${HEAD}files:\n  - { link: run, at: bin/run }\n`;
    expect(await refusal(recipe(circle))).toMatch(/^bad-recipe: recipe\.yaml:3:8: the release has no \/bin\/run/);
  });

  test('for each processor is built for the one that is named', async () => {
    const path = recipe(simple.replace('label', 'arch: each\nlabel'), { 'run.sh': '#!' });
    for (const arch of ['x64', 'arm64'] as const) expect(manifestOf(await make(path, { arch })).arch).toBe(arch);
    expect(manifestOf(await make(path)).arch).toBe(process.arch);
  });
});

describe('a bundle in a folder', () => {
  const written = async (text = `#!${'x'.repeat(100_000)}`): Promise<{ bundle: Bundle; out: string }> => {
    const bundle = await make(recipe(simple, { 'run.sh': text }));
    const out = join(home, 'out');
    writeBundle(bundle, out);
    return { bundle, out };
  };

  test('is what was written, in pieces of one message each', async () => {
    const { bundle, out } = await written();
    expect(readBundle(out)).toEqual(bundle);
    const names = readdirSync(out).sort();
    expect(names[0]).toBe('000000-manifest.cose');
    expect(names.at(-1)).toBe('sbom.cdx.json');
    for (const name of names.slice(1, -1)) expect(name).toMatch(/^(page|chunk)-[0-9a-f]{64}$/);
    for (const name of names) expect(statSync(join(out, name)).size).toBeLessThanOrEqual(LIMITS.packetBytes);
  });

  test('says beside it what it is made of, by a hash that is signed and the same each time', async () => {
    const [{ bundle, out }, again] = [await written(), await written()];
    const text = readFileSync(join(out, 'sbom.cdx.json'));
    expect(new Uint8Array(text)).toEqual(again.bundle.sbom);
    expect(manifestOf(bundle).sbom).toEqual(nodeCrypto.sha256(new Uint8Array(text)));
    const { bomFormat, specVersion, metadata, components } = JSON.parse(text.toString());
    expect([bomFormat, specVersion, metadata.component.type]).toEqual(['CycloneDX', '1.5', 'application']);
    expect(components.every(({ type, name }: { type: string; name: string }) => ['file', 'library'].includes(type) && name !== '')).toBe(
      true,
    );
    expect(components.length).toBeGreaterThan(0);
  });

  test('is packed where that pays', async () => {
    const { bundle, out } = await written();
    const [[name, bytes] = ['', new Uint8Array()]] = bundle.chunks;
    expect(statSync(join(out, `chunk-${name}`)).size).toBeLessThan(bytes.length / 100);
    const random = await written(`#!${randomBytes(20_000).toString('latin1')}`);
    for (const [key, piece] of random.bundle.chunks) expect(statSync(join(out, `chunk-${key}`)).size).toBeLessThanOrEqual(piece.length);
  });

  test('takes the place of an earlier one, mends what is torn, and rewrites nothing else', async () => {
    const { out } = await written('#!first');
    const { bundle } = await written();
    expect(readdirSync(out)).toHaveLength(2 + bundle.pages.size + bundle.chunks.size);
    const [torn = ''] = bundle.chunks.keys();
    writeFileSync(join(out, `chunk-${torn}`), 'torn');
    writeFileSync(join(out, `chunk-${torn}.draft`), 'half');
    utimesSync(join(out, `page-${bundle.pages.keys().next().value}`), 1, 1);
    writeBundle(bundle, out);
    expect(readBundle(out)).toEqual(bundle);
    expect(statSync(join(out, `page-${bundle.pages.keys().next().value}`)).mtimeMs).toBe(1000);
    expect(readdirSync(out).filter((name) => name.endsWith('.draft'))).toEqual([]);
  });

  test('does not go where other files are', async () => {
    const { bundle } = await written();
    mkdirSync(join(home, 'mine'));
    writeFileSync(join(home, 'mine', 'thesis.txt'), '');
    expect(() => writeBundle(bundle, join(home, 'mine'))).toThrow(/^conflict: .*thesis\.txt/);
    expect(readdirSync(join(home, 'mine'))).toEqual(['thesis.txt']);
  });

  test('is refused when pieces are missing, torn or forged', async () => {
    const { bundle, out } = await written();
    const [chunk = ''] = bundle.chunks.keys();
    const [page = ''] = bundle.pages.keys();
    const saved = readFileSync(join(out, `chunk-${chunk}`));
    rmSync(join(out, `chunk-${chunk}`));
    expect(() => readBundle(out)).toThrow(`missing-content: ${out} lacks 1 of its pieces, or they are torn: chunk-${chunk}`);
    writeFileSync(join(out, `chunk-${chunk}`), 'torn');
    expect(() => readBundle(out)).toThrow(/^missing-content: /);
    writeFileSync(join(out, `chunk-${chunk}`), saved);
    writeFileSync(join(out, `page-${page}`), new Uint8Array([0xa0]));
    expect(() => readBundle(out)).toThrow(/^missing-content: .*page-/);
    const forged = Buffer.from(bundle.manifest);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    writeFileSync(join(out, '000000-manifest.cose'), forged);
    expect(() => readBundle(out)).toThrow(/^bad-signature: /);
    rmSync(join(out, '000000-manifest.cose'));
    expect(() => readBundle(out)).toThrow(/^not-found: .*000000-manifest\.cose/);
    expect(() => readBundle(join(home, 'nowhere'))).toThrow(/^not-found: /);
  });
});

describe('lichen release build', () => {
  const keyFile = (mode = 0o600): string => {
    const path = join(home, 'publisher.key');
    writeFileSync(path, seed, { mode });
    chmodSync(path, mode);
    return path;
  };
  const run = async (...args: string[]): Promise<string[]> => {
    const printed: string[] = [];
    const program = new Command('lichen').exitOverride().configureOutput({ writeErr: () => {} });
    registerReleaseBuild(program.command('release'), (text) => printed.push(text));
    await program.parseAsync(['release', 'build', ...args], { from: 'user' });
    return printed;
  };

  test('builds, signs, writes, and prints one line of JSON', async () => {
    const path = recipe(simple, { 'run.sh': '#!/bin/sh\n' });
    const out = join(home, 'out');
    const printed = await run(path, '--key', keyFile(), '--publisher', PUBLISHER, '--sequence', '3', '--out', out, '--json');
    expect(printed).toHaveLength(1);
    const report: unknown = JSON.parse(printed[0] ?? '');
    const bundle = readBundle(out);
    expect(report).toEqual({ release: hex(bundle.release), recipe: 'demo', bytes: 10, chunks: 1, pages: 1, seconds: expect.any(Number) });
    expect(manifestOf(bundle)).toMatchObject({ sequence: 3, publisher: PUBLISHER });
    const said = await run(path, '--key', keyFile(), '--publisher', PUBLISHER, '--sequence', '3', '--out', out);
    expect(said.join()).toContain(hex(bundle.release));
  });

  test.each([
    ['--sequence', 'zero', /^bad-usage: --sequence is a number from 1 on, not "zero"$/],
    ['--sequence', '-1', /^bad-usage: /],
    ['--sequence', '1e999', /^bad-usage: /],
    ['--arch', 'mips', /^bad-usage: --arch is x64 or arm64, not "mips"$/],
    ['--key', '/nowhere/key', /^not-found: there is no key file /],
    ['--publisher', 'me', /^bad-usage: --publisher: expected an id/],
  ])('refuses %s %s and writes nothing', async (flag, value, expected) => {
    const path = recipe(simple, { 'run.sh': '#!' });
    const flags = { '--key': keyFile(), '--publisher': PUBLISHER, '--sequence': '1', '--out': join(home, 'out'), [flag]: value };
    await expect(run(path, ...Object.entries(flags).flat())).rejects.toThrow(expected);
    expect(readdirSync(home)).not.toContain('out');
  });

  test('never makes a key, and takes none that others may have read', async () => {
    const options = { recipePath: recipe(simple, { 'run.sh': '#!' }), publisherId: PUBLISHER, sequence: 1, outPath: join(home, 'out') };
    await expect(build({ ...options, keyPath: join(home, 'new.key') })).rejects.toThrow(/^not-found: /);
    expect(readdirSync(home)).not.toContain('new.key');
    await expect(build({ ...options, keyPath: keyFile(0o644) })).rejects.toThrow(/mode 644/);
  });
});
