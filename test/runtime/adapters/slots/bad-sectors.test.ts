/** A card that has lost blocks: what cannot be read is EIO to whoever reads it, and is whole again once all of it is written over. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openSlotContent } from '../../../../runtime/adapters/slots/content.ts';
import { openSlots } from '../../../../runtime/adapters/slots/slots.ts';
import { systemdBoot } from '../../../../runtime/adapters/slots/systemd-boot.ts';
import type { Slots } from '../../../../runtime/ports/slots.ts';
import { imageFiles, ROOT_FILE } from '../../../../runtime/protocol/image.ts';
import { entriesOf, perform, receive } from '../../../contract/receive.ts';
import { filesOf } from '../../../support/files-of.ts';
import { makeSlotFiles, type SlotFiles, underUefi } from '../../../support/slot-files.ts';
import { FIRST_ROOT, system } from '../../../support/system.ts';

const BLOCK = 4096;
/** Blocks that are lost, by file. */
const lost = vi.hoisted(() => new Map<string, Set<number>>());

/** What fails where the idle slot's files lie on the boot partition. */
const failing = vi.hoisted(() => ({ call: '', code: 'EIO' }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const broken = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  /** As the kernel has it: what lies before the first lost block is read, or written; that one alone is an error. */
  const upTo = (path: string, at: number, length: number, isLost: (block: number) => boolean): number => {
    for (let block = Math.floor(at / BLOCK); block * BLOCK < at + length; block++)
      if (lost.get(path)?.has(block) && isLost(block)) {
        if (block * BLOCK <= at) throw broken();
        return block * BLOCK - at;
      }
    return length;
  };
  const worn = (path: string, handle: FileHandle): FileHandle =>
    Object.assign(Object.create(handle), {
      read: async (into: Uint8Array, from: number, length: number, at: number) =>
        handle.read(
          into,
          from,
          upTo(path, at, length, () => true),
          at,
        ),
      write: async (bytes: Uint8Array, from: number, length: number, at: number) => {
        const covered = (block: number): boolean => block * BLOCK >= at && (block + 1) * BLOCK <= at + length;
        const count = upTo(path, at, length, (block) => !covered(block));
        for (let block = Math.floor(at / BLOCK); block * BLOCK < at + count; block++) lost.get(path)?.delete(block);
        return handle.write(bytes, from, count, at);
      },
      datasync: () => handle.datasync(),
      sync: () => handle.sync(),
      truncate: (bytes: number) => handle.truncate(bytes),
      close: () => handle.close(),
    });
  const fails = (call: string, path: unknown): void => {
    if (failing.call === call && String(path).includes('/boot/lichen/b/'))
      throw Object.assign(new Error(`${failing.code}: so says the kernel`), { code: failing.code });
  };
  return {
    ...real,
    copyFile: async (...[from, to]: Parameters<typeof real.copyFile>) => {
      fails('copyFile', to);
      return real.copyFile(from, to);
    },
    readFile: async (path: Parameters<typeof real.readFile>[0]) => {
      fails('readFile', path);
      return real.readFile(path);
    },
    open: async (...[path, flags, mode]: Parameters<typeof real.open>) => {
      fails('open', path);
      const handle = await real.open(path, flags, mode);
      return lost.has(String(path)) ? worn(String(path), handle) : handle;
    },
  };
});

let folder: string;
let files: SlotFiles;
let door: Slots;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-bad-sectors-'));
  files = makeSlotFiles(folder, underUefi);
  door = openSlots({
    ...{ bootPath: files.boot, running: 'a', roots: files.roots, stagePath: files.stage },
    records: systemdBoot({ bootPath: files.boot, running: 'a' }),
    ...{ setWritable: () => {}, forgetCached: () => {}, restart: () => {} },
  });
});
afterEach(() => {
  lost.clear();
  Object.assign(failing, { call: '', code: 'EIO' });
  rmSync(folder, { recursive: true, force: true });
});

const two = system(2);
const lose = (slot: string, ...blocks: number[]): void => void lost.set(files.roots[slot]!, new Set(blocks));
const isWhole = (): boolean => readFileSync(files.roots['b']!).subarray(0, two.root.length).equals(two.root);
/** Several pieces of it are left when some are lost. */
const whole = filesOf(entriesOf(two)).flatMap(({ pieces }) => [...pieces]).length;

describe('a boot partition that the card loses while it is filled', () => {
  const arm = () => perform(door, { kind: 'arm', release: two.release });
  const because = (why: RegExp) => ({ kind: 'slots-refused', error: { code: 'storage-broken', message: expect.stringMatching(why) } });

  test('arms nothing and says that it is the card, whichever call fails; with another card it goes on', async () => {
    await receive(door, two);
    for (const call of ['copyFile', 'open', 'readFile'] as const) {
      failing.call = call;
      expect(await arm()).toMatchObject(because(/^storage-broken: the card failed \(EIO/));
      expect(systemdBoot({ bootPath: files.boot, running: 'a' }).survey().idle).toBe('empty');
    }
    // As after an error of its FAT.
    failing.code = 'EROFS';
    expect(await arm()).toMatchObject(because(/^storage-broken: the card takes no writes any more \(EROFS/));
    failing.call = '';
    expect(await arm()).toMatchObject({ kind: 'armed' });
  });
});

describe('a slot whose card has lost blocks', () => {
  test('is written over, and armed: the idle one', async () => {
    lose('b', 0, 7, 8, 9, 33);
    await receive(door, two);
    expect(isWhole()).toBe(true);
    expect(await perform(door, { kind: 'arm', release: two.release })).toMatchObject({ kind: 'armed' });
  });

  test('with all that was there before still taken from it, but for the pieces that are lost', async () => {
    await receive(door, two);
    lose('b', 20);
    const entries = entriesOf(two);
    await perform(door, { kind: 'receive', release: two.release, entries });
    const [root] = filesOf(entries).filter(({ bytes }) => bytes === two.root.length);
    // What the other slot has as well is taken from there; here it has lost the same.
    lose('a', 20);
    const gathered = await perform(door, { kind: 'gather', files: [root!] });
    expect(gathered).toMatchObject({ kind: 'gathered', lacks: [{}] });
    // One that lies over two pieces is lost to both.
    await receive(door, two);
    expect(isWhole()).toBe(true);
  });

  test('gives what it can: the running one, from which the rest is taken', async () => {
    lose('a', 20);
    const asked = await receive(door, two);
    expect(asked).toBeLessThan(whole);
    expect(isWhole()).toBe(true);
    expect(readFileSync(files.roots['a']!).subarray(0, FIRST_ROOT.length).equals(FIRST_ROOT)).toBe(true);
  });

  test('gives nothing to others of what is lost, and does not fail at it', async () => {
    await receive(door, two);
    lose('b', ...Array.from({ length: 40 }, (_, block) => block));
    const [root] = filesOf(entriesOf(two)).filter(({ bytes }) => bytes === two.root.length);
    const [{ offset, chunk } = { offset: 0, chunk: [new Uint8Array(0), 0] as const }] = [...root!.pieces];
    expect(await door.read({ file: root!.file, offset, chunk: [chunk[0], chunk[1]] })).toBeNull();
  });

  test('that gives EIO wherever it is read lacks everything', async () => {
    const content = openSlotContent({
      ...{ filesOf: imageFiles, main: ROOT_FILE, mainPath: '/proc/self/mem', isPartition: true, stagePath: files.stage },
      sources: () => Promise.resolve([{ path: '/proc/self/mem', bytes: 2 ** 20 }]),
      ...{ held: () => [], forgetCached: () => {} },
    });
    content.expect(entriesOf(two));
    const [root] = filesOf(entriesOf(two)).filter(({ bytes }) => bytes === two.root.length);
    expect(await content.gather([root!])).toHaveLength([...root!.pieces].length);
  });
});
