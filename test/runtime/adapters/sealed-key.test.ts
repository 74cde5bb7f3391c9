/** Keys under a passphrase: opened by that alone, and not after a byte was changed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { openAnyKey, openSeed, SEALED_BYTES, sealSeed } from '../../../runtime/adapters/sealed-key.ts';

const seed = new Uint8Array(32).fill(7);
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lichen-sealed-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('a sealed key', () => {
  const sealed = sealSeed(seed, 'blåbær');

  test('is opened by its passphrase, however its letters are put together, and by no other', () => {
    expect(sealed).toHaveLength(SEALED_BYTES);
    expect(openSeed(sealed, 'bla\u030abær')).toEqual(seed);
    expect(() => openSeed(sealed, 'blabær')).toThrow(expect.objectContaining({ code: 'not-authorised' }));
    expect(() => openSeed(sealed, '')).toThrow(expect.objectContaining({ code: 'bad-usage' }));
  });

  test('differs each time, and holds the seed nowhere', () => {
    expect(sealSeed(seed, 'blåbær')).not.toEqual(sealed);
    expect(Buffer.from(sealed).includes(Buffer.from(seed.subarray(0, 8)))).toBe(false);
  });

  test.each([8, 12, 30, 45, 60, SEALED_BYTES - 1])('of which byte %i was changed is not opened', (at) => {
    const changed = sealed.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => openSeed(changed, 'blåbær')).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(not-authorised|bad-key-file)$/) }),
    );
  });

  test('may not ask the machine for any cost', () => {
    const dear = sealed.slice();
    dear[8] = 30;
    expect(() => openSeed(dear, 'blåbær')).toThrow(expect.objectContaining({ code: 'bad-key-file' }));
    expect(() => openSeed(sealed.subarray(0, 50), 'blåbær')).toThrow(expect.objectContaining({ code: 'bad-key-file' }));
  });

  test('stands in a file where a plain one may, and only then a passphrase is asked for', () => {
    const [plain, locked] = [join(directory, 'plain.key'), join(directory, 'locked.key')];
    writeFileSync(plain, seed, { mode: 0o600 });
    writeFileSync(locked, sealed, { mode: 0o600 });
    const never = (): string => expect.unreachable('nobody is asked');
    const { publicKey } = signerFromSeed(seed);
    expect(openAnyKey(plain, never).signer.publicKey).toEqual(publicKey);
    expect(openAnyKey(locked, () => 'blåbær').signer.publicKey).toEqual(publicKey);
  });
});
