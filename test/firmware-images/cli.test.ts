/** What `lichen image` prints, for programs and for people, of an image that was signed. The making itself is played. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { signerOf } from '../../firmware-images/beside/beside.ts';
import type { Built } from '../../firmware-images/image.ts';
import { lichen, refused, told } from '../gateway/cli/command.ts';
import { disk } from '../support/image-disk.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const image = (): string => at('lichen-pi.img');

vi.mock('../../firmware-images/image.ts', () => ({
  buildImage: (_work: unknown, outPath: string): Promise<Pick<Built, 'report'> & { parts: { sources: object } }> => {
    const path = join(outPath, 'lichen-pi.img');
    writeFileSync(path, disk());
    const sha256 = createHash('sha256').update(disk()).digest('hex');
    const report = { board: 'pi', image: path, imageBytes: disk().length, rootBytes: 7, sha256, seconds: 1 };
    return Promise.resolve({ parts: { sources: { packages: [], trees: new Map(), npm: [] } }, report });
  },
}));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-image-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const build = (): Promise<Record<string, unknown>> => told(['image', 'build', 'pi', '--out', folder, '--key', at('maker.key')]);
const flip = (path: string, offset: number): void => {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(path, bytes);
};

test('an image that was made is told in exactly these words', async () => {
  const made = await build();
  expect(Object.keys(made).sort()).toEqual(['board', 'downloadBytes', 'image', 'rootBytes', 'seconds', 'sha256']);
  expect(made).toMatchObject({ board: 'pi', image: image(), rootBytes: 7, sha256: createHash('sha256').update(disk()).digest('hex') });
  expect(made.downloadBytes).toBe(readFileSync(`${image()}.xz`).length);
});

test('an image is known by the key that signed it, and by no other', async () => {
  await build();
  const signer = signerOf(at('maker.key'));
  for (const file of [image(), `${image()}.xz`])
    expect(await told(['image', 'inspect', file, '--signer', signer])).toMatchObject({ sum: 'same', signed: true });
  expect((await lichen(['image', 'inspect', image(), '--signer', signer])).stdout).toContain('sums beside it: same, signed by that key');
  const why = await refused('image-failed', 71, ['image', 'inspect', image(), '--signer', signerOf(at('other.key'))]);
  expect(why).toMatch(/: what stands beside it is not signed by that key/);
  expect(await told(['image', 'inspect', image()])).toMatchObject({ signed: null });
});

test.each([
  ['the image', '', 2 ** 20, /: it has not the sum that stands beside it\. /],
  ['its sums', '.sha256', 3, /: it has not the sum that stands beside it, and what stands beside it is not signed by that key\. /],
  ['their signature', '.sha256.sig', 60, /: what stands beside it is not signed by that key\. /],
])('one byte of %s is another: it is not what was signed', async (_name, end, offset, expected) => {
  await build();
  const signer = signerOf(at('maker.key'));
  flip(`${image()}${end}`, offset);
  const words = ['image', 'inspect', image(), '--signer', signer];
  expect(await refused('image-failed', 71, words)).toMatch(expected);
});
