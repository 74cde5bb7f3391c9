/**
 * The real runtime, as an image starts it, facing a gateway that lies about the software of the board itself. It has all that was
 * ever signed: older runtimes, older words of the owner, a release key that was stolen and revoked. Nothing of it is even written.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { healthOf } from '../../runtime/adapters/health.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { ErrorCode } from '../../runtime/protocol/errors.ts';
import type { OwnerId } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { fileOf, owner, publisher, type Release, releaseKey, releaseOf, secondPublisher, secondReleaseKey } from './documents.ts';
import { federate } from './gateway.ts';
import { Liar } from './liar.ts';
import { person } from './person.ts';
import { RealBoard } from './real-board.ts';

const stranger = person<OwnerId>('stranger');
const KIND = 'generic-amd64';
const folder = mkdtempSync(join(tmpdir(), 'lichen-outside-slots-'));
const slots = join(folder, 'slots.json');

/** What the start of an image finds out. Without a loader that counts, only the runtime is replaced. */
const sayRunning = (release: string): void => {
  const roots = { a: join(folder, 'a'), b: join(folder, 'b') };
  const found = { board: KIND, running: 'a', loader: 'none', damaged: false, boot: folder, roots, runtime: release, system: 'a:' };
  writeFileSync(slots, JSON.stringify(found));
};

const runtimeOf = (sequence: number, more: { text?: string; signer?: Signer } = {}): Release => {
  const content = utf8(more.text ?? `runtime ${sequence}\n`);
  const about = {
    ...{ arch: process.arch === 'arm64' ? ('arm64' as const) : ('x64' as const), args: ['/runtime'], engine: 'none' as const },
    image: { board: KIND, part: 'runtime' as const },
  };
  return releaseOf('runtime', sequence, [[fileOf('runtime', content)]], [content], about, more.signer ?? releaseKey.signer);
};

const wordOf = (version: number, more: Partial<Upkeep> = {}, signer: Signer = owner.signer): Bytes => {
  const doc: Upkeep = { v: 1, board: liar.board, owner: owner.id as OwnerId, version, publisher: publisher.doc.publisher, ...more };
  return seal(upkeepNoun, doc, signer);
};

let liar: Liar;
let board: RealBoard;
const versions = (): string => join(board.setup.data, 'runtime');

/** It takes this one, ends, and is started anew with it, which it has kept. */
const updated = async (release: Release, word: Bytes, by?: Bytes): Promise<void> => {
  liar.assignRuntime(release, word, by);
  await board.process.ended;
  const name = hex(release.hash);
  expect(readdirSync(versions())).toContain(`${name}.mjs`);
  for (const trial of ['next', 'tries']) rmSync(join(versions(), trial));
  sayRunning(name);
  board.restart();
  await liar.greeted();
};

/** Nothing is written, and the owner's other boards are told why. */
const refused = async (lie: () => void, code: ErrorCode, why: RegExp): Promise<void> => {
  const [mark, from, before] = [board.mark(), liar.reports.all.length, readdirSync(versions()).sort()];
  lie();
  await board.refused('is not taken', code, why, mark);
  await liar.reports.next(({ runtime }) => runtime?.update?.phase === 'failed' && runtime.update.detail.startsWith(code), from);
  expect(readdirSync(versions()).sort()).toEqual(before);
  expect(existsSync(join(versions(), 'next'))).toBe(false);
};

beforeAll(async () => {
  liar = await Liar.open(await federate('north'), 'north');
  liar.owner = owner.id as OwnerId;
  sayRunning('');
  board = RealBoard.start('board lied to about systems', liar.claim, { 'record-ms': 3_600_000 }, 'dev', { slots });
  await liar.greeted(0);
});
afterAll(async () => {
  await board.end();
  await liar.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what its kernel tells of the card, and its start of the system, it says by itself [health-1]', async () => {
  const expected = healthOf(board.setup.data, false).card;
  const { card } = await liar.reports.next((report) => (report.card === undefined) === (expected === null), 0);
  expect([card?.disk, card?.damaged]).toEqual([expected?.disk, expected?.damaged]);
});

test('a system whose owner did not sign that it is wanted', async () => {
  await refused(() => liar.assignRuntime(runtimeOf(2), wordOf(1, {}, stranger.signer)), 'wrong-signer', /./);
  const theirs = wordOf(1, { owner: stranger.id }, stranger.signer);
  await refused(() => liar.assignRuntime(runtimeOf(2), theirs), 'wrong-signer', /owner .* did not sign it/);
  await refused(() => liar.assignRuntime(runtimeOf(2), wordOf(1, { board: stranger.id as never })), 'wrong-signer', /it is about board/);
});

test('an older system than the one that was kept, or another of the same sequence', async () => {
  await updated(runtimeOf(2), wordOf(3));
  await refused(() => liar.assignRuntime(runtimeOf(1), wordOf(3)), 'stale', /sequence 2 of its publisher was kept, this is 1/);
  const twin = runtimeOf(2, { text: 'another of the same number\n' });
  await refused(() => liar.assignRuntime(twin, wordOf(3)), 'stale', /another system with sequence 2/);
});

test('a newer system by an older word of the owner', async () => {
  await refused(() => liar.assignRuntime(runtimeOf(3), wordOf(2)), 'wrong-signer', /version 3 was obeyed, this is 2/);
});

test('a system by a revoked key, with the version of its publisher from before', async () => {
  await updated(runtimeOf(4, { signer: secondReleaseKey.signer }), wordOf(4), secondPublisher.document);
  await refused(() => liar.assignRuntime(runtimeOf(5), wordOf(4)), 'revoked-key', /./);
  // What is good is taken as before.
  await updated(runtimeOf(6, { signer: secondReleaseKey.signer }), wordOf(4), secondPublisher.document);
});
