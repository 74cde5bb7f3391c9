/** What stands beside an image: packed for the way, and all by which it can be checked, judged and offered. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { openKeyFile } from '../../runtime/adapters/keyfile.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Board } from '../boards/board.ts';
import { runTool } from '../tool.ts';
import { bmapOf } from './bmap.ts';
import { type Imager, listOf } from './imager.ts';
import { billOf, licencesOf, type Material } from './materials.ts';

export const hashOfFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(part);
  return hash.digest('hex');
};

/** In blocks of a fixed size, so that the bytes do not depend on how many processors pack them. A better packing takes three times as long for one hundredth. */
const PACKING = ['-6', '-T2', '--block-size=16MiB', '--keep', '--force', '--quiet'];

const sumsOf = (image: string, sha256: string, packed: string): string =>
  `${sha256}  ${basename(image)}\n${packed}  ${basename(image)}.xz\n`;

/** What takes longest is not done again for an image that it was done for: its hash, if what lies there is what the sums say. */
const packedBefore = async (image: string, sha256: string): Promise<string | null> => {
  if (!existsSync(`${image}.sha256`) || !existsSync(`${image}.xz`)) return null;
  const packed = await hashOfFile(`${image}.xz`);
  return readFileSync(`${image}.sha256`, 'utf8') === sumsOf(image, sha256, packed) ? packed : null;
};

const pack = async (image: string, say: Wanted['say']): Promise<string> => {
  say('beside it: packing');
  await runTool('xz', [...PACKING, '--suffix=.xz.part', image]);
  renameSync(`${image}.xz.part`, `${image}.xz`);
  return hashOfFile(`${image}.xz`);
};

export interface Wanted {
  board: Board;
  image: string;
  sha256: string;
  materials: Material[];
  /** A file with the key that signs the sums. */
  keyPath: string | undefined;
  imager: Imager | undefined;
  say(line: string): void;
}

/** Bytes of what a person downloads. The image itself stays. */
export const writeBeside = async ({ board, image, sha256, materials, keyPath, imager, say }: Wanted): Promise<number> => {
  const packed = (await packedBefore(image, sha256)) ?? (await pack(image, say));
  const { size: downloadBytes } = statSync(`${image}.xz`);
  const name = basename(image);
  const stem = image.replace(/\.img$/, '');
  const sums = sumsOf(image, sha256, packed);
  writeFileSync(`${image}.bmap`, bmapOf(image));
  writeFileSync(`${image}.sha256`, sums);
  writeFileSync(`${stem}.cdx.json`, billOf(board.name, sha256, materials));
  writeFileSync(`${stem}.licences.txt`, licencesOf(materials));
  if (keyPath !== undefined) writeFileSync(`${image}.sha256.sig`, openKeyFile(keyPath).signer.sign(Buffer.from(sums)));
  if (imager !== undefined) {
    const sizes = { extract_size: statSync(image).size, extract_sha256: sha256, image_download_size: downloadBytes };
    writeFileSync(`${stem}.imager.json`, listOf({ board, file: `${name}.xz`, imager, sizes }));
  }
  return downloadBytes;
};

export const signerOf = (keyPath: string): string => hex(openKeyFile(keyPath).signer.publicKey);
