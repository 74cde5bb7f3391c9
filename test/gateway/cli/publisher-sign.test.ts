/** A release is built on one machine and signed on another; a key may lie under a passphrase there. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
