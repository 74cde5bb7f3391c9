/** The store door on LMDB: the contract, and what only a real disk can show. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { afterAll, describe, expect, test } from 'vitest';
import { openLmdbStore } from '../../../runtime/adapters/lmdb-store.ts';
import { type Medium, storeContract } from '../../contract/store.ts';
import { judge } from '../../support/syscalls.ts';

const folder = mkdtempSync(join(tmpdir(), 'lichen-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const child = fileURLToPath(new URL('../../support/store-child.ts', import.meta.url));

let count = 0;
const freshPath = (): string => join(folder, String(count++), 'store.mdb');

const medium = (): Medium => {
  const path = freshPath();
  return {
    open: (owner) => ({ store: openLmdbStore({ path, owner }), settle: () => {} }),
    close: async ({ store }) => store.close(),
    spoilSchema: async () => {
      const db = open<Buffer, string>({ path, encoding: 'binary', useVersions: true, overlappingSync: false });
      db.putSync('store/schema', Buffer.from('another'), 1);
      await db.close();
    },
  };
};

describe('on LMDB', () => storeContract({ medium }));

describe('a file that is not ours', () => {
  const broken = expect.objectContaining({ code: 'storage-broken' });

  test.each([
    ['text', Buffer.from('this is not a database\n'.repeat(1000))],
    ['zeros', Buffer.alloc(8192)],
    ['a few bytes', Buffer.from([1, 2, 3])],
  ])('is refused and left as it is: %s', (_what, bytes) => {
    const path = freshPath();
    mkdirSync(dirname(path));
    writeFileSync(path, bytes);
    expect(() => openLmdbStore({ path, owner: 'me' })).toThrow(broken);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test('a folder is none either', () => {
    const path = freshPath();
    mkdirSync(path, { recursive: true });
    expect(() => openLmdbStore({ path, owner: 'me' })).toThrow(broken);
  });

  test('an empty one is a new store', () => {
    const path = freshPath();
    mkdirSync(dirname(path));
    writeFileSync(path, '');
    openLmdbStore({ path, owner: 'me' }).close();
  });
});

describe('a full disk', () => {
  /** The limit on a file's size stands for it: no mount of this machine is touched. */
  const starved = async (fileBytes: number): Promise<unknown[]> => {
    const path = freshPath();
    const process_ = spawn('prlimit', [`--fsize=${fileBytes}:unlimited`, process.execPath, child, 'fill', path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines: unknown[] = [];
    for await (const line of createInterface({ input: process_.stdout })) {
      lines.push(JSON.parse(line));
      if (lines.length !== 3) continue;
      execFileSync('prlimit', [`--pid=${process_.pid}`, '--fsize=unlimited:unlimited']);
      process_.stdin.write('there is room\n');
    }
    expect(readdirSync(dirname(path)).sort()).toEqual(['store.mdb', 'store.mdb-lock']);
    return lines;
  };

  // A page boundary is refused at once; elsewhere a part of the write finds room, which LMDB reports as another error.
  test.each([262_144, 300_000])('of %i bytes fails the commit and nothing else, and goes on when there is room', async (bytes) => {
    const [first, second, held, later, all] = await starved(bytes);
    expect([first, second]).toEqual(Array(2).fill({ kind: 'failed', code: 'storage-full' }));
    expect(held).toEqual({ committed: expect.any(Number), readable: (held as { committed: number }).committed });
    expect((held as { committed: number }).committed).toBeGreaterThan(5);
    expect(later).toEqual({ kind: 'committed' });
    expect(all).toEqual(held);
  });
});

const isTraceable = spawnSync('strace', ['-V']).status === 0;

describe(isTraceable ? 'durability' : 'durability (strace is not installed: not all of it is shown)', () => {
  const TRACED = 'openat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,msync';
  const traced = (durable: boolean): { trace: string; path: string } => {
    const path = freshPath();
    const out = `${dirname(path)}.trace`;
    const { status } = spawnSync('strace', [
      '-f',
      '-y',
      '-e',
      `trace=${TRACED}`,
      '-o',
      out,
      process.execPath,
      child,
      'acks',
      path,
      '5',
      String(durable),
    ]);
    expect(status).toBe(0);
    return { trace: readFileSync(out, 'utf8'), path };
  };
  test.skipIf(!isTraceable)('no effect of a turn leaves before its data is on disk (strace)', () => {
    const { trace, path } = traced(true);
    expect(judge(trace, path, 'ack')).toEqual({ effects: 5, early: [] });
  });

  test.skipIf(!isTraceable)('the one who watches would see it: without syncing every effect is early (strace)', () => {
    const { trace, path } = traced(false);
    const { effects, early } = judge(trace, path, 'ack');
    expect([effects, early.length]).toEqual([5, 5]);
  });

  test('the watcher wants a sync that came back, after the last write', () => {
    const lines = (...calls: string[]): string => calls.map((call) => `7 ${call}`).join('\n');
    const write = 'pwrite64(3</d>, "x", 1, 0) = 1';
    const ack = 'write(1</out>, "ack 1\\n", 6) = 6';
    const early = (...calls: string[]): number => judge(lines(...calls), '/d', 'ack').early.length;
    expect(early(write, 'fdatasync(3</d>) = 0', ack)).toBe(0);
    expect(early(write, ack, 'fdatasync(3</d>) = 0')).toBe(1);
    expect(early(write, 'fdatasync(3</d>) = -1 EIO', ack)).toBe(1);
    expect(early(write, 'fdatasync(3</d> <unfinished ...>', ack, '<... fdatasync resumed>) = 0')).toBe(1);
    expect(early(write, 'fdatasync(3</d> <unfinished ...>', '<... fdatasync resumed>) = 0', ack)).toBe(0);
    expect(early(write, 'fdatasync(4</other>) = 0', ack)).toBe(1);
    expect(early('fdatasync(3</d>) = 0', write, ack)).toBe(1);
    expect(early(ack)).toBe(1);
    expect(early('openat(AT_FDCWD</>, "/d", O_WRONLY|O_DSYNC|O_CLOEXEC) = 3</d>', write, ack)).toBe(0);
  });
});
