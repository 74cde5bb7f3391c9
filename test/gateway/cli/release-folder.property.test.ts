/**
 * Folders that were torn, mixed up or written by somebody else, given to everything that reads one: a clear word each time, nothing
 * of them gets any further, and they stay as they were.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../../../gateway/cli/client.ts';
import type { Pusher } from '../../../gateway/cli/push.ts';
import { exportRelease, importBoard } from '../../../gateway/cli/release-carry.ts';
import { inspect } from '../../../gateway/cli/release-inspect.ts';
import { pushRelease, readRelease } from '../../../gateway/cli/release-push.ts';
import { buildRelease } from '../../../recipes/builder/build.ts';
import { writeBundle } from '../../../recipes/builder/bundle.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { StickFolder } from '../../../runtime/adapters/stick-folder.ts';
import { unpackZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { ERRORS, LichenError } from '../../../runtime/protocol/errors.ts';
import type { BoardId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs } from '../../../runtime/protocol/noun.ts';
import { carried, usageBatch } from '../../../runtime/protocol/nouns/messages.ts';
import { contentIn } from '../../../runtime/protocol/packing.ts';
import { frameName } from '../../../runtime/protocol/stick.ts';
import type { TopicName } from '../../../runtime/protocol/topics.ts';
import { keyOf } from '../../support/crypto.ts';
import { idOf, PUBLISHER, signedPublisher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { runs } from '../../support/properties.ts';

let home = '';
let whole = '';
let names: string[] = [];
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lichen-folder-'));
  whole = join(home, 'whole');
  const recipePath = join(import.meta.dirname, '../../../recipes/hello-sensor');
  const terms = { recipePath, publisherId: PUBLISHER, signer: keyOf('release key'), sequence: 1, cachePath: join(home, 'cache') };
  writeBundle(await buildRelease(terms), whole);
  names = readdirSync(whole).sort();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const bytesIn = (directory: string): Map<string, string> =>
  new Map(
    readdirSync(directory).map((name) => {
      const path = join(directory, name);
      return [name, statSync(path).isFile() ? hex(new Uint8Array(readFileSync(path))) : 'no file'];
    }),
  );

const harm = fc.record({
  of: fc.nat(),
  other: fc.nat(),
  at: fc.nat(70_000),
  byte: fc.nat(255),
  how: fc.constantFrom('cut', 'turn', 'pad', 'empty', 'drop', 'swap', 'mix', 'folder', 'huge', 'stranger'),
});
type Harm = typeof harm extends fc.Arbitrary<infer T> ? T : never;

const STRANGER = `chunk-${'0'.repeat(64)}`;

const damage = (directory: string, { of, other, at, byte, how }: Harm): void => {
  const left = readdirSync(directory).sort();
  const pick = (one: number): string => join(directory, left[one % left.length] ?? '');
  const [path, second] = [pick(of), pick(other)];
  if (left.length === 0 || !statSync(path).isFile() || !statSync(second).isFile()) return;
  const bytes = new Uint8Array(readFileSync(path));
  const write = (changed: Uint8Array): void => writeFileSync(path, changed);
  if (how === 'cut') write(bytes.subarray(0, at % Math.max(1, bytes.length)));
  if (how === 'turn' && bytes.length > 0) write(bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ (1 << (byte & 7))));
  if (how === 'pad') write(new Uint8Array([...bytes, ...new Uint8Array(1 + (at % 300)).fill(byte)]));
  if (how === 'empty') write(new Uint8Array());
  if (how === 'drop') rmSync(path);
  if (how === 'swap') {
    renameSync(path, `${path}.swap`);
    if (path !== second) renameSync(second, path);
    renameSync(`${path}.swap`, path === second ? path : second);
  }
  if (how === 'mix') write(new Uint8Array(readFileSync(second)));
  if (how === 'folder') {
    rmSync(path);
    mkdirSync(path);
  }
  if (how === 'huge') write(new Uint8Array(200_000).fill(byte));
  if (how === 'stranger') {
    rmSync(join(directory, STRANGER), { recursive: true, force: true });
    writeFileSync(join(directory, STRANGER), bytes);
  }
};

/** What it said; null: nothing. Whatever is no clear word of ours fails the test. */
const said = async (act: () => unknown): Promise<LichenError | null> => {
  try {
    await act();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof LichenError)) throw thrown;
    expect(thrown.code).not.toBe('internal');
    expect([thrown.detail, ERRORS[thrown.code].next].every((text) => text.length > 0)).toBe(true);
    return thrown;
  }
};

const pusherTo = (node: Node): Pusher => ({
  to: 'a gateway',
  close: () => {},
  push: async (bytes) => {
    const { ok, code, why, missing } = node.push(bytes);
    if (!ok) throw new LichenError(code as keyof typeof ERRORS, why);
    return missing.map(hex);
  },
});
const blobsOf = (node: Node): string[] =>
  Object.keys(node.disk.dump())
    .filter((key) => key.startsWith('blob/'))
    .map((key) => key.slice('blob/'.length));

describe('a folder of a release that is not what it was', () => {
  test('is told of, stays as it is, and gives nobody anything but its own pieces (property)', async () => {
    const told = new Map<string, number>();
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), async (harms) => {
        const directory = join(home, `broken-${tried}`);
        const stick = join(home, `stick-${tried++}`);
        cpSync(whole, directory, { recursive: true });
        for (const one of harms) damage(directory, one);
        const before = bytesIn(directory);
        const node = new GatewayWorld(['gateway a']).node(0).admit('tenant', 'tenant').accept(signedPublisher().body);

        const seen = await said(() => inspect(directory));
        const pushed = await said(async () => void (await pushRelease(pusherTo(node), readRelease(directory), () => {})));
        const exported = await said(() => exportRelease(new StickFolder(stick), directory));
        for (const error of [seen, pushed, exported]) if (error !== null) told.set(error.code, (told.get(error.code) ?? 0) + 1);

        expect(bytesIn(directory)).toEqual(before);
        for (const piece of blobsOf(node)) expect(names.some((name) => name.endsWith(`-${piece}`))).toBe(true);
        const folder = join(stick, 'lichen', 'content');
        const put = statSync(folder, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(folder);
        for (const piece of put.filter((name) => names.some((known) => known.endsWith(`-${name}`)))) {
          const bytes = new Uint8Array(readFileSync(join(folder, piece)));
          expect(contentIn(nodeCrypto, unpackZstd, fromHex(piece), bytes, LIMITS.chunkMaxBytes)).not.toBeNull();
        }
        // The manifest, and nothing else, is put there under a name that is no piece's.
        expect(put.filter((name) => !names.some((known) => known.endsWith(`-${name}`))).length).toBeLessThanOrEqual(1);
        if (pushed === null) expect(node.json('releases')).toMatchObject([{ missing: 0, refused: '' }]);
        rmSync(directory, { recursive: true });
        rmSync(stick, { recursive: true, force: true });
      }),
      { ...runs(60), endOnFailure: true },
    );
    expect(tried).toBeGreaterThanOrEqual(30);
    expect([...told.keys()].sort()).toEqual(expect.arrayContaining(['bad-cbor', 'missing-content', 'not-found']));
    expect(
      readdirSync(home)
        .filter((name) => name !== 'cache')
        .sort(),
    ).toEqual(['whole']);
  });
});

describe('a folder that was carried and is not what it was', () => {
  const board = idOf<BoardId>('board 1');
  const frames: [TopicName, Bytes][] = [
    ['hello', utf8('hello')],
    ['usage', encodeAs(usageBatch, { v: 1, records: [utf8('one'), utf8('two')] }, 'usage')],
    ['report', utf8('report')],
    ['usage', encodeAs(usageBatch, { v: 1, records: [utf8('three')] }, 'usage')],
  ];
  const quiet = encodeAs(carried, { v: 1, session: 's', frames: [] }, 'carried');
  const client = (bodies: Bytes[]): Client => ({
    url: 'a gateway',
    ask: () => Promise.reject(new Error('nobody asks')),
    askBytes: (_name, input) => {
      if (input?.body instanceof Uint8Array) bodies.push(input.body);
      return Promise.resolve(quiet);
    },
  });

  test('is brought in as far as it is read, told of, and stays as it is (property)', async () => {
    let [tried, problems, refused] = [0, 0, 0];
    const up = join(home, 'carried', 'lichen', 'boards', board, 'up');
    await fc.assert(
      fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), async (harms) => {
        tried++;
        mkdirSync(up, { recursive: true });
        for (const [at, [topic, payload]] of frames.entries()) writeFileSync(join(up, frameName(at, topic)), payload);
        for (const one of harms) damage(up, one);
        const before = bytesIn(up);
        const bodies: Bytes[] = [];
        const brought = await importBoard(client(bodies), new StickFolder(join(home, 'carried')), board);
        expect(bytesIn(up)).toEqual(before);
        problems += brought.problems.length;
        if (brought.refused !== null) {
          refused++;
          expect(brought.refused.code).not.toBe('internal');
          expect([brought.refused.why, brought.refused.next].every((text) => text.length > 0)).toBe(true);
        }
        const said = bodies.flatMap((body) => decodeAs(carried, body, 'carried').frames);
        for (const { topic, payload } of said) {
          if (topic !== 'gone') expect([...before.values()], topic).toContain(hex(payload));
        }
        expect(readdirSync(join(up, '..'))).toEqual(['up']);
        rmSync(join(home, 'carried'), { recursive: true });
      }),
      { ...runs(150), endOnFailure: true },
    );
    expect([tried >= 75, problems > 10, refused > 10]).toEqual([true, true, true]);
  });
});
