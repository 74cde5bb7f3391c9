/** A key is made once, kept for its user alone, and never replaced by a guess. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { openKeyFile } from '../../../runtime/adapters/keyfile.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';

let home = '';
let path = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-keyfile-'));
  path = join(home, 'board.key');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const refusal = (): LichenError => {
  try {
    openKeyFile(path);
  } catch (thrown) {
    if (thrown instanceof LichenError) return thrown;
  }
  throw new Error('nothing was refused');
};

test('it is made at the first start, mode 600, and found again at the second', () => {
  const made = openKeyFile(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(new Uint8Array(readFileSync(path))).toEqual(made.seed);
  expect(made.signer.publicKey).toEqual(signerFromSeed(made.seed).publicKey);
  expect(openKeyFile(path).seed).toEqual(made.seed);
  expect(readdirSync(home)).toEqual(['board.key']);
  expect(openKeyFile(join(home, 'other.key')).seed).not.toEqual(made.seed);
});

test('the seed comes from the entropy that is passed in', () => {
  const seed = new Uint8Array(32).fill(9);
  expect(openKeyFile(path, { bytes: (length) => seed.slice(0, length) }).seed).toEqual(seed);
});

test.each([0o640, 0o604, 0o660, 0o644])('mode %o is refused and left as it is', (mode) => {
  const { seed } = openKeyFile(path);
  chmodSync(path, mode);
  expect(refusal()).toMatchObject({
    code: 'bad-key-file',
    detail: expect.stringContaining(mode.toString(8)),
    next: expect.stringContaining(`chmod 600 ${path}`),
  });
  expect(new Uint8Array(readFileSync(path))).toEqual(seed);
});

test.each([0, 31, 33, 64])('%i bytes are refused and left as they are', (bytes) => {
  writeFileSync(path, new Uint8Array(bytes), { mode: 0o600 });
  expect(refusal()).toMatchObject({ code: 'bad-key-file', detail: expect.stringContaining(`${bytes} bytes`) });
  expect(statSync(path).size).toBe(bytes);
});

test('what is no key at all is not to be kept from others first', () => {
  writeFileSync(path, '# A text', { mode: 0o644 });
  expect(refusal()).toMatchObject({ detail: expect.stringContaining('8 bytes'), next: expect.stringContaining('lichen key new') });
});

test('a link, a directory and a place that is not there are refused', () => {
  openKeyFile(join(home, 'real.key'));
  symlinkSync(join(home, 'real.key'), path);
  expect(refusal().code).toBe('bad-key-file');
  rmSync(path);
  mkdirSync(path, { mode: 0o700 });
  expect(refusal().code).toBe('bad-key-file');
  path = join(home, 'nowhere', 'board.key');
  expect(refusal().code).toBe('bad-key-file');
});

test('processes that start at once all end with one key', async () => {
  const module = fileURLToPath(new URL('../../../runtime/adapters/keyfile.ts', import.meta.url));
  const script = `import { openKeyFile } from ${JSON.stringify(module)}; process.stdout.write(Buffer.from(openKeyFile(${JSON.stringify(path)}).seed).toString('hex'));`;
  const seeds = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise<string>((resolve, reject) => {
          const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
          let text = '';
          child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
          child.once('error', reject);
          child.once('close', () => resolve(text));
        }),
    ),
  );
  expect(new Set(seeds).size).toBe(1);
  expect(seeds[0]).toBe(readFileSync(path).toString('hex'));
  expect(readdirSync(home)).toEqual(['board.key']);
});
