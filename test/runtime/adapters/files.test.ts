/** The content-addressed file store: what it holds is right, whole and held once, and a refusal leaves nothing behind. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFiles } from '../../../runtime/adapters/files.ts';
import type { Files, FilesEvent, FilesStep } from '../../../runtime/ports/files.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { ErrorCode } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { ChunkRef, Entry, FileRef, Jigsaw, Place } from '../../../runtime/protocol/nouns/release.ts';

const sha256 = (bytes: Bytes): Bytes => new Uint8Array(createHash('sha256').update(bytes).digest());
const refOf = (bytes: Bytes, executable = false): FileRef => ({ hash: sha256(bytes), executable });
const RELEASE = new Uint8Array(32).fill(0xab);
const OTHER = new Uint8Array(32).fill(0xcd);

let path = '';
let files: Files;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'lichen-files-'));
  files = openFiles({ path });
});

afterEach(async () => {
  await perform({ kind: 'sweep', keep: [], awaited: [] });
  rmSync(path, { recursive: true, force: true });
});

const perform = (step: FilesStep, on: Files = files): Promise<FilesEvent> => new Promise((answer) => on.perform(step, answer));

/** Everything that lies in the store, relative to it, directories of the layout left out. */
const holdings = (): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(files|incoming|roots|files\/..)$/.test(name))
    .sort();

const refusal = async (step: FilesStep): Promise<{ code: ErrorCode; detail: string } | null> => {
  const event = await perform(step);
  return event.kind === 'files-refused' ? { code: event.error.code, detail: event.error.detail } : null;
};

const put = async (bytes: Bytes, executable = false): Promise<FileRef> => {
  const file = refOf(bytes, executable);
  if (bytes.length > 0) expect(await perform({ kind: 'write', file, offset: 0, bytes })).toMatchObject({ kind: 'written', offset: 0 });
  expect(await perform({ kind: 'seal', file, bytes: bytes.length })).toEqual({ kind: 'file-sealed', file });
  return file;
};

const fileEntry = (at: string, bytes: Bytes, executable = false): Entry => ({
  kind: 'file',
  path: at,
  ...refOf(bytes, executable),
  bytes: bytes.length,
  chunks: [],
});

const sealedPath = ({ hash, executable }: FileRef): string =>
  join(path, 'files', hex(hash).slice(0, 2), `${hex(hash)}${executable ? 'x' : ''}`);

describe('a file', () => {
  test('is put together from pieces in any order, some of them twice', async () => {
    const piece = fc.uint8Array({ minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), async (pieces, order) => {
        const whole = Uint8Array.from(pieces.flatMap((bytes) => [...bytes]));
        let offset = 0;
        const writes = pieces.map((bytes) => {
          const at = offset;
          offset += bytes.length;
          return { bytes, at, rank: order.next().value ?? 0 };
        });
        const file = refOf(whole, true);
        for (const { bytes, at } of [...writes, ...writes.slice(0, 2)].sort((a, b) => a.rank - b.rank)) {
          expect(await perform({ kind: 'write', file, offset: at, bytes })).toEqual({ kind: 'written', file, offset: at });
        }
        expect(await perform({ kind: 'seal', file, bytes: whole.length })).toEqual({ kind: 'file-sealed', file });
        expect(new Uint8Array(readFileSync(sealedPath(file)))).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  test('is read-only, executable or not, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      const [plain, program] = [await put(utf8('same')), await put(utf8('same'), true)];
      expect(statSync(sealedPath(plain)).mode & 0o7777).toBe(0o444);
      expect(statSync(sealedPath(program)).mode & 0o7777).toBe(0o555);
    } finally {
      process.umask(before);
    }
  });

  test('may be empty, and then needs no write', async () => {
    const file = await put(new Uint8Array());
    expect(statSync(sealedPath(file)).size).toBe(0);
  });

  test('is missing until it is sealed, and each mode by itself', async () => {
    const [held, program, part] = [await put(utf8('held')), refOf(utf8('held'), true), refOf(utf8('part'))];
    await perform({ kind: 'write', file: part, offset: 0, bytes: utf8('par') });
    expect(await perform({ kind: 'check', files: [held, program, part] })).toEqual({ kind: 'checked', missing: [program, part] });
  });

  test('that is held takes late pieces and another seal without harm', async () => {
    const file = await put(utf8('held'));
    expect(await perform({ kind: 'write', file, offset: 0, bytes: utf8('HELD') })).toMatchObject({ kind: 'written' });
    expect(readdirSync(join(path, 'incoming'))).toEqual([]);
    expect(await perform({ kind: 'seal', file, bytes: 4 })).toEqual({ kind: 'file-sealed', file });
    expect(readFileSync(sealedPath(file), 'utf8')).toBe('held');
    expect(readdirSync(join(path, 'incoming'))).toEqual([]);
  });

  const wrong: [string, Bytes | null, number, RegExp][] = [
    ['another content', utf8('evil'), 4, /has the hash [0-9a-f]{64}$/],
    ['too few bytes', utf8('goo'), 4, /has 4 bytes, of which 3 arrived/],
    ['a size that is not that of the hash', utf8('good'), 5, /has 5 bytes, of which 4 arrived/],
    ['no byte at all', null, 4, /has 4 bytes, of which 0 arrived/],
    ['nothing where something was meant', null, 0, /has the hash e3b0c442/],
  ];
  test.each(wrong)('with %s is refused, and can still become right', async (_name, bytes, size, why) => {
    const file = refOf(utf8('good'));
    if (bytes !== null) await perform({ kind: 'write', file, offset: 0, bytes });
    expect(await refusal({ kind: 'seal', file, bytes: size })).toEqual({ code: 'missing-content', detail: expect.stringMatching(why) });
    expect(await perform({ kind: 'check', files: [file] })).toEqual({ kind: 'checked', missing: [file] });
    await put(utf8('good'));
    expect(holdings()).toEqual([`files/${hex(file.hash).slice(0, 2)}/${hex(file.hash)}`]);
  });

  test('with a hole is refused', async () => {
    const bytes = utf8('0123456789');
    await perform({ kind: 'write', file: refOf(bytes), offset: 6, bytes: bytes.subarray(6) });
    expect(await refusal({ kind: 'seal', file: refOf(bytes), bytes: 10 })).toMatchObject({ code: 'missing-content' });
    expect(await perform({ kind: 'check', files: [refOf(bytes)] })).toEqual({ kind: 'checked', missing: [refOf(bytes)] });
  });

  const nonsense: [string, Partial<{ hash: Bytes; offset: number }>, ErrorCode][] = [
    ['a hash that is a way out', { hash: utf8('../../../../etc/passwd') }, 'bad-schema'],
    ['no hash', { hash: new Uint8Array() }, 'bad-schema'],
    ['a negative place', { offset: -1 }, 'bad-schema'],
    ['half a place', { offset: 0.5 }, 'bad-schema'],
    ['no number', { offset: Number.NaN }, 'bad-schema'],
    ['a place past the largest release', { offset: LIMITS.releaseBytes }, 'too-large'],
  ];
  test.each(nonsense)('is not written at %s', async (_name, { hash, offset }, code) => {
    const file = { hash: hash ?? sha256(utf8('x')), executable: false };
    expect(await refusal({ kind: 'write', file, offset: offset ?? 0, bytes: utf8('x') })).toMatchObject({ code });
    expect(holdings()).toEqual([]);
  });

  test('on its way is never written through a link that someone left there', async () => {
    const file = refOf(utf8('x'));
    await perform({ kind: 'check', files: [] });
    const victim = join(path, 'victim');
    writeFileSync(victim, 'mine');
    symlinkSync(victim, join(path, 'incoming', hex(file.hash)));
    expect(await refusal({ kind: 'write', file, offset: 0, bytes: utf8('x') })).toMatchObject({ code: 'storage-broken' });
    expect(readFileSync(victim, 'utf8')).toBe('mine');
  });
});

describe('what is here of a file', () => {
  const whole = utf8('one two three four');
  const [one, two, three] = [whole.subarray(0, 4), whole.subarray(4, 8), whole.subarray(8)];
  const jigsaw = (from: (Place | null)[] = [null, null, null]): Jigsaw => {
    let offset = 0;
    const pieces = [one, two, three].map((bytes, at) => {
      const piece = { offset, chunk: [sha256(bytes), bytes.length] as ChunkRef, from: from[at] ?? null };
      offset += bytes.length;
      return piece;
    });
    return { file: refOf(whole), bytes: whole.length, pieces };
  };
  const lacks = async (of: Jigsaw): Promise<number[]> => {
    const event = await perform({ kind: 'gather', files: [of] });
    return event.kind === 'gathered' ? event.lacks.map(({ offset }) => offset) : expect.unreachable(event.kind);
  };

  test('is nothing at first, and makes no file', async () => {
    expect(await lacks(jigsaw())).toEqual([0, 4, 8]);
    expect(holdings()).toEqual([]);
  });

  test('is what came before, in another life, but for what was torn', async () => {
    const file = refOf(whole);
    await perform({ kind: 'write', file, offset: 8, bytes: three });
    await perform({ kind: 'write', file, offset: 4, bytes: utf8('tw0 ') });
    files = openFiles({ path });
    expect(await lacks(jigsaw())).toEqual([0, 4]);
    await perform({ kind: 'write', file, offset: 0, bytes: one });
    await perform({ kind: 'write', file, offset: 4, bytes: two });
    expect(await lacks(jigsaw())).toEqual([]);
    expect(await perform({ kind: 'seal', file, bytes: whole.length })).toEqual({ kind: 'file-sealed', file });
  });

  test('is copied from files that are held, where they hold it', async () => {
    const [older, other] = [await put(utf8('zero two three four')), await put(utf8('one'))];
    const gone = refOf(utf8('gone'));
    expect(
      await lacks(
        jigsaw([
          { file: gone, offset: 0 },
          { file: older, offset: 5 },
          { file: other, offset: 0 },
        ]),
      ),
    ).toEqual([0, 8]);
    expect(await lacks(jigsaw([null, null, { file: older, offset: 9 }]))).toEqual([0]);
    await perform({ kind: 'write', file: refOf(whole), offset: 0, bytes: one });
    expect(await perform({ kind: 'seal', file: refOf(whole), bytes: whole.length })).toMatchObject({ kind: 'file-sealed' });
  });

  test('stays while it is awaited, and goes with the next sweep', async () => {
    const file = refOf(whole);
    await perform({ kind: 'write', file, offset: 0, bytes: one });
    const sealed = await put(utf8('sealed, and not planted yet'));
    expect(await perform({ kind: 'sweep', keep: [], awaited: [file, sealed] })).toEqual({ kind: 'swept', files: 0 });
    expect(await lacks(jigsaw())).toEqual([4, 8]);
    expect(await perform({ kind: 'sweep', keep: [], awaited: [] })).toEqual({ kind: 'swept', files: 2 });
    expect(holdings()).toEqual([]);
  });

  test('is never read through a link, nor anything written', async () => {
    const victim = join(path, 'victim');
    writeFileSync(victim, whole);
    await perform({ kind: 'check', files: [] });
    symlinkSync(victim, join(path, 'incoming', hex(sha256(whole))));
    expect(await refusal({ kind: 'gather', files: [jigsaw()] })).toMatchObject({ code: 'storage-broken' });
    expect(await refusal({ kind: 'gather', files: [{ ...jigsaw(), file: { hash: utf8('../x'), executable: false } }] })).toMatchObject({
      code: 'bad-schema',
    });
  });
});

describe('steps', () => {
  test('are answered once, in order, and never before they were asked for', async () => {
    const file = refOf(utf8('ab'));
    const heard: string[] = [];
    const listen = (event: FilesEvent) => heard.push(event.kind);
    files.perform({ kind: 'write', file, offset: 1, bytes: utf8('b') }, listen);
    files.perform({ kind: 'write', file, offset: 0, bytes: utf8('a') }, listen);
    files.perform({ kind: 'seal', file, bytes: 2 }, listen);
    files.perform({ kind: 'seal', file: refOf(utf8('other')), bytes: 5 }, listen);
    expect(heard).toEqual([]);
    await perform({ kind: 'check', files: [] });
    expect(heard).toEqual(['written', 'written', 'file-sealed', 'files-refused']);
  });
});

const tool = utf8('#!/bin/sh\n');
const text = utf8('text');
const TREE: Entry[] = [
  { kind: 'dir', path: 'app' },
  fileEntry('app/again', text),
  { kind: 'link', path: 'app/link', target: '../bin/tool' },
  fileEntry('app/text', text),
  { kind: 'dir', path: 'bin' },
  fileEntry('bin/tool', tool, true),
  { kind: 'more', path: 'bin/tool', chunks: [] },
  { kind: 'dir', path: 'empty' },
];

const plant = async (release = RELEASE, entries = TREE): Promise<string> => {
  const event = await perform({ kind: 'plant', release, entries });
  expect(event).toMatchObject({ kind: 'planted', release });
  return event.kind === 'planted' ? event.rootPath : '';
};

describe('a root', () => {
  beforeEach(async () => {
    await put(text);
    await put(tool, true);
  });

  test('is the tree of its entries, made of the files that are held', async () => {
    const root = await plant();
    expect(readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()).toEqual(
      ['app', 'app/again', 'app/link', 'app/text', 'bin', 'bin/tool', 'empty'].sort(),
    );
    expect(readFileSync(join(root, 'app/link'), 'utf8')).toBe('#!/bin/sh\n');
    expect(readlinkSync(join(root, 'app/link'))).toBe('../bin/tool');
    for (const name of ['', 'app', 'bin', 'empty', 'bin/tool']) expect(statSync(join(root, name)).mode & 0o7777).toBe(0o555);
    expect(statSync(join(root, 'app/text')).mode & 0o7777).toBe(0o444);
    for (const name of ['app/text', 'app/again']) expect(statSync(join(root, name)).ino).toBe(statSync(sealedPath(refOf(text))).ino);
  });

  test('that stands is left alone', async () => {
    const root = await plant();
    const before = lstatSync(root).ino;
    expect(await plant()).toBe(root);
    expect(await plant(RELEASE, [])).toBe(root);
    expect(lstatSync(root).ino).toBe(before);
    expect(existsSync(join(root, 'bin/tool'))).toBe(true);
  });

  test.each([null, '', 'torn'])('whose mark is %j is planted anew', async (mark) => {
    const root = await plant();
    rmSync(join(root, '..', 'planted'));
    if (mark !== null) writeFileSync(join(root, '..', 'planted'), mark);
    chmodSync(root, 0o755);
    writeFileSync(join(root, 'stray'), '');
    expect(await plant()).toBe(root);
    expect(existsSync(join(root, 'stray'))).toBe(false);
    expect(existsSync(join(root, 'bin/tool'))).toBe(true);
  });

  test('may be empty', async () => {
    expect(readdirSync(await plant(RELEASE, []))).toEqual([]);
  });

  const tricks: [string, Entry[]][] = [
    ['climbs out', [fileEntry('../evil', text)]],
    ['climbs out from below', [{ kind: 'dir', path: 'a' }, fileEntry('a/../../evil', text)]],
    ['is absolute', [fileEntry('/etc/evil', text)]],
    ['has an empty name', [{ kind: 'dir', path: 'a' }, fileEntry('a//evil', text)]],
    ['names itself', [fileEntry('.', text)]],
    ['holds a NUL', [fileEntry('evil\0', text)]],
    ['holds a line end', [fileEntry('evil\n', text)]],
    ['holds a backslash', [fileEntry('a\\evil', text)]],
    [
      'is too deep',
      Array.from(
        { length: 17 },
        (_, at): Entry => ({
          kind: 'dir',
          path: Array(at + 1)
            .fill('d')
            .join('/'),
        }),
      ),
    ],
    ['goes through a link', [{ kind: 'link', path: 'a', target: '/tmp' }, fileEntry('a/evil', text)]],
    [
      'goes through a link that was a directory',
      [
        { kind: 'dir', path: 'a' },
        { kind: 'link', path: 'a', target: 'b' },
      ],
    ],
    ['goes through a file', [fileEntry('a', text), fileEntry('a/evil', text)]],
    ['has no directory', [fileEntry('a/evil', text)]],
    ['stands there twice', [fileEntry('a', text), fileEntry('a', tool, true)]],
    ['links out', [{ kind: 'link', path: 'a', target: '../evil' }]],
    [
      'links out by a detour',
      [
        { kind: 'dir', path: 'a' },
        { kind: 'link', path: 'a/b', target: 'c/../../../evil' },
      ],
    ],
    ['goes on without a beginning', [{ kind: 'more', path: 'a', chunks: [] }]],
  ];
  test.each(tricks)('is not planted when a path %s', async (_name, entries) => {
    const before = holdings();
    expect(await refusal({ kind: 'plant', release: RELEASE, entries })).toMatchObject({ code: 'bad-path' });
    expect(holdings()).toEqual(before);
  });

  test('is not planted while files are missing, and says which', async () => {
    const before = holdings();
    const entries = [...TREE, fileEntry('later', utf8('later'))];
    expect(await refusal({ kind: 'plant', release: RELEASE, entries })).toEqual({
      code: 'missing-content',
      detail: expect.stringContaining('later'),
    });
    expect(holdings()).toEqual(before);
  });

  test('is not planted when a size is a lie', async () => {
    const before = holdings();
    const entries: Entry[] = [{ kind: 'file', path: 'a', ...refOf(text), bytes: 5, chunks: [] }];
    expect(await refusal({ kind: 'plant', release: RELEASE, entries })).toMatchObject({ code: 'bad-schema' });
    expect(holdings()).toEqual(before);
  });

  test('is named by a whole hash', async () => {
    expect(await refusal({ kind: 'plant', release: utf8('../../evil'), entries: [] })).toMatchObject({ code: 'bad-schema' });
    expect(await refusal({ kind: 'sweep', keep: [utf8('../../evil')], awaited: [] })).toMatchObject({ code: 'bad-schema' });
  });
});

describe('before anything is fetched', () => {
  const bytes = utf8('a piece');
  const jigsaw: Jigsaw = {
    file: refOf(bytes),
    bytes: bytes.length,
    pieces: [{ offset: 0, chunk: [sha256(bytes), bytes.length], from: null }],
  };

  test('there has to be room, beside what is kept in reserve', async () => {
    const cramped = openFiles({ path, reserveBytes: Number.MAX_SAFE_INTEGER });
    expect(await perform({ kind: 'gather', files: [jigsaw] }, cramped)).toMatchObject({
      kind: 'files-refused',
      error: { code: 'storage-full', detail: expect.stringMatching(/^1 MiB are needed, \d+ MiB are free, of which \d+ MiB stay so$/) },
    });
    expect(holdings()).toEqual([]);
    expect(await perform({ kind: 'gather', files: [jigsaw] })).toMatchObject({ kind: 'gathered' });
  });

  test('what is here already needs none', async () => {
    const cramped = openFiles({ path, reserveBytes: Number.MAX_SAFE_INTEGER });
    await perform({ kind: 'write', file: jigsaw.file, offset: 0, bytes });
    expect(await perform({ kind: 'gather', files: [jigsaw] }, cramped)).toMatchObject({ kind: 'gathered', lacks: [] });
  });
});

describe('a sweep', () => {
  test('keeps what kept roots hold and takes everything else', async () => {
    const [shared, own] = [await put(text), await put(tool, true)];
    const unused = await put(utf8('unused'));
    await perform({ kind: 'write', file: refOf(utf8('never')), offset: 0, bytes: utf8('nev') });
    const root = await plant(RELEASE);
    await plant(OTHER, [fileEntry('text', text)]);
    // The unused file and the one on its way; the shared one stays with the other root.
    expect(await perform({ kind: 'sweep', keep: [OTHER], awaited: [] })).toEqual({ kind: 'swept', files: 3 });
    expect(existsSync(root)).toBe(false);
    expect([shared, own, unused].map((file) => existsSync(sealedPath(file)))).toEqual([true, false, false]);
    expect(readdirSync(join(path, 'roots'))).toEqual([hex(OTHER)]);
    expect(await perform({ kind: 'sweep', keep: [OTHER], awaited: [] })).toEqual({ kind: 'swept', files: 0 });
    expect(await perform({ kind: 'sweep', keep: [], awaited: [] })).toEqual({ kind: 'swept', files: 1 });
    expect(holdings()).toEqual([]);
  });

  test('takes roots in which an engine has made mount points', async () => {
    await put(text);
    await put(tool, true);
    const root = await plant();
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'proc'));
    writeFileSync(join(root, 'proc', 'node'), '', { mode: 0o444 });
    chmodSync(join(root, 'proc'), 0o555);
    await perform({ kind: 'sweep', keep: [], awaited: [] });
    expect(holdings()).toEqual([]);
  });

  test('does not follow links out of a root', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'lichen-outside-'));
    writeFileSync(join(outside, 'mine'), '');
    await plant(RELEASE, [{ kind: 'link', path: 'out', target: outside }]);
    await perform({ kind: 'sweep', keep: [], awaited: [] });
    expect(readdirSync(outside)).toEqual(['mine']);
    rmSync(outside, { recursive: true });
  });
});

describe('a start', () => {
  test('throws away what was half planted, and keeps the rest, also what was on its way', async () => {
    const file = await put(text);
    await put(tool, true);
    const root = await plant();
    mkdirSync(join(path, 'roots', `${hex(OTHER)}.draft`, 'root'), { recursive: true });
    chmodSync(join(path, 'roots', `${hex(OTHER)}.draft`, 'root'), 0o555);
    writeFileSync(join(path, 'incoming', hex(OTHER)), 'half');
    files = openFiles({ path });
    expect(await perform({ kind: 'check', files: [file, refOf(tool, true)] })).toEqual({ kind: 'checked', missing: [] });
    expect(readdirSync(join(path, 'roots'))).toEqual([hex(RELEASE)]);
    expect(readdirSync(join(path, 'incoming'))).toEqual([hex(OTHER)]);
    expect(await plant()).toBe(root);
  });

  test('fails with a sentence where there can be no store', () => {
    writeFileSync(join(path, 'file'), '');
    expect(() => openFiles({ path: join(path, 'file') })).toThrow(/^storage-broken: /);
  });
});

const adapter = pathToFileURL(join(import.meta.dirname, '../../../runtime/adapters/files.ts')).href;
/** A program that opens a store in its working directory; `body` may use `perform`, `put` and `refOf`. */
const program = (body: string): string => `
  import { createHash } from 'node:crypto';
  import { readdirSync } from 'node:fs';
  import { openFiles } from ${JSON.stringify(adapter)};
  const files = openFiles({ path: process.cwd() });
  const perform = (step) => new Promise((answer) => files.perform(step, answer));
  const refOf = (bytes, executable = false) => ({ hash: new Uint8Array(createHash('sha256').update(bytes).digest()), executable });
  const put = async (bytes, executable = false) => {
    const file = refOf(bytes, executable);
    for (const step of [{ kind: 'write', file, offset: 0, bytes }, { kind: 'seal', file, bytes: bytes.length }]) {
      const event = await perform(step);
      if (event.kind === 'files-refused') return event.error.code;
    }
    return 'sealed';
  };
  ${body}
`;

const runIn = (directory: string, body: string, wrapper: string[] = []) => {
  const command = [...wrapper, process.execPath, '--input-type=module', '-e', program(body)];
  const options = { cwd: directory, encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } } as const;
  return spawnSync(command[0]!, command.slice(1), options);
};

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const namespaces =
  [
    ['unshare', '-m'],
    ['unshare', '-rm'],
  ].find((words) => works(words[0]!, ...words.slice(1), 'true')) ?? [];
const canTrace = works('strace', '-o', '/dev/null', 'true');

describe('on a disk that is small', () => {
  test.skipIf(namespaces.length === 0)('says that it is full, keeps what it has and goes on when there is room again', () => {
    const body = `
      const big = (byte) => new Uint8Array(600 * 1024).fill(byte);
      const entries = [{ kind: 'file', path: 'a', ...refOf(big(1)), bytes: big(1).length, chunks: [] }];
      const plant = async (byte) => {
        const event = await perform({ kind: 'plant', release: new Uint8Array(32).fill(byte), entries });
        return event.kind === 'planted' ? event.kind : event.error.code;
      };
      const said = [await put(big(1)), await plant(1), await put(big(2)), await put(new Uint8Array(100).fill(3)), await plant(2), readdirSync('roots').length];
      await perform({ kind: 'sweep', keep: [new Uint8Array(32).fill(1)], awaited: [] });
      said.push(await put(new Uint8Array(100).fill(3)), await plant(2));
      await perform({ kind: 'sweep', keep: [], awaited: [] });
      said.push(await put(big(2)));
      process.stdout.write(JSON.stringify(said));
    `;
    // A file system of a megabyte that only this process sees and that goes with it.
    const mount = [...namespaces, 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs "$0" && cd "$0" && exec "$@"', path];
    const { stdout, stderr } = runIn(path, body, mount);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      ...['sealed', 'planted'],
      ...['storage-full', 'storage-full', 'storage-full', 1],
      ...['sealed', 'planted', 'sealed'],
    ]);
  });
});

describe('a power cut', () => {
  const tree = 'Array.from({ length: 3 }, (_, at) => [';
  const body = `
    const one = new TextEncoder().encode('one');
    await put(one);
    const entries = ${tree}
      { kind: 'dir', path: 'd' + at },
      { kind: 'file', path: 'd' + at + '/one', ...refOf(one), bytes: 3, chunks: [] },
      { kind: 'link', path: 'd' + at + '/link', target: 'one' },
    ]).flat();
    await perform({ kind: 'plant', release: new Uint8Array(32), entries });
    process.stdout.write('not cut');
  `;
  const cuts = ['link:1', 'link:3', 'symlink:2', 'mkdir:9', 'chmod:2', 'fsync:3', 'fsync:7', 'rename:1', 'rename:2'];
  test.skipIf(!canTrace).each(cuts)('at %s leaves a store that goes on', async (cut) => {
    const [call, when] = cut.split(':');
    const set = `/^${call}(at2?|at)?$|^f${call}(at)?$`;
    const inject = ['-e', `trace=${set}$`, '-e', `inject=${set}$:signal=KILL:when=${when}`];
    const { stdout, signal } = runIn(path, body, ['strace', '-f', '-qq', '-o', '/dev/null', ...inject]);
    expect({ stdout, signal }).toEqual({ stdout: '', signal: 'SIGKILL' });
    files = openFiles({ path });
    const one = utf8('one');
    const { missing } = (await perform({ kind: 'check', files: [refOf(one)] })) as { missing: FileRef[] };
    if (missing.length > 0) await put(one);
    const root = await plant(new Uint8Array(32), [{ kind: 'dir', path: 'd' }, fileEntry('d/one', one)]);
    // Either the root that was whole before the cut, or the one that was planted now; never a mixture.
    const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
    expect([
      ['d', 'd/one'],
      ['d0', 'd0/link', 'd0/one', 'd1', 'd1/link', 'd1/one', 'd2', 'd2/link', 'd2/one'],
    ]).toContainEqual(found);
    expect(readdirSync(join(path, 'roots'))).toEqual(['00'.repeat(32)]);
    await perform({ kind: 'sweep', keep: [new Uint8Array(32)], awaited: [] });
    expect(readdirSync(join(path, 'incoming'))).toEqual([]);
  });
});

describe('on the way to the disk', () => {
  test.skipIf(!canTrace)('nothing is believed before it is durable', () => {
    const log = join(path, 'log');
    const body = `
      await put(new Uint8Array([1]));
      const entries = [{ kind: 'dir', path: 'd' }, { kind: 'file', path: 'd/one', ...refOf(new Uint8Array([1])), bytes: 1, chunks: [] }];
      await perform({ kind: 'plant', release: new Uint8Array(32), entries });
    `;
    const calls = 'trace=/^(fsync|fdatasync|rename(at2?)?)$';
    expect(runIn(path, body, ['strace', '-f', '-y', '-qq', '-o', log, '-e', calls]).stderr).toBe('');
    const name = hex(sha256(new Uint8Array([1])));
    const steps = [...readFileSync(log, 'utf8').matchAll(/ (fsync|rename)\w*\((.*)\) = 0$/gm)].map(([, call, what = '']) => {
      const paths = [...what.matchAll(/["<]([^">]*)[">]/g)].map(([, one = '']) => one.replace(`${path}/`, ''));
      return [call, ...paths].join(' ').replaceAll(name, 'ONE').replaceAll('00'.repeat(32), 'RELEASE');
    });
    expect(steps).toEqual([
      'fsync incoming/ONE',
      'fsync files',
      `rename incoming/ONE files/${name.slice(0, 2)}/ONE`,
      `fsync files/${name.slice(0, 2)}`,
      'fsync roots/RELEASE.draft/root/d',
      'fsync roots/RELEASE.draft/root',
      'fsync roots/RELEASE.draft/planted',
      'fsync roots/RELEASE.draft',
      'rename roots/RELEASE.draft roots/RELEASE',
      'fsync roots',
    ]);
  });
});

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const canBeNobody = works(nobody[0]!, ...nobody.slice(1), process.execPath, '--version');

describe('without the rights of root', () => {
  test.skipIf(!canBeNobody)('roots are planted and taken away too', async () => {
    // What this process opened first clears its own beginnings before anything else; only then may another take the folder.
    await perform({ kind: 'check', files: [] });
    chownSync(path, 65_534, 65_534);
    for (const name of ['files', 'incoming', 'roots']) rmSync(join(path, name), { recursive: true, force: true });
    const body = `
      await put(new Uint8Array([1]));
      const entries = [{ kind: 'dir', path: 'd' }, { kind: 'file', path: 'd/one', ...refOf(new Uint8Array([1])), bytes: 1, chunks: [] }];
      const steps = [{ kind: 'plant', release: new Uint8Array(32), entries }, { kind: 'sweep', keep: [], awaited: [] }];
      for (const step of steps) {
        const { kind, error } = await perform(step);
        process.stdout.write(kind + ' ');
        if (error !== undefined) process.stderr.write(error.message);
      }
      process.stdout.write(JSON.stringify(readdirSync('roots')));
    `;
    const { stdout, stderr } = runIn(path, body, nobody);
    expect({ stdout, stderr }).toEqual({ stdout: 'planted swept []', stderr: '' });
    files = openFiles({ path });
  });
});

describe('a large file', () => {
  test('passes through in pieces: 200 MB cost a few megabytes of memory and never stop the loop for long', () => {
    const body = `
      const chunk = Buffer.alloc(64 * 1024);
      const digest = createHash('sha256');
      const count = 3200;
      const fill = (at) => chunk.fill(at & 255).writeUInt32LE(at);
      for (let at = 0; at < count; at++) { fill(at); digest.update(chunk); }
      const file = { hash: new Uint8Array(digest.digest()), executable: false };
      await put(new TextEncoder().encode('warm'));
      const before = process.resourceUsage().maxRSS;
      for (let at = 0; at < count; at++) {
        fill(at);
        await perform({ kind: 'write', file, offset: at * chunk.length, bytes: chunk });
      }
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const sealed = await perform({ kind: 'seal', file, bytes: count * chunk.length });
      clearInterval(timer);
      process.stdout.write(JSON.stringify({ kind: sealed.kind, grownMib: (process.resourceUsage().maxRSS - before) / 1024, turns }));
    `;
    const { stdout, stderr } = runIn(path, body);
    expect(stderr).toBe('');
    const { kind, grownMib, turns } = JSON.parse(stdout);
    expect(kind).toBe('file-sealed');
    expect(grownMib).toBeLessThan(32);
    // Hashing 200 MB takes far longer than this many turns of the event loop; blocking it would leave almost none.
    expect(turns).toBeGreaterThan(20);
  });
});
