/** The same sources make the same image, whatever the folder and whatever was built before. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { genericAmd64 } from '../../firmware-images/boards/generic-amd64.ts';
import { type BuiltImage, buildImage } from '../../firmware-images/image.ts';
import { defaultCache } from '../../firmware-images/work.ts';
import { ROOT_BYTES_MAX } from './image.ts';

let folder: string;
let kept: BuiltImage;
let anew: BuiltImage;

const build = async (name: string, cachePath: string): Promise<BuiltImage> =>
  (await buildImage({ board: genericAmd64, cachePath, say: () => undefined }, join(folder, name))).report;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-same-'));
  kept = await build('kept', defaultCache());
  // What was fetched is taken over; everything that is made is made anew.
  const cachePath = join(folder, 'another-and-longer', 'cache');
  mkdirSync(cachePath, { recursive: true });
  symlinkSync(join(defaultCache(), 'packages'), join(cachePath, 'packages'));
  anew = await build('anew', cachePath);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('two builds in different folders are one image, bit for bit', () => {
  expect(anew.sha256).toBe(kept.sha256);
  expect(kept.sha256).toMatch(/^[0-9a-f]{64}$/);
});

test('nothing but the image is left where it was asked for', () => {
  expect(readdirSync(join(folder, 'kept'))).toEqual(['lichen-generic-amd64.img']);
});

test('the root is within its limit', () => expect(kept.rootBytes).toBeLessThanOrEqual(ROOT_BYTES_MAX));
