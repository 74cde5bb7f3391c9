/** A release is built on one machine and signed on another; a key may lie under a passphrase there. */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refused, told } from './command.ts';

let directory = '';
const at = (...names: string[]): string => join(directory, ...names);
const RECIPE = `name: little
label: "1"
args: [/run]
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
files:
  - { from: run.sh, to: run, executable: true }
`;
const PUBLISHER = 'a'.repeat(32);
const build = (...more: string[]) =>
  told(['release', 'build', at('recipe'), '--publisher', PUBLISHER, '--sequence', '1', '--cache', at('cache'), ...more]);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lichen-sign-'));
  mkdirSync(at('recipe'));
  writeFileSync(at('recipe', 'recipe.yaml'), RECIPE);
  writeFileSync(at('recipe', 'run.sh'), '#!/bin/sh\n');
  writeFileSync(at('words'), 'correct horse\n');
  await told(['key', 'new', at('release.key')]);
});
afterAll(() => rmSync(directory, { recursive: true }));

test('what was built unsigned is the same release once it is signed elsewhere, under a passphrase', async () => {
  const signed = (await build('--key', at('release.key'), '--out', at('whole'))) as { release: string };
  const unsigned = (await build('--unsigned', '--out', at('half'))) as { release: string };
  expect(unsigned.release).toBe(signed.release);
  await refused('not-found', 66, ['release', 'inspect', at('half')]);
  const shown = (await told(['key', 'show', at('release.key')])) as { publicKey: string };
  await told(['key', 'protect', at('release.key'), '--new-passphrase-file', at('words')]);
  expect([statSync(at('release.key')).mode & 0o777, statSync(at('release.key')).size]).toEqual([0o600, 87]);
  const sign = [
    'publisher',
    'sign',
    at('half', '000000-manifest.tosign'),
    '--key',
    at('release.key'),
    '--offline',
    '--out',
    at('signature'),
  ];
  writeFileSync(at('others'), 'battery staple');
  await refused('not-authorised', 77, sign, { env: { LICHEN_PASSPHRASE_FILE: at('others') } });
  expect(existsSync(at('signature'))).toBe(false);
  const made = await told(sign, { env: { LICHEN_PASSPHRASE_FILE: at('words') } });
  expect(made).toMatchObject({ release: signed.release, recipe: 'little', sequence: 1, publisher: PUBLISHER, key: shown.publicKey });
  expect(await told(['release', 'sign', at('half'), at('signature')])).toMatchObject({ release: signed.release, key: shown.publicKey });
  expect(readFileSync(at('half', '000000-manifest.cose'))).toEqual(readFileSync(at('whole', '000000-manifest.cose')));
  expect(existsSync(at('half', '000000-manifest.tosign'))).toBe(false);
  expect(await told(['release', 'inspect', at('half')])).toMatchObject({
    release: signed.release,
    missing: [],
    wrong: [],
    sbom: { is: 'signed', packages: [] },
  });
  writeFileSync(at('half', 'sbom.cdx.json'), '{}');
  expect(await told(['release', 'inspect', at('half')])).toMatchObject({ sbom: { is: 'another', packages: [] } });
});

test('a signature over another release, and anything that is none, is refused and leaves the folder as it was', async () => {
  await told(['key', 'new', at('plain.key')]);
  await build('--unsigned', '--out', at('one'));
  writeFileSync(at('recipe', 'run.sh'), '#!/bin/sh\nexit\n');
  await build('--unsigned', '--out', at('two'));
  const sign = (folder: string, out: string) =>
    told(['publisher', 'sign', at(folder, '000000-manifest.tosign'), '--key', at('plain.key'), '--offline', '--out', at(out)]);
  await sign('one', 'one.signature');
  await refused('conflict', 75, ['release', 'sign', at('two'), at('one.signature')]);
  writeFileSync(at('torn'), readFileSync(at('one.signature')).subarray(0, 50));
  await refused('bad-cbor', 65, ['release', 'sign', at('one'), at('torn')]);
  await refused('bad-cbor', 65, ['publisher', 'sign', at('torn'), '--key', at('plain.key'), '--offline', '--out', at('never')]);
  await refused('bad-usage', 64, [
    'publisher',
    'sign',
    at('one', '000000-manifest.tosign'),
    '--key',
    at('plain.key'),
    '--out',
    at('never'),
  ]);
  expect([existsSync(at('never')), existsSync(at('two', '000000-manifest.tosign')), existsSync(at('two', '000000-manifest.cose'))]).toEqual(
    [false, true, false],
  );
});

describe('a key in a device that signs bytes as they are', () => {
  /** OpenSSL stands for it where there is one, and Node's own where there is not. */
  const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
  const device = () => {
    const pem = String(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const spki = createPublicKey(createPrivateKey(pem)).export({ format: 'der', type: 'spki' });
    writeFileSync(at('device.pem'), pem);
    const sign = (from: string, to: string): void => {
      const words = ['pkeyutl', '-sign', '-rawin', '-inkey', at('device.pem'), '-in', at(from), '-out', at(to)];
      if (!hasOpenssl) writeFileSync(at(to), signBytes(null, readFileSync(at(from)), pem));
      else expect(spawnSync('openssl', words, { encoding: 'utf8' })).toMatchObject({ status: 0 });
    };
    return { by: spki.subarray(-32).toString('hex'), sign };
  };

  test('signs a release that was built unsigned, and nothing is written that does not hold', async () => {
    const { release } = (await build('--unsigned', '--out', at('device'))) as { release: string };
    const { by, sign } = device();
    const into = ['release', 'sign', at('device')];
    expect(await told([...into, '--by', by, '--to-sign', at('bytes')])).toEqual({ release, recipe: 'little', sequence: 1, key: by });
    sign('bytes', 'raw');
    const raw = readFileSync(at('raw'));
    expect(raw).toHaveLength(64);
    const { publicKey: other } = await told<{ publicKey: string }>(['key', 'show', at('release.key')], {
      env: { LICHEN_PASSPHRASE_FILE: at('words') },
    });
    writeFileSync(at('short'), raw.subarray(1));
    writeFileSync(
      at('turned'),
      raw.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
    );
    await refused('bad-signature', 77, [...into, '--by', by, '--raw', at('short')]);
    await refused('bad-signature', 77, [...into, '--by', by, '--raw', at('turned')]);
    await refused('bad-signature', 77, [...into, '--by', other, '--raw', at('raw')]);
    for (const words of [
      ['--by', by],
      ['--raw', at('raw')],
      [at('raw'), '--by', by],
      ['--by', by, '--raw', at('raw'), '--to-sign', at('b')],
    ])
      await refused('bad-usage', 64, [...into, ...words]);
    expect([existsSync(at('device', '000000-manifest.cose')), existsSync(at('device', '000000-manifest.tosign'))]).toEqual([false, true]);

    expect(await told([...into, '--by', by, '--raw', at('raw')])).toEqual({ release, recipe: 'little', sequence: 1, key: by });
    expect(await told(['release', 'inspect', at('device')])).toMatchObject({ release, key: by, missing: [], wrong: [] });
    expect(existsSync(at('device', '000000-manifest.tosign'))).toBe(false);
  });
});
