/** Pages and chunks that no board may plant: refused where they are pushed, and no board ever hears of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Push } from '../../gateway/cli/mqtt-push.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { ERRORS, type ErrorCode } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Entry } from '../../runtime/protocol/nouns/release.ts';
import { demandOf, fileOf, piecesOf, publisher, type Release, releaseOf } from './documents.ts';
import { answered, federate, Gateway, tenant, told } from './gateway.ts';

const content = utf8('content');
const dir = (path: string): Entry => ({ kind: 'dir', path });
const link = (path: string, target: string): Entry => ({ kind: 'link', path, target });
const file = (path: string): Entry => fileOf(path, content);

let gateway: Gateway;
let door: Push;

beforeAll(async () => {
  gateway = await Gateway.open(await federate('north'), 'north');
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document);
  door = await gateway.mqtt();
});
afterAll(() => gateway.end());

const taken = async (...bodies: Bytes[]): Promise<void> => {
  for (const body of bodies) expect(await door.push(body)).toMatchObject({ ok: true });
};

const refused = async (body: Bytes, code: ErrorCode, why: RegExp): Promise<void> => {
  const before = await gateway.state();
  expect(await door.push(body)).toMatchObject(answered(code, why));
  expect(await gateway.push(body)).toEqual({ status: ERRORS[code].http, body: { error: told(code, why) } });
  expect(await gateway.state()).toEqual(before);
};

/** Never complete, so never placed; and the same recipe, mended, is. */
const mendedAfter = async (bad: Release, recipe: string): Promise<void> => {
  await taken(...demandOf(recipe, bad.hash));
  const missing = async (release: Bytes): Promise<number | undefined> =>
    (await gateway.get<{ release: string; missing: number }[]>('/1/releases')).find((row) => row.release === hex(release))?.missing;
  expect(await missing(bad.hash)).toBeGreaterThan(0);
  const good = releaseOf(recipe, 2, [[dir('a'), file('a/label'), link('b', 'a/label')]], [content]);
  await taken(...piecesOf(good));
  expect(await missing(good.hash)).toBe(0);
  await taken(...demandOf(recipe, good.hash, { sequence: 2 }));
};

const badPages: [string, Entry[], ErrorCode, RegExp][] = [
  ['a path that goes up', [dir('a'), file('a/../../etc/passwd')], 'bad-path', /"\.\." segment/],
  ['an absolute path', [file('/etc/passwd')], 'bad-path', /empty, "\." or/],
  ['a link out of the root', [dir('a'), link('a/out', '../../etc')], 'bad-path', /leaves the root/],
  [
    'a link that goes out over another',
    [dir('a'), dir('a/b'), link('a/b/up', '..'), link('out', 'a/b/up/../..')],
    'bad-path',
    /goes up again/,
  ],
  ['a file below a link', [dir('b'), link('a', 'b'), file('a/c')], 'bad-path', /its parent is not a directory/],
  ['one path twice', [file('a'), file('a')], 'bad-path', /listed twice/],
  ['one path in two cases', [file('read.me'), file('READ.me')], 'bad-path', /the same but for case/],
  ['a file after what is in it', [file('a/b'), dir('a')], 'bad-path', /its parent is not a directory/],
  ['a continuation of another file', [file('a'), { kind: 'more', path: 'b', chunks: [] }], 'bad-path', /a continuation without its file/],
];

test.each(badPages)('a page with %s', async (name, entries, code, why) => {
  const recipe = `page-${badPages.findIndex(([other]) => other === name)}`;
  const bad = releaseOf(recipe, 1, [entries], [content]);
  await taken(bad.document);
  await refused(bad.pages[0]!, code, why);
  await mendedAfter(bad, recipe);
});

test('pages that are right each and no tree together', async () => {
  const bad = releaseOf('together', 1, [[link('a', 'b')], [file('a/c')]], [content]);
  await taken(bad.document, bad.pages[1]!);
  await refused(bad.pages[0]!, 'bad-path', /its parent is not a directory/);
  await mendedAfter(bad, 'together');
});

test('a manifest whose pages hold something else', async () => {
  const bad = releaseOf('promise', 1, [[file('a')]], [content], { entries: 2 });
  await taken(bad.document);
  await refused(bad.pages[0]!, 'bad-schema', /the manifest says 2/);
  await mendedAfter(bad, 'promise');
});

test('a file whose chunks do not add up', async () => {
  const bad = releaseOf('sums', 1, [[fileOf('a', content, { bytes: 1 })]], [content]);
  await taken(bad.document);
  await refused(bad.pages[0]!, 'bad-schema', /add up to 7 bytes, the entry says 1/);
  await mendedAfter(bad, 'sums');
});

test('a chunk that is longer than its page says', async () => {
  const lie = utf8('this chunk is announced too short');
  const honest = fileOf('a', lie);
  const entry: Entry = { ...honest, bytes: 3, chunks: honest.kind === 'file' ? [[honest.chunks[0]![0], 3]] : [] } as Entry;
  const bad = releaseOf('length', 1, [[entry]], [lie]);
  await taken(bad.document, bad.pages[0]!);
  await refused(lie, 'bad-schema', /has 33 bytes, a page says 3/);
  await mendedAfter(bad, 'length');
});

test('a page longer than a board would take', async () => {
  const entries = Array.from({ length: 600 }, (_, at) => fileOf(`${'d'.repeat(40)}-${at}`, content));
  const bad = releaseOf('long', 1, [entries], [content]);
  expect(bad.pages[0]!.length).toBeGreaterThan(LIMITS.pageBytes);
  expect(bad.pages[0]!.length).toBeLessThan(LIMITS.packetBytes - 200);
  await taken(bad.document);
  await refused(bad.pages[0]!, 'too-large', /an index page has at most 65536 bytes/);
  await mendedAfter(bad, 'long');
});

test('a release that shares a page with an honest one does not hold it up', async () => {
  const shared = [dir('a'), file('a/label')];
  const bad = releaseOf('parasite', 1, [shared, [link('a/label', 'x')]], [content]);
  const good = releaseOf('host', 1, [shared], [content]);
  await taken(bad.document, bad.pages[1]!, good.document);
  await taken(...good.pages, ...good.chunks);
  const rows = await gateway.get<{ recipe: string; missing: number; refused: string }[]>('/1/releases');
  expect(rows.find(({ recipe }) => recipe === 'host')).toMatchObject({ missing: 0, refused: '' });
  expect(rows.find(({ recipe }) => recipe === 'parasite')?.refused).toMatch(/^bad-path: a\/label: listed twice/);
  await refused(bad.document, 'bad-schema', /is refused: bad-path: a\/label: listed twice/);
});

test('content of one release cannot be turned into a page of another', async () => {
  const text = utf8('a text of its own');
  const good = releaseOf('book', 1, [[fileOf('a', text)]], [text]);
  // Announced as an ordinary chunk first, by somebody who knows what will come.
  const thief = releaseOf('thief', 1, [[fileOf('a', good.pages[0]!)]], [good.pages[0]!]);
  await taken(thief.document, ...thief.pages, good.document);
  const { ok, missing } = await door.push(good.pages[0]!);
  expect({ ok, missing: missing.map(hex) }).toEqual({ ok: true, missing: good.chunks.map((chunk) => hex(nodeCrypto.sha256(chunk))) });
  await taken(text);
});
