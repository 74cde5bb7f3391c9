/** What is shown of a release before anybody asks for it, also of one that is torn, or lies. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspect } from '../../../gateway/cli/release-inspect.ts';
import { inspectionText } from '../../../gateway/cli/release-text.ts';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { Entry } from '../../../runtime/protocol/nouns/release.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { nextPublisher, publisherDoc, type SmallRelease, signedPublisher, smallRelease } from '../../support/small-release.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-inspect-'));
});
afterAll(() => rmSync(home, { recursive: true }));

const folder = (name: string, { document, content, manifest }: SmallRelease): string => {
  const path = join(home, name);
  mkdirSync(path);
  writeFileSync(join(path, '000000-manifest.cose'), document);
  const pages = new Set(manifest.pages.map(hex));
  for (const [hash, bytes] of content) writeFileSync(join(path, `${pages.has(hash) ? 'page' : 'chunk'}-${hash}`), packZstd(bytes));
  return path;
};
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(home, name);
  writeFileSync(path, bytes);
  return path;
};

describe('a release in a folder', () => {
  test('is shown with all that it may do and all that is in it', () => {
    const network = { outbound: [{ to: 'api.example.org', port: 443, protocol: 'tcp' as const }], dns: true, links: [], publish: [] };
    const release = smallRelease({ network, devices: ['i2c'] });
    const found = inspect(folder('whole', release));
    expect(found).toMatchObject({
      release: hex(release.release),
      keyIs: 'unknown',
      missing: [],
      wrong: [],
      pages: 2,
      chunks: 3,
      update: null,
    });
    expect(found.key).toBe(hex(keyOf('release key').publicKey));
    expect(found.wireBytes).toBeLessThan(found.manifest.bytes);
    expect(found.files.map(({ path, kind, executable }) => [path, kind, executable])).toEqual([
      ['bin', 'dir', false],
      ['bin/main', 'file', true],
      ['data', 'file', false],
      ['empty', 'file', false],
      ['run', 'link', false],
    ]);
    const text = inspectionText(found);
    for (const words of [
      'api.example.org port 443/tcp',
      'i2c',
      'resolvers',
      'memoryMib=32',
      'promises answers by http',
      'run -> bin/main',
      'it is whole',
    ])
      expect(text).toContain(words);
  });

  test('says whose key signed it, by the document of its publisher', () => {
    const path = folder('signed', smallRelease());
    const key = keyOf('release key').publicKey;
    const says = (name: string, doc = publisherDoc()) => inspect(path, file(name, signedPublisher(doc))).keyIs;
    expect(says('1.cose')).toBe('listed');
    expect(says('2.cose', nextPublisher(publisherDoc(), { revoked: [key] }))).toBe('revoked');
    expect(says('3.cose', nextPublisher(publisherDoc(), { keys: [keyOf('other').publicKey] }))).toBe('unlisted');
    expect(inspectionText(inspect(path, join(home, '2.cose')))).toContain('HAS REVOKED');
  });

  test('says what a board fetches that has another one', () => {
    const before = folder('before', smallRelease());
    const after = folder('after', smallRelease({ recipe: 'other', sequence: 2 }));
    const { update, chunks, wireBytes } = inspect(after, undefined, before);
    expect(update).toMatchObject({ chunks: 1, pages: 1 });
    expect(update!.wireBytes).toBeLessThan(wireBytes);
    expect(chunks).toBe(3);
    expect(inspect(after, undefined, after).update).toEqual({ chunks: 0, pages: 0, wireBytes: 0 });
  });

  test('that is torn says which pieces, and without its index is not shown', () => {
    const release = smallRelease({ sequence: 3 });
    const path = folder('torn', release);
    writeFileSync(join(path, `chunk-${release.chunks[0]}`), 'torn');
    rmSync(join(path, `chunk-${release.chunks[1]}`));
    expect(inspect(path).missing.sort()).toEqual(release.chunks.slice(0, 2).sort());
    expect(inspectionText(inspect(path))).toContain('2 PIECES ARE ABSENT OR TORN');
    for (const name of readdirSync(path).filter((one) => one.startsWith('page-'))) rmSync(join(path, name));
    expect(() => inspect(path)).toThrow(/^missing-content: /);
  });

  test('whose file is another than its chunks make is told, and one that could run nowhere is refused', () => {
    const bytes = new TextEncoder().encode('#!/bin/sh\n');
    const lie: Entry = {
      ...{ kind: 'file', path: 'bin', executable: true, bytes: bytes.length, hash: new Uint8Array(32) },
      chunks: [[testCrypto.sha256(bytes), bytes.length]],
    };
    const release = smallRelease({ args: ['/bin'] }, { tree: [[lie]] });
    release.content.set(hex(testCrypto.sha256(bytes)), bytes);
    expect(inspect(folder('lie', release)).wrong).toEqual(['bin']);
    expect(() => inspect(folder('nowhere', smallRelease({ args: ['/not/there'] })))).toThrow(/^bad-release: /);
    expect(() => inspect(join(home, 'nothing'))).toThrow(/^not-found: /);
  });
});
