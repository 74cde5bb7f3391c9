/**
 * The real runtime between two gateways, one of which gives something else for a piece however often it is asked: a mirror that lies. The
 * piece alone is refused, nothing of it is planted, the board goes to the other one for it and says there who lied.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { concat, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { fileOf, LASTING, releaseOf } from './documents.ts';
import { federate } from './gateway.ts';
import { Liar } from './liar.ts';
import { RealBoard } from './real-board.ts';

const CHUNKS = 6;
const chunks = Array.from({ length: CHUNKS }, (_, at) => utf8(`mirrored ${at} `.repeat(400)));
const file = fileOf('label', concat(...chunks), { chunks: chunks.map((chunk) => [nodeCrypto.sha256(chunk), chunk.length]) });
const release = releaseOf('mirrored', 1, [[file]], chunks, LASTING);
const keys = chunks.map((chunk) => hex(nodeCrypto.sha256(chunk)));
const about = keys[2]!;
const FALSE = utf8('something else');

let board: RealBoard;
/** Where the board came first. */
let mirror: Liar;
let other: Liar;

beforeAll(async () => {
  const federation = await federate('north', 'south');
  const gateways = await Promise.all([Liar.open(federation, 'north'), Liar.open(federation, 'south')]);
  board = RealBoard.start('board between two', gateways[0].claim, { 'record-ms': 3_600_000 });
  // Which of both is its home follows from its id.
  await Promise.race(gateways.map((gateway) => gateway.greeted(0)));
  const first = gateways.findIndex(({ hello }) => hello !== null);
  [mirror, other] = first === 0 ? gateways : [gateways[1], gateways[0]];
});
afterAll(async () => {
  await board.end();
  await Promise.all([mirror.close(), other.close()]);
});

const asked = (gateway: Liar): string[] => gateway.wanted.filter((key) => keys.includes(key));

test('a mirror that gives something else again is left for the other, which is told who it was, and asked only for that piece', async () => {
  mirror.gives = (key) => (key === about ? FALSE : undefined);
  const honest = mirror.honest('mirrored', release);
  for (const [key, body] of mirror.store) other.store.set(key, body);
  const mark = board.mark();
  mirror.assign([honest]);
  await board.refused('chunk refused', 'bad-signature', /from gateway/, mark);
  await other.greeted(0);
  expect(board.planted()).toEqual([]);
  expect(board.partitions()).toEqual([]);
  other.tenure = mirror.tenure + 1;
  other.assign([honest]);
  const { liars } = await other.reported(honest.lease, ({ state }) => state === 'running');
  expect(board.planted()).toEqual([hex(release.hash)]);
  expect(liars?.map((liar) => ({ ...liar, about: hex(liar.about) }))).toEqual([{ gateway: mirror.entry.gateway, about, times: 1 }]);
  // Each piece once, but for the one that did not come: twice of the mirror, and of the other that alone.
  expect(asked(mirror).toSorted()).toEqual([...keys, about].toSorted());
  expect(asked(other)).toEqual([about]);
});

test('and is remembered by a runtime that begins anew, which says so again to whoever it meets', async () => {
  await board.process.kill('SIGKILL');
  const later = [mirror, other].map(({ reports }) => reports.next(({ liars }) => liars !== undefined, reports.all.length));
  board.restart();
  const { liars } = await Promise.race(later);
  expect(liars?.map(({ gateway, times }) => ({ gateway, times }))).toEqual([{ gateway: mirror.entry.gateway, times: 1 }]);
});
