/** What stands beside an image, and writing one, on a disk made by hand. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@cfworker/json-schema';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeBeside } from '../../firmware-images/beside/beside.ts';
import { bmapOf, rangesOf } from '../../firmware-images/beside/bmap.ts';
import { listOf } from '../../firmware-images/beside/imager.ts';
import { genericAmd64 } from '../../firmware-images/boards/generic-amd64.ts';
import { pi } from '../../firmware-images/boards/pi.ts';
import { useOf } from '../../firmware-images/device.ts';
import { flashImage } from '../../firmware-images/flash.ts';
import { inspectImage } from '../../firmware-images/inspect.ts';
import { disk } from '../support/image-disk.ts';

const MIB = 1024 * 1024;
let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-beside-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const planted = (name = 'lichen-pi.img', bytes = disk()): string => {
  writeFileSync(at(name), bytes);
  const sum = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(at(`${name}.sha256`), `${sum}  ${name}\n`);
  return at(name);
};

describe('blocks that have to be written', () => {
  test('end with what a partition holds, and have no gap before it: an empty block may mean something', () => {
    const file = openSync(planted(), 'r');
    // 1 MiB of table with what is in the first partition up to byte 300 KiB, the second up to byte 4097, the last MiB.
    expect(rangesOf(file, 6 * MIB)).toEqual([
      [0, 256 + 75],
      [768, 769],
      [1280, 1535],
    ]);
  });

  test('are listed with their sums, and the list with its own', () => {
    const map = bmapOf(planted());
    const own = map.match(/<BmapFileChecksum> (\S+) /)?.[1] ?? '';
    expect(own).toBe(
      createHash('sha256')
        .update(map.replace(own, '0'.repeat(64)))
        .digest('hex'),
    );
    expect(map).toContain(
      `chksum="${createHash('sha256')
        .update(disk().subarray(768 * 4096, 770 * 4096))
        .digest('hex')}"> 768-769 <`,
    );
    expect(map).toContain(`<MappedBlocksCount> ${332 + 2 + 256} <`);
  });
});

describe('an image', () => {
  test('says which board it is for and what is on it', async () => {
    const found = await inspectImage(planted());
    expect(found).toMatchObject({ board: 'pi', sum: 'same', signed: null });
    expect(found.parts).toEqual([
      { name: 'lichen-boot', start: MIB, bytes: 2 * MIB },
      { name: 'lichen-root-a', start: 3 * MIB, bytes: 2 * MIB },
    ]);
  });

  test('that is none is refused', async () => {
    await expect(inspectImage(planted('x.img', Buffer.alloc(2 * MIB)))).rejects.toThrow(/no image of a disk/);
  });

  test('is written whole and read back; what was there before is gone', async () => {
    const image = planted();
    writeFileSync(at('card'), Buffer.alloc(8 * MIB, 1));
    const said: string[] = [];
    const { bytes } = await flashImage({ image, device: at('card'), say: (line) => said.push(line) });
    expect(bytes).toBe(6 * MIB);
    expect(
      readFileSync(at('card'))
        .subarray(0, 6 * MIB)
        .equals(disk()),
    ).toBe(true);
    expect(said).toEqual(expect.arrayContaining(['writing: 100 %', 'reading back: 100 %']));
  });

  test('that is not what its sums say is not written', async () => {
    const image = planted();
    writeFileSync(image, Buffer.concat([disk().subarray(0, 5 * MIB), Buffer.alloc(MIB, 3)]));
    writeFileSync(at('card'), 'as it was');
    await expect(flashImage({ image, device: at('card'), say: () => undefined })).rejects.toThrow(/not what the sums/);
    expect(readFileSync(at('card'), 'utf8')).toBe('as it was');
  });

  test('is written to nothing that is not there', async () => {
    await expect(flashImage({ image: planted(), device: at('none'), say: () => undefined })).rejects.toThrow(/there is no/);
  });
});

describe('a disk of this machine', () => {
  const places = (mounts = '', swaps = ''): Parameters<typeof useOf>[1] => {
    for (const [name, number] of [
      ['sdx', '8:0'],
      ['sdx/sdx1', '8:1'],
    ] as const) {
      mkdirSync(at(`blocks/${name}/holders`), { recursive: true });
      writeFileSync(at(`blocks/${name}/dev`), `${number}\n`);
    }
    writeFileSync(at('blocks/sdx/sdx1/partition'), '1\n');
    symlinkSync('sdx/sdx1', at('blocks/sdx1'));
    for (const [name, text] of Object.entries({ mounts, swaps })) writeFileSync(at(name), text);
    return { blocks: at('blocks'), mounts: at('mounts'), swaps: at('swaps') };
  };

  test('may be written over if nothing of it is in use', () => expect(useOf('sdx', places())).toBeNull());
  test('is refused while a partition of it is mounted, by whatever name', () =>
    expect(useOf('sdx', places('22 1 8:1 / / rw - ext4 /dev/root rw\n'))).toMatch(/sdx1 is mounted on \//));
  test('is refused while it is swap space', () => expect(useOf('sdx', places('', '/dev/sdx1 partition 1 0 -2\n'))).toMatch(/swap/));
  test('is refused while another disk is made of it', () => {
    const where = places();
    mkdirSync(at('blocks/sdx/sdx1/holders/dm-0'));
    expect(useOf('sdx', where)).toMatch(/dm-0/);
  });
  test('is named whole', () => expect(useOf('sdx1', places())).toMatch(/whole disk/));
});

test('an image is packed once: again only when it is another, or what lies there is not what its sums say', async () => {
  const image = planted();
  const said: string[] = [];
  const write = (): Promise<number> => {
    const sha256 = createHash('sha256').update(readFileSync(image)).digest('hex');
    return writeBeside({ board: pi, image, sha256, materials: [], keyPath: undefined, imager: undefined, say: (line) => said.push(line) });
  };
  const bytes = await write();
  expect(await write()).toBe(bytes);
  expect(said).toHaveLength(1);
  writeFileSync(`${image}.xz`, 'cut off');
  expect(await write()).toBe(bytes);
  expect(said).toHaveLength(2);
  writeFileSync(image, disk().fill(1, 2 * MIB, 2 * MIB + 9));
  await write();
  expect(said).toHaveLength(3);
});

/** doc/json-schema/os-list-schema.json of rpi-imager, commit 72ad117 (2026-08-17), without its examples, titles and identifiers. */
const IMAGER_LIST = new Validator(JSON.parse(readFileSync(new URL('imager-list.schema.json', import.meta.url), 'utf8')), '7', false);

test('Imager is told all that its list must have', () => {
  const sizes = { extract_size: 6, extract_sha256: 'ab', image_download_size: 5 };
  const list = JSON.parse(
    listOf({ board: pi, file: 'lichen-pi.img.xz', imager: { url: 'https://example.org/x', date: '2026-11-29' }, sizes }),
  );
  const [entry] = list.os_list;
  expect(IMAGER_LIST.validate(list).errors).toEqual([]);
  for (const key of ['name', 'description', 'icon', 'url', 'release_date'])
    expect(IMAGER_LIST.validate({ os_list: [{ ...entry, [key]: 7 }] }).valid, key).toBe(false);
  expect(entry).toMatchObject({
    ...sizes,
    url: 'https://example.org/x/lichen-pi.img.xz',
    init_format: 'cloudinit',
    devices: ['pi5-64bit', 'pi4-64bit', 'pi3-64bit'],
  });
  expect(entry.description).toContain('No physical board was tested');
  expect(Object.keys(list)).toEqual(['imager', 'os_list']);
});

/** What rpi-imager (src/imagewriter.cpp, filterOsListWithHWTags) offers once a device was chosen: all, if that one has no tags. */
const offered = (list: Listed, tags: string[]): number =>
  list.os_list.filter(({ devices }) => tags.length === 0 || devices.some((tag) => tags.includes(tag))).length;

interface Listed {
  imager: { devices: { name: string; description: string; tags: string[] }[] };
  os_list: { devices: string[] }[];
}

test.each([
  [pi, ['Raspberry Pi 5', 'Raspberry Pi 4', 'Raspberry Pi 3', 'Raspberry Pi Zero 2 W']],
  [genericAmd64, ['Any machine']],
])('whichever device is chosen first, Imager offers the image: $name', (board, names) => {
  const sizes = { extract_size: 6, extract_sha256: 'ab', image_download_size: 5 };
  const list: Listed = JSON.parse(listOf({ board, file: 'x.img.xz', imager: { url: 'https://example.org', date: '2026-11-29' }, sizes }));
  expect(IMAGER_LIST.validate(list).errors).toEqual([]);
  expect(IMAGER_LIST.validate({ ...list, imager: { devices: [{ name: 'no tags', description: '' }] } }).valid).toBe(false);
  expect(list.imager.devices.map(({ name }) => name)).toEqual(names);
  for (const { tags } of list.imager.devices) expect(offered(list, tags)).toBe(1);
});
