/** A release of this project before the board's real files, with harm done to it: refused with a word, nothing outside touched, nothing left behind. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildRelease } from '../../../recipes/builder/build.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { openFiles } from '../../../runtime/adapters/files.ts';
import type { Files, FilesEvent, FilesStep } from '../../../runtime/ports/files.ts';
import { type Bytes, concat, hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { encodeAs, unseal } from '../../../runtime/protocol/noun.ts';
import { type Entry, type Manifest, manifestNoun, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { entriesOf } from '../../../runtime/protocol/pages.ts';
import { keyOf } from '../../support/crypto.ts';
import { PUBLISHER } from '../../support/federation.ts';
import { runs } from '../../support/properties.ts';

type File = Entry & { kind: 'file' };

let home: string;
let release: Bytes;
let manifest: Manifest;
let pages: Bytes[];
let chunks: Map<string, Bytes>;
let entries: Entry[];
let path: string;
let files: Files;

const sha256 = (bytes: Bytes): Bytes => new Uint8Array(createHash('sha256').update(bytes).digest());
const perform = (step: FilesStep): Promise<FilesEvent> => new Promise((answer) => files.perform(step, answer));
/** Without following links, as Node's own recursion does. */
const listed = (under: string, before = ''): string[] =>
  readdirSync(join(under, before), { withFileTypes: true })
    .flatMap((one) => [join(before, one.name), ...(one.isDirectory() ? listed(under, join(before, one.name)) : [])])
    .sort();
/** What lies in the store, its own directories left out. */
const holdings = (): string[] => listed(path).filter((name) => !/^(files|incoming|roots|files\/..)$/.test(name));
/** All around the store, which nothing that comes may touch. */
const around = (): string[] => [...listed(join(home, 'around')), readFileSync(join(home, 'around/kept'), 'utf8')];
const fileEntries = (): File[] => entries.filter((entry) => entry.kind === 'file');
const bytesOf = (entry: File): Bytes => concat(...entry.chunks.map(([hash]) => chunks.get(hex(hash)) ?? new Uint8Array()));

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lichen-bundle-files-'));
  mkdirSync(join(home, 'around'));
  writeFileSync(join(home, 'around/kept'), 'as it was');
  const recipePath = join(import.meta.dirname, '../../../recipes/hello-sensor');
  const terms = { recipePath, publisherId: PUBLISHER, signer: keyOf('release key'), sequence: 1, cachePath: join(home, 'cache') };
  const built = await buildRelease(terms);
  ({ release, chunks } = built);
  pages = [...built.pages.values()];
  manifest = unseal(nodeCrypto, manifestNoun, built.manifest).value;
  entries = entriesOf(manifest, pages);
});

beforeEach(() => {
  path = join(home, 'around', 'board');
  rmSync(path, { recursive: true, force: true });
  files = openFiles({ path });
});

afterAll(async () => {
  await perform({ kind: 'sweep', keep: [], awaited: [] });
  rmSync(home, { recursive: true, force: true });
});

/** As the board does it: each file's pieces, its seal, then the tree. */
const put = async (entry: File, bytes: Bytes): Promise<FilesEvent> => {
  if (bytes.length > 0) await perform({ kind: 'write', file: entry, offset: 0, bytes });
  return perform({ kind: 'seal', file: entry, bytes: entry.bytes });
};

/** Whatever is held is what its name says. */
const checkSealed = (): void => {
  for (const name of holdings().filter((one) => /^files.*[0-9a-f]{64}x?$/.test(one)))
    expect(name).toContain(hex(sha256(readFileSync(join(path, name)))));
};

const refusedWith = (event: FilesEvent): string => {
  if (event.kind !== 'files-refused') return event.kind;
  expect(event.error.detail.length).toBeGreaterThan(0);
  return event.error.code;
};

/** What a hostile or broken link makes of a file. */
type Harm = (bytes: Bytes, at: number, byte: number, other: Bytes) => Bytes;
const HARMS: Harm[] = [
  (bytes, at) => bytes.subarray(0, at % bytes.length),
  (bytes, at) => bytes.subarray(1 + (at % bytes.length)),
  (bytes, at, byte) => bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ (1 << (byte & 7))),
  (bytes, at, byte) => concat(bytes, new Uint8Array(1 + (at % 300)).fill(byte)),
  (bytes, at, byte) => concat(new Uint8Array(1 + (at % 40)).fill(byte), bytes),
  (bytes, at) => concat(bytes.subarray(at % bytes.length), bytes.subarray(0, at % bytes.length)),
  (_bytes, _at, _byte, other) => other,
];

/** What else an entry may say. */
const NAMES = [
  '../out',
  '/etc/out',
  'a/../../out',
  '.',
  '..',
  '',
  'a//b',
  'a/./b',
  'a\0b',
  'a\\b',
  'APP',
  'x'.repeat(5000),
  'a/'.repeat(60),
];
const TARGETS = ['..', '../..', '../../../around/kept', '/../kept', 'app/../../kept', 'nowhere', '/', '\0', '.'];
type Lie = (entries: Entry[], at: number, pick: number) => Entry[];
const at_ = <T>(list: T[], at: number): T => list[at % list.length] as T;
const put_ = (list: Entry[], at: number, entry: Entry): Entry[] => list.with(at % list.length, entry);
/** Of so few none is taken away. */
const FEW = 3;
const LIES: Lie[] = [
  (list, at, pick) => put_(list, at, { ...at_(list, at), path: at_(NAMES, pick) }),
  (list, at, pick) => put_(list, at, { ...at_(list, at), path: at_(list, pick).path }),
  (list, at, pick) => put_(list, at, { ...at_(list, at), path: at_(list, pick).path.toUpperCase() }),
  (list, at, pick) => put_(list, at, { kind: 'link', path: at_(list, at).path, target: at_(TARGETS, pick) }),
  (list, at, pick) => [{ kind: 'link', path: 'door', target: at_(TARGETS, pick) }, ...list, { kind: 'dir', path: `door/${at}` }],
  (list, at) => (list.length <= FEW ? list : list.toSpliced(at % list.length, 1)),
  (list, at, pick) => list.toSpliced(pick % list.length, 0, at_(list, at)),
  (list, at, pick) => put_(put_(list, at, at_(list, pick)), pick, at_(list, at)),
  (list, at, pick) =>
    list.map((entry, i) => (entry.kind === 'file' && i === at % list.length ? { ...entry, bytes: entry.bytes + pick } : entry)),
  (list, at, pick) =>
    list.map((entry, i) =>
      entry.kind === 'file' && i === at % list.length ? { ...entry, hash: sha256(new Uint8Array([pick & 255])) } : entry,
    ),
  (list, at) =>
    list.map((entry, i) => (entry.kind === 'file' && i === at % list.length ? { ...entry, executable: !entry.executable } : entry)),
  (list, at) =>
    list.map((entry, i) => (entry.kind === 'file' && i === at % list.length ? { ...entry, chunks: entry.chunks.slice(1) } : entry)),
];

/** Whatever a planted tree holds leads to somewhere in it. */
const checkInside = (root: string): void => {
  const real = realpathSync(root);
  for (const name of listed(root)) {
    const full = join(root, name);
    const stat = lstatSync(full);
    expect(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink()).toBe(true);
    if (stat.isFile()) expect(stat.mode & 0o7222).toBe(0);
    if (!stat.isSymbolicLink()) expect(realpathSync(full).startsWith(real)).toBe(true);
  }
};

describe('a release of recipes/hello-sensor before real files', () => {
  test('with harm done to its files is refused file by file, and the right one gets through (fuzz)', async () => {
    const outside = around();
    let [tried, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), fc.nat(HARMS.length - 1), fc.nat(70_000), fc.nat(255), fc.nat()), { minLength: 20, maxLength: 20 }),
        async (harms) => {
          const all = fileEntries().filter(({ bytes }) => bytes > 0);
          for (const [which, harm, at, byte, other] of harms) {
            const entry = at_(all, which);
            const [right, wrong] = [bytesOf(entry), at_(HARMS, harm)(bytesOf(entry), at, byte, bytesOf(at_(all, other)))];
            if (Buffer.compare(right, wrong) === 0) continue;
            tried++;
            const said = refusedWith(await put(entry, wrong));
            if (said !== 'file-sealed') refused++;
            // Upon what an earlier one left of it, part of it may be all that lacked.
            if (said !== 'file-sealed') expect(said).toMatch(/^(bad-hash|missing-content)$/);
            else {
              checkSealed();
              await perform({ kind: 'sweep', keep: [], awaited: [] });
            }
          }
          await perform({ kind: 'sweep', keep: [], awaited: [] });
          expect(holdings()).toEqual([]);
        },
      ),
      runs(60),
    );
    expect(refused).toBeGreaterThan(tried / 2);
    for (const entry of fileEntries()) expect(refusedWith(await put(entry, bytesOf(entry)))).toBe('file-sealed');
    const planted = await perform({ kind: 'plant', release, entries });
    expect(planted.kind).toBe('planted');
    if (planted.kind === 'planted') {
      expect(listed(planted.rootPath)).toEqual(entries.map((entry) => entry.path).sort());
      checkInside(planted.rootPath);
    }
    await perform({ kind: 'sweep', keep: [], awaited: [] });
    expect(around().filter((name) => !name.startsWith('board'))).toEqual(outside.filter((name) => !name.startsWith('board')));
  });

  test('with lies in its pages is refused before anything is planted, or planted inside its root (fuzz)', async () => {
    for (const entry of fileEntries()) await put(entry, bytesOf(entry));
    const held = holdings();
    const seen = { read: 0, files: 0, planted: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(LIES.length - 1), fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }), async (lies) => {
        const lied = lies.reduce<Entry[]>((list, [lie, at, pick]) => at_(LIES, lie)(list, at, pick), entries);
        // Whoever lies in the pages lies in the manifest as well: these sums stop nobody.
        const told = {
          ...manifest,
          entries: lied.length,
          bytes: lied.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0),
        };
        let read: Entry[];
        try {
          read = entriesOf(told, [encodeAs(pageSchema, { v: 1, entries: lied }, 'page')]);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(LichenError);
          expect((thrown as LichenError).code).toMatch(/^(bad-path|bad-schema|too-large|bad-cbor)$/);
          // Files hold against it by themselves: what is read is checked once more where it is made.
          expect(refusedWith(await perform({ kind: 'plant', release, entries: lied }))).toMatch(
            /^(planted|bad-path|bad-schema|missing-content)$/,
          );
          seen.read++;
          read = [];
        }
        const event = await perform({ kind: 'plant', release, entries: read });
        if (event.kind === 'planted') {
          checkInside(event.rootPath);
          seen.planted++;
        } else {
          expect(refusedWith(event)).toMatch(/^(bad-schema|missing-content)$/);
          seen.files++;
        }
        await perform({ kind: 'sweep', keep: [], awaited: fileEntries() });
        expect(holdings()).toEqual(held);
        expect(readFileSync(join(home, 'around/kept'), 'utf8')).toBe('as it was');
        expect(readdirSync(join(home, 'around')).sort()).toEqual(['board', 'kept']);
      }),
      runs(300),
    );
    // Each way out was taken, or the test shows less than it says.
    expect(Math.min(seen.read, seen.files, seen.planted)).toBeGreaterThan(10);
  });

  test('with flipped bits, cuts and padding in its pages never becomes another tree (fuzz)', () => {
    const whole = JSON.stringify(entries, (_key, value) => (value instanceof Uint8Array ? hex(value) : value));
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(), fc.nat(HARMS.length - 2), fc.nat(70_000), fc.nat(255), (which, harm, at, byte) => {
        const page = at_(pages, which);
        const wrong = at_(HARMS, harm)(page, at, byte, page);
        if (Buffer.compare(page, wrong) === 0) return;
        try {
          const read = entriesOf(manifest, pages.with(which % pages.length, wrong));
          // One tree has one form.
          expect(JSON.stringify(read, (_key, value) => (value instanceof Uint8Array ? hex(value) : value))).not.toBe(whole);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(LichenError);
          refused++;
        }
      }),
      runs(2000),
    );
    expect(refused).toBeGreaterThan(100);
  });
});
