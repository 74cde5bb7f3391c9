/** What a carried folder holds after an export and an import: whole pieces, and a true count of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '../../../gateway/cli/client.ts';
import { exportRelease, importBoard } from '../../../gateway/cli/release-carry.ts';
import { StickFolder } from '../../../runtime/adapters/stick-folder.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId } from '../../../runtime/protocol/ids.ts';
import { decodeAs, encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { desiredNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { carried, chunk, usageBatch, want } from '../../../runtime/protocol/nouns/messages.ts';
import { requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { frameName, isWord } from '../../../runtime/protocol/stick.ts';
import type { TopicName } from '../../../runtime/protocol/topics.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, idOf, lease, request, signedLease, signedRequest, signedVoucher } from '../../support/federation.ts';
import { publisherDoc, signedPublisher, smallRelease } from '../../support/small-release.ts';

let home = '';
let stick = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lichen-carry-'));
  stick = join(home, 'stick');
});
afterEach(() => rmSync(home, { recursive: true }));

const release = smallRelease();
const pages = new Set(release.manifest.pages.map(hex));
const pieceAt = (hash: string): string => join(stick, 'lichen', 'content', hash);

describe('an export [stick-5]', () => {
  test('mends what is torn, and says the same of a stick that has it all', () => {
    const built = join(home, 'built');
    mkdirSync(built);
    writeFileSync(join(built, '000000-manifest.cose'), release.document);
    for (const [hash, bytes] of release.content) writeFileSync(join(built, `${pages.has(hash) ? 'page' : 'chunk'}-${hash}`), bytes);
    const folder = new StickFolder(stick);
    const first = exportRelease(folder, built);
    expect(first.pieces).toBe(1 + release.content.size);
    const [torn = '', page = ''] = [release.chunks[0], [...pages][0]];
    writeFileSync(pieceAt(torn), 'torn');
    writeFileSync(pieceAt(page), '');
    expect(exportRelease(folder, built)).toEqual(first);
    for (const [hash, bytes] of release.content) expect(hex(new Uint8Array(readFileSync(pieceAt(hash))))).toBe(hex(bytes));
  });
});

describe('an import [stick-5]', () => {
  const board = idOf<BoardId>('board 1');
  const asked = request({ release: release.release });
  const doc = publisherDoc();
  const of = lease({ on: 'board 1', release: release.release, publisher: hashOf(publisherNoun, doc) });
  const document = seal(
    desiredNoun,
    {
      ...{ v: 1, board, gateway: idOf<GatewayId>('gateway a'), tenure: 1, seq: 1 },
      leases: [{ lease: signedLease(of).body, request: hashOf(requestNoun, asked) }],
    },
    keyOf('gateway a'),
  );
  const whole = new Map<string, Bytes>([
    [hex(hashOf(requestNoun, asked)), signedRequest({ release: release.release }).body],
    [hex(of.voucher), signedVoucher().body],
    [hex(hashOf(publisherNoun, doc)), signedPublisher(doc)],
    [hex(release.release), release.document],
    ...release.content,
  ]);
  let said: TopicName[] = [];
  /** A gateway that has so much. */
  const clientOf = (held: Map<string, Bytes>): Client => ({
    url: 'a gateway',
    ask: () => Promise.reject(new Error('nobody asks')),
    askBytes: (_name, input) => {
      const frames: { topic: TopicName; payload: Bytes }[] = [];
      const came = input?.body instanceof Uint8Array ? decodeAs(carried, input.body, 'carried').frames : [];
      for (const { topic, payload } of came) {
        if (isWord(topic, 'up') && topic !== 'want') said.push(topic);
        if (topic === 'hello') frames.push({ topic: 'desired', payload: document });
        if (topic === 'want')
          for (const hash of decodeAs(want, payload, 'want').hashes)
            frames.push({ topic: 'chunk', payload: encodeAs(chunk, { v: 1, hash, bytes: held.get(hex(hash)) ?? null }, 'chunk') });
      }
      return Promise.resolve(encodeAs(carried, { v: 1, session: 's', frames }, 'carried'));
    },
  });
  const bring = (held: Map<string, Bytes>) => {
    const up = join(stick, 'lichen', 'boards', board, 'up');
    mkdirSync(up, { recursive: true });
    writeFileSync(join(up, frameName(0, 'hello')), 'hello');
    return importBoard(clientOf(held), new StickFolder(stick), board);
  };
  const without = (...hashes: string[]): Map<string, Bytes> => new Map([...whole].filter(([hash]) => !hashes.includes(hash)));

  test('counts what came, and what the gateway did not have, and brings that another time', async () => {
    const [one = '', two = ''] = release.chunks;
    const all = whole.size;
    expect(await bring(without(one, two))).toMatchObject({ leases: 1, pieces: all - 2, lacks: 2, refused: null });
    expect(await bring(without(one).set(two, utf8('something else')))).toMatchObject({ pieces: all - 2, lacks: 2 });
    expect(await bring(whole)).toMatchObject({ pieces: all, lacks: 0 });
    // What lies there already is not asked for again.
    expect(await bring(new Map())).toMatchObject({ pieces: all, lacks: 0 });
  });

  test('of a release without its manifest, or a page, counts that', async () => {
    expect(await bring(without(hex(release.release)))).toMatchObject({ pieces: 3, lacks: 1 });
    expect(await bring(without([...pages][1] ?? ''))).toMatchObject({ lacks: 1 });
  });

  test('says what the board brings, behind the hello that opens the session', async () => {
    const up = join(stick, 'lichen', 'boards', board, 'up');
    mkdirSync(up, { recursive: true });
    for (const [place, topic] of (['bring', 'hello', 'usage'] as const).entries())
      writeFileSync(join(up, frameName(place, topic)), encodeAs(usageBatch, { v: 1, records: [] }, 'usage'));
    said = [];
    expect(await importBoard(clientOf(whole), new StickFolder(stick), board)).toMatchObject({ refused: null });
    expect(said).toEqual(['hello', 'bring', 'usage', 'gone']);
  });
});
