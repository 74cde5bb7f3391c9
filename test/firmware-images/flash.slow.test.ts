/** Writing an image to a block device, as a card is one: a file behind a loop device, which can be mounted, be too small, and go away. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { flashImage } from '../../firmware-images/flash.ts';

const MIB = 1024 * 1024;
const IMAGE_MIB = 24;

let folder: string;
let device: string;
const at = (name: string): string => join(folder, name);
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } }).trim();

/** No two mebibytes of it are alike. */
const image = (): Buffer => {
  const bytes = Buffer.alloc(IMAGE_MIB * MIB);
  for (let mib = 0; mib < IMAGE_MIB; mib++) bytes.fill(mib + 1, mib * MIB, (mib + 1) * MIB);
  bytes.write('EFI PART', 512, 'latin1');
  bytes.writeBigUInt64LE(2n, 512 + 72);
  bytes.writeUInt32LE(1, 512 + 80);
  bytes.writeUInt32LE(128, 512 + 84);
  return bytes;
};

/** Its size becomes another one while it is open. */
const resize = (bytes: number): void => {
  truncateSync(at('card'), bytes);
  run('losetup', '-c', device);
};

const flash = (name: string, say: (line: string) => void = () => undefined) => flashImage({ image: at(name), device, say });

describe.skipIf(process.getuid?.() !== 0)('an image onto a block device (needs root)', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lichen-flash-'));
    writeFileSync(at('image.img'), image());
    // It was another card before.
    writeFileSync(at('card'), Buffer.alloc(32 * MIB, 0xee));
    device = run('losetup', '-f', '--show', at('card'));
  });
  afterEach(() => {
    run('losetup', '-d', device);
    rmSync(folder, { recursive: true, force: true });
  });

  test('is there when it says so, packed as well', async () => {
    run('xz', '-k', '-0', at('image.img'));
    for (const name of ['image.img', 'image.img.xz']) {
      writeFileSync(device, Buffer.alloc(2 * MIB, 0xee));
      expect(await flash(name)).toMatchObject({ device, bytes: IMAGE_MIB * MIB });
      run('sync');
      expect(
        readFileSync(at('card'))
          .subarray(0, IMAGE_MIB * MIB)
          .equals(image()),
      ).toBe(true);
    }
  });

  test('of which something is mounted is refused, and left as it is', async () => {
    run('mke2fs', '-q', '-F', device);
    mkdirSync(at('there'));
    run('mount', device, at('there'));
    try {
      await expect(flash('image.img')).rejects.toMatchObject({
        code: 'bad-usage',
        message: expect.stringContaining(`mounted on ${at('there')}`),
      });
    } finally {
      run('umount', at('there'));
    }
    expect(run('e2fsck', '-fn', device)).toContain('files');
  });

  test('that is too small is refused before anything is written, packed as well', async () => {
    run('xz', '-k', '-0', at('image.img'));
    resize(8 * MIB);
    for (const name of ['image.img', 'image.img.xz'])
      await expect(flash(name)).rejects.toMatchObject({ code: 'bad-usage', message: expect.stringContaining(`has ${8 * MIB} bytes`) });
    expect(readFileSync(at('card')).every((byte) => byte === 0xee)).toBe(true);
  });

  test('that goes away is told of, and what is left on it starts nothing', async () => {
    const gone = flash('image.img', (line) => {
      if (line === 'writing: 50 %') resize(4 * MIB);
    });
    await expect(gone).rejects.toMatchObject({ code: 'image-failed', message: expect.stringMatching(/pulled out.*starts nothing/) });
    run('sync');
    expect(
      readFileSync(at('card'))
        .subarray(0, MIB)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test('that goes away while it is read back is told of', async () => {
    const gone = flash('image.img', (line) => {
      if (line === 'reading back: 10 %') resize(0);
    });
    await expect(gone).rejects.toMatchObject({ code: 'image-failed', message: expect.stringContaining('does not hold what was written') });
  });
});
