/** The system of an image as a release: what goes into it of a disk, whichever firmware starts it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeDisk, makeFat } from '../../firmware-images/disk.ts';
import { packRoot } from '../../firmware-images/image.ts';
import { releaseImage } from '../../firmware-images/release.ts';
import { type Tree, text } from '../../firmware-images/tree.ts';
import { readBundle } from '../../recipes/builder/bundle.ts';
import { openKeyFile } from '../../runtime/adapters/keyfile.ts';
import { erofsBytes } from '../../runtime/adapters/slots/content.ts';
import { entryText } from '../../runtime/adapters/slots/systemd-boot.ts';
import { entryFile } from '../../runtime/adapters/slots/u-boot.ts';
import { withHashes } from '../../runtime/adapters/slots/verity.ts';
import { imageFiles } from '../../runtime/protocol/image.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { entriesOf } from '../../runtime/protocol/pages.ts';
import { testCrypto } from '../support/crypto.ts';
import { PUBLISHER } from '../support/federation.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-release-'));
  openKeyFile(at('release.key'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `boot`: by the word about the root. */
const imageOf = async (board: string, boot: (word: string) => Tree): Promise<void> => {
  const root: Tree = new Map([['usr/bin/x', text('a root\n'.repeat(2000))]]);
  const { word } = await packRoot(root, 'test', at('root'));
  await makeFat(boot(word), 'LICHEN', 40, at('boot'));
  const parts = [
    { name: 'lichen-boot', type: 'uefi', mebibytes: 40, path: at('boot') },
    { name: 'lichen-root-a', type: 'linux', mebibytes: 2, path: at('root') },
  ];
  await makeDisk({ board, parts, oldTable: board === 'pi' }, at('image'));
};

const released = async () => {
  const input = { image: at('image'), keyPath: at('release.key'), publisher: PUBLISHER, sequence: 7, label: '7.0', outPath: at('out') };
  const report = await releaseImage(input);
  const { manifest, pages, chunks } = readBundle(at('out'));
  const { value } = unseal(testCrypto, manifestNoun, manifest);
  const files = imageFiles(entriesOf(value, [...pages.values()]));
  const contentOf = (path: string): Buffer => {
    const refs = files.find((file) => file.path === path)?.chunks ?? [];
    return Buffer.concat(refs.map(([hash]) => chunks.get(Buffer.from(hash).toString('hex')) ?? Buffer.alloc(0)));
  };
  return { report, manifest: value, names: files.map(({ path }) => path), contentOf };
};

describe('a release of an image', () => {
  test('under UEFI has root, kernel, first root and the words without the slot', async () => {
    await imageOf(
      'generic-amd64',
      (word) =>
        new Map([
          ['loader/entries/lichen-a.conf', text(entryText('a', 1, `lichen.slot=a console=ttyS0 ${word}`))],
          ['lichen/a/linux', text('kernel')],
          ['lichen/a/first', text('first root')],
        ]),
    );
    const { report, manifest, names, contentOf } = await released();
    expect(report).toMatchObject({ board: 'generic-amd64', sequence: 7 });
    expect(manifest).toMatchObject({ recipe: 'image-generic-amd64', arch: 'x64', image: { board: 'generic-amd64' }, label: '7.0' });
    expect(names).toEqual(['boot/first', 'boot/linux', 'boot/words', 'root']);
    expect(contentOf('boot/words').toString()).toMatch(/^console=ttyS0 lichen\.root=\d+:[0-9a-f]{64}\n$/);
    expect(contentOf('boot/linux').toString()).toBe('kernel');
    const root = readFileSync(at('root'));
    expect(contentOf('root').equals(root)).toBe(true);
    expect(withHashes(erofsBytes(root))).toBe(root.length);
  });

  test('whose root is not what its kernel is told is refused', async () => {
    await imageOf(
      'generic-amd64',
      (word) =>
        new Map([
          ['loader/entries/lichen-a.conf', text(entryText('a', 1, `lichen.slot=a ${word.replace(/.$/, 'x')}`))],
          ['lichen/a/x', text('')],
        ]),
    );
    await expect(released()).rejects.toMatchObject({ code: 'image-failed', message: expect.stringContaining('not true of its root') });
  });

  test('of a Pi has the words of its entry, and not the entry', async () => {
    await imageOf(
      'pi',
      (word) =>
        new Map([
          ['lichen/a/linux', text('kernel')],
          ['lichen/a/first', text('first root')],
          ['lichen/a/entry.txt', text(entryFile({ linux: '1', first: '2', words: `console=tty0 ${word}` }))],
        ]),
    );
    const { manifest, names, contentOf } = await released();
    expect(manifest).toMatchObject({ arch: 'arm64', image: { board: 'pi' } });
    expect(names).toEqual(['boot/first', 'boot/linux', 'boot/words', 'root']);
    expect(contentOf('boot/words').toString()).toMatch(/^console=tty0 lichen\.root=/);
  });

  test('of what is no image is refused', async () => {
    writeFileSync(at('image'), Buffer.alloc(1 << 20));
    await expect(released()).rejects.toMatchObject({ code: 'image-failed' });
  });
});
