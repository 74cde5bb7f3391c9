/** Pushing a release: only what is missing, resumed after any break, and never for ever. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pusher } from '../../../gateway/cli/push.ts';
import { pushRelease, readRelease } from '../../../gateway/cli/release-push.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { type ChunkRef, manifestNoun, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { PUBLISHER } from '../../support/federation.ts';

const CHUNKS = 40;
const hashOf = (bytes: Bytes): string => hex(testCrypto.sha256(bytes));

describe('a release of one page', () => {
  let directory: string;
  const chunks = Array.from({ length: CHUNKS }, (_, i) => utf8(`chunk ${i}`));
  const refs = chunks.map((bytes): ChunkRef => [testCrypto.sha256(bytes), bytes.length]);
  const page = encodeAs(
    pageSchema,
    {
      v: 1,
      entries: [{ kind: 'file', path: 'program', executable: true, bytes: 1, hash: testCrypto.sha256(utf8('all')), chunks: refs }],
    },
    'page',
  );
  const manifest = seal(
    manifestNoun,
    {
      v: 1,
      publisher: PUBLISHER,
      recipe: 'echo',
      label: '1',
      sequence: 1,
      arch: 'any',
      pages: [testCrypto.sha256(page)],
      entries: 1,
      bytes: 1,
      args: ['/program'],
      env: {},
      engine: 'none',
      parameters: {},
      limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 0 },
      promises: [],
      demands: 'dev',
    },
    keyOf('release key'),
  );

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'lichen-push-')), 'echo');
    mkdirSync(directory);
    writeFileSync(join(directory, '000000-manifest.cose'), manifest);
    writeFileSync(join(directory, `page-${hashOf(page)}`), page);
    for (const bytes of chunks) writeFileSync(join(directory, `chunk-${hashOf(bytes)}`), bytes);
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  /** A gateway as `gateway/service/push.ts` answers: at most `told` hashes, a piece that nobody waits for is refused. */
  const store = (held: Set<string>, told = 1024, broken = Number.POSITIVE_INFINITY) => {
    const seen: string[] = [];
    let under = 0;
    let most = 0;
    const missing = () => {
      const page1 = hashOf(page);
      if (!held.has(page1)) return [page1];
      return chunks
        .map(hashOf)
        .filter((hash) => !held.has(hash))
        .slice(0, told);
    };
    const pusher: Pusher = {
      to: 'a gateway',
      close: () => {},
      push: async (bytes) => {
        const hash = hashOf(bytes);
        most = Math.max(most, ++under);
        await Promise.resolve();
        under--;
        if (hash === hashOf(manifest)) return missing();
        if (seen.length >= broken) throw new LichenError('unavailable', 'the line is cut');
        seen.push(hash);
        const fresh = !held.has(hash);
        held.add(hash);
        return fresh && hash === hashOf(page) ? missing() : [];
      },
    };
    return { pusher, seen, most: () => most };
  };

  test('arrives whole, each piece once, several at a time', async () => {
    const { pusher, seen, most } = store(new Set());
    const shown: number[] = [];
    expect(await pushRelease(pusher, readRelease(directory), (count) => shown.push(count))).toEqual({
      pieces: CHUNKS + 1,
      bytes: page.length + chunks.reduce((sum, { length }) => sum + length, 0),
    });
    expect(new Set(seen).size).toBe(seen.length);
    expect(shown).toEqual(Array.from({ length: CHUNKS + 1 }, (_, i) => i + 1));
    expect(most()).toBeGreaterThan(1);
  });

  test('arrives though an answer names only a few pieces', async () => {
    const held = new Set<string>();
    const { pusher, seen } = store(held, 7);
    expect(await pushRelease(pusher, readRelease(directory), () => {})).toMatchObject({ pieces: CHUNKS + 1 });
    expect(seen).toHaveLength(CHUNKS + 1);
  });

  test('goes on where it broke off, and stops at once when it breaks', async () => {
    const held = new Set<string>();
    const first = store(held, 1024, 15);
    await expect(pushRelease(first.pusher, readRelease(directory), () => {})).rejects.toThrow('the line is cut');
    // Those under way when it broke still arrive; none is begun after it.
    expect(first.seen).toHaveLength(15);
    const second = store(held);
    expect(await pushRelease(second.pusher, readRelease(directory), () => {})).toMatchObject({ pieces: CHUNKS + 1 - 15 });
    expect(second.seen.filter((hash) => first.seen.includes(hash))).toEqual([]);
  });

  test('a gateway that asks for ever is not believed for ever', async () => {
    const pusher: Pusher = {
      to: 'a gateway',
      close: () => {},
      push: async (bytes) => (hashOf(bytes) === hashOf(manifest) ? [hashOf(page)] : []),
    };
    await expect(pushRelease(pusher, readRelease(directory), () => {})).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a piece that is absent, torn or not of this release is not sent', async () => {
    const [name] = readdirSync(directory).filter((one) => one.startsWith('chunk-'));
    writeFileSync(join(directory, name!), 'torn');
    const { pusher, seen } = store(new Set());
    await expect(pushRelease(pusher, readRelease(directory), () => {})).rejects.toMatchObject({
      code: 'missing-content',
      detail: expect.stringContaining(name!),
    });
    expect(seen).not.toContain(name!.slice('chunk-'.length));
    const greedy: Pusher = { ...pusher, push: async () => ['ab'.repeat(32)] };
    await expect(pushRelease(greedy, readRelease(directory), () => {})).rejects.toMatchObject({ code: 'missing-content' });
  });

  test('what is no release is told from one', () => {
    expect(() => readRelease(join(directory, '..'))).toThrow(expect.objectContaining({ code: 'not-found' }));
    writeFileSync(join(directory, '000000-manifest.cose'), page);
    expect(() => readRelease(directory)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^bad-/), detail: expect.stringContaining('000000-manifest.cose') }),
    );
  });
});
