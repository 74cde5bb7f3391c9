/** Which system a gateway gives which board, and that no tenant is given one. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { Part } from '../../../runtime/protocol/image.ts';
import { seal, unseal } from '../../../runtime/protocol/noun.ts';
import { reportNoun, systemOutcomeNoun } from '../../../runtime/protocol/nouns/board.ts';
import { type Desired, desiredNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { BOARD } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, request, signedRequest, signedVoucher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { OFFER, PaperBoard } from '../../support/paper-board.ts';
import { nextPublisher, publisherDoc, signedPublisher } from '../../support/small-release.ts';
import { hexOf, runtimeRelease, type System, system, upkeep } from '../../support/system.ts';

const doc = publisherDoc();
const word = (changes: Parameters<typeof upkeep>[0] = {}, by = 'owner') => seal(upkeepNoun, upkeep(changes), keyOf(by));

const opened = (): { node: Node; board: PaperBoard; world: GatewayWorld } => {
  const world = new GatewayWorld(['gateway a']);
  const node = world.node(0).admit('tenant', 'tenant');
  const board = new PaperBoard('board 1');
  board.offer = { ...OFFER, image: { board: 'generic-amd64', parts: ['system'] } };
  board.pair(node);
  node.accept(signedPublisher(doc));
  board.connect(node);
  return { node, board, world };
};

const give = (node: Node, ...systems: System[]): void => {
  for (const { document, content } of systems) node.accept(document, ...content.values());
};

const desiredOf = ({ heard }: PaperBoard): Desired | null => {
  const last = heard.filter(({ topic }) => topic === 'desired').at(-1);
  return last === undefined ? null : unseal(testCrypto, desiredNoun, last.payload).value;
};
const assigned = (board: PaperBoard): Desired['image'] => desiredOf(board)?.image;
const given = (board: PaperBoard): string => hex(assigned(board)?.release ?? new Uint8Array());

describe('a board', () => {
  test('is given the newest system of the publisher that its owner names, and hears of it at once [updates-3]', () => {
    const { node, board, world } = opened();
    give(node, system(2));
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
    node.accept(word());
    world.pass(2000);
    expect(assigned(board)).toEqual({
      release: system(2).release,
      publisher: hashOf(publisherNoun, doc),
      upkeep: hashOf(upkeepNoun, upkeep()),
    });
    give(node, system(3));
    world.pass(2000);
    expect(given(board)).toBe(hexOf(system(3)));
    expect(node.json('boards')).toMatchObject([{ upkeep: { version: 1, release: null } }]);
  });

  test('is given the one that its owner names, and none when the owner says so', () => {
    const { node, board, world } = opened();
    give(node, system(2), system(3));
    node.accept(word({ release: system(2).release }));
    world.pass(2000);
    expect(given(board)).toBe(hexOf(system(2)));
    node.accept(word({ version: 2, publisher: null }));
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
  });

  test("is told its owner's word where that says more, and at once [delivery-13]", () => {
    const { node, board, world } = opened();
    const told = (): Desired['upkeep'] =>
      unseal(testCrypto, desiredNoun, board.heard.filter(({ topic }) => topic === 'desired').at(-1)!.payload).value.upkeep;
    node.accept(word());
    world.pass(2000);
    expect(told()).toBeUndefined();
    const no = { version: 2, publisher: null, neighbours: false };
    node.accept(word(no));
    world.pass(2000);
    expect(told()).toEqual(hashOf(upkeepNoun, upkeep(no)));
    expect(node.json('boards')).toMatchObject([{ upkeep: { version: 2, publisher: null, neighbours: false } }]);
  });

  test('is not given one that is not all here, is for others, or whose key was taken back', () => {
    const { node, board, world } = opened();
    node.accept(word());
    const part = system(2);
    node.accept(part.document, ...[...part.content.values()].slice(0, -1));
    give(node, system(9, { image: { board: 'pi' }, recipe: 'image-pi' }));
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
    give(node, part);
    world.pass(2000);
    expect(given(board)).toBe(hexOf(part));
    const [key] = doc.keys;
    node.accept(signedPublisher(nextPublisher(doc, { keys: [keyOf('another key').publicKey], revoked: [key!] })));
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
  });

  test('is not given one whose key its publisher lists no more', () => {
    const { node, board, world } = opened();
    node.accept(word());
    give(node, system(2));
    world.pass(2000);
    expect(given(board)).toBe(hexOf(system(2)));
    node.accept(signedPublisher(nextPublisher(doc, { keys: [keyOf('another key').publicKey] })));
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
  });

  test('that does not say that its system can be replaced is given none', () => {
    const { node, board, world } = opened();
    board.offer = OFFER;
    board.connect(node);
    give(node, system(2));
    node.accept(word());
    world.pass(2000);
    expect(assigned(board)).toBeUndefined();
  });

  test('says what became of it, and whoever asks is told [updates-10]', () => {
    const { node, board } = opened();
    const release = system(2).release;
    const said = { slot: 'b', release, update: { release, phase: 'kept' as const, detail: '' } };
    board.say('report', seal(reportNoun, { v: 1, board: BOARD, bootId: 'boot', monoMs: 1, instances: [], system: said }, keyOf('board 1')));
    expect(node.json('boards')).toMatchObject([
      { system: { slot: 'b', release: hex(release), update: { release: hex(release), phase: 'kept' } } },
    ]);
  });
});

describe('boards of one owner, one wave after the other', () => {
  const fleet = (...waves: number[]) => {
    const world = new GatewayWorld(['gateway a']);
    const node = world.node(0);
    node.accept(signedPublisher(doc));
    const boards = waves.map((_, at) => {
      const board = new PaperBoard(`board ${at + 1}`);
      board.offer = { ...OFFER, image: { board: 'generic-amd64', parts: ['system', 'runtime'] } };
      board.pair(node);
      board.connect(node);
      return board;
    });
    const order = (at: number, wave: number, version = 1, tolerated = 0): Node =>
      node.accept(word({ board: boards[at]!.id, version, rollout: { wave, tolerated, bakeMs: 60_000 } }));
    waves.forEach((wave, at) => {
      order(at, wave);
    });
    /** Each as far as it got, by the sequence of what it is given. */
    const has = (...sequences: number[]): string[] => {
      world.pass(2000);
      return boards.map((board) => sequences.map(String).find((sequence) => given(board) === hexOf(system(Number(sequence)))) ?? '-');
    };
    /** Of a system by its sequence, or of what is given. */
    const tells = (at: number, of: number | System, result: 'passed' | 'failed', upkeepVersion = 1, part: Part = 'system'): void => {
      const board = boards[at]!;
      const { release } = typeof of === 'number' ? system(of) : of;
      const said = { v: 1 as const, board: board.id, part, release, upkeep: upkeepVersion, result };
      const outcome = seal(systemOutcomeNoun, { ...said, why: result === 'failed' ? 'it did not come home' : '' }, board.signer);
      const row = { [part]: { slot: 'b', release: null, update: null, outcome } };
      board.say('report', seal(reportNoun, { v: 1, board: board.id, bootId: 'boot', monoMs: 1, instances: [], ...row }, board.signer));
    };
    return { world, node, boards, order, has, tells };
  };

  test('are given it in the same order when the gateway of the first is gone', () => {
    const world = new GatewayWorld().linkAll();
    const [first, second] = [world.node(0), world.node(1)];
    first.accept(signedPublisher(doc));
    const boards = [first, second].map((node, at) => {
      const board = new PaperBoard(`board ${at + 1}`);
      board.offer = { ...OFFER, image: { board: 'generic-amd64', parts: ['system'] } };
      board.pair(node);
      board.connect(node);
      node.accept(word({ board: board.id, rollout: { wave: at + 1, tolerated: 0, bakeMs: 0 } }));
      return board;
    });
    give(first, system(2));
    world.pass(20_000);
    expect(boards.map(given)).toEqual([hexOf(system(2)), '']);
    const [one] = boards as [PaperBoard];
    const said = {
      v: 1 as const,
      board: one.id,
      part: 'system' as const,
      release: system(2).release,
      upkeep: 1,
      result: 'passed' as const,
    };
    const outcome = seal(systemOutcomeNoun, { ...said, why: '' }, one.signer);
    const part = { slot: 'b', release: system(2).release, update: null, outcome };
    one.say('report', seal(reportNoun, { v: 1, board: one.id, bootId: 'boot', monoMs: 1, instances: [], system: part }, one.signer));
    world.pass(20_000);
    first.stop();
    second.stop();
    second.start();
    boards[1]!.connect(second);
    world.pass(20_000);
    expect(given(boards[1]!)).toBe(hexOf(system(2)));
  });

  test('are given a system when all of the waves before did well with it [updates-13]', () => {
    const { node, boards, has, tells } = fleet(1, 2, 2, 3);
    give(node, system(2));
    expect(has(2)).toEqual(['2', '-', '-', '-']);
    tells(0, 2, 'passed');
    expect(has(2)).toEqual(['2', '2', '2', '-']);
    tells(1, 2, 'passed');
    expect(has(2)).toEqual(['2', '2', '2', '-']);
    tells(2, 2, 'passed');
    expect(has(2)).toEqual(['2', '2', '2', '2']);
    expect(rowOf(node, boards[3]!)).toMatchObject({ system: null });
    tells(3, 2, 'passed');
    expect(rowOf(node, boards[3]!)).toMatchObject({ system: { fleet: { state: 'done', wave: 3, open: 3, of: 3, why: '' } } });
  });

  test('are given a runtime alone by the same waves, and no system', () => {
    const { world, node, boards, order, tells } = fleet(1, 2);
    const [first, second] = boards as [PaperBoard, PaperBoard];
    const runtimes = (): string[] => {
      world.pass(2000);
      return boards.map((board) => hex(desiredOf(board)?.runtime?.release ?? new Uint8Array()));
    };
    const [two, three] = [runtimeRelease(2), runtimeRelease(3)];
    give(node, two);
    expect(runtimes()).toEqual([hexOf(two), '']);
    expect(boards.map(given)).toEqual(['', '']);
    tells(0, two, 'passed', 1, 'runtime');
    expect(runtimes()).toEqual([hexOf(two), hexOf(two)]);
    tells(1, two, 'passed', 1, 'runtime');
    give(node, three);
    expect(runtimes()).toEqual([hexOf(three), hexOf(two)]);
    tells(0, three, 'failed', 1, 'runtime');
    expect(runtimes()).toEqual([hexOf(two), hexOf(two)]);
    const why = `board ${first.id}: it did not come home`;
    expect(rowOf(node, second)).toMatchObject({ system: null, runtime: { fleet: { state: 'halted', wave: 2, of: 2, why } } });
    order(0, 1, 2);
    expect(runtimes()).toEqual([hexOf(three), hexOf(two)]);
  });

  test('are given no more of it when it fails on one; where it did well it stays, and the next one begins anew', () => {
    const { node, boards, has, tells } = fleet(1, 1, 2);
    give(node, system(2), system(3));
    tells(0, 2, 'passed');
    tells(1, 2, 'passed');
    tells(0, 3, 'passed');
    expect(has(2, 3)).toEqual(['3', '3', '2']);
    tells(1, 3, 'failed');
    expect(has(2, 3)).toEqual(['3', '2', '2']);
    expect(rowOf(node, boards[2]!)).toMatchObject({ upkeep: { rollout: { wave: 2 } } });
    const why = `board ${boards[1]!.id}: it did not come home`;
    expect(rowOf(node, boards[0]!)).toMatchObject({ system: { fleet: { state: 'halted', wave: 1, of: 2, trial: 'passed', why } } });
    give(node, system(4));
    expect(has(2, 3, 4)).toEqual(['4', '4', '2']);
  });

  test('are not waited for once their owner takes them out, or their key is gone', () => {
    const { node, order, boards, has, tells } = fleet(1, 1, 2);
    give(node, system(2));
    tells(1, 2, 'passed');
    expect(has(2)).toEqual(['2', '2', '-']);
    order(0, 9, 2);
    expect(has(2)).toEqual(['-', '2', '2']);
    tells(2, 2, 'passed');
    expect(has(2)).toEqual(['2', '2', '2']);
    node.accept(word({ board: boards[0]!.id, version: 3 }));
    expect(has(2)).toEqual(['2', '2', '2']);
  });

  test('are tried again by a newer word of their owner, who may tolerate some', () => {
    const { node, order, has, tells } = fleet(1, 1, 2);
    give(node, system(2));
    tells(0, 2, 'failed');
    expect(has(2)).toEqual(['-', '-', '-']);
    order(0, 1, 2);
    expect(has(2)).toEqual(['2', '2', '-']);
    order(0, 1, 3, 1);
    order(1, 1, 2, 1);
    order(2, 2, 2, 1);
    tells(0, 2, 'failed', 3);
    expect(has(2)).toEqual(['-', '2', '-']);
    tells(1, 2, 'passed', 2);
    expect(has(2)).toEqual(['-', '2', '2']);
  });

  test('of another owner have no part in it, nor has one whose word is without a wave', () => {
    const { node, boards, has } = fleet(1, 2, 2);
    give(node, system(2));
    node.accept(word({ board: boards[2]!.id, version: 2 }));
    expect(has(2)).toEqual(['2', '-', '2']);
  });

  test("are not believed what they say of another one's system", () => {
    const { node, boards, has } = fleet(1, 2);
    give(node, system(2));
    const [first, second] = boards as [PaperBoard, PaperBoard];
    const said = {
      v: 1 as const,
      board: first.id,
      part: 'system' as const,
      release: system(2).release,
      upkeep: 1,
      result: 'passed' as const,
      why: '',
    };
    const outcome = seal(systemOutcomeNoun, said, second.signer);
    for (const by of [first, second]) {
      const part = { slot: 'b', release: null, update: null, outcome };
      by.say('report', seal(reportNoun, { v: 1, board: by.id, bootId: 'boot', monoMs: 1, instances: [], system: part }, by.signer));
    }
    expect(has(2)).toEqual(['2', '-']);
  });
});

const rowOf = (node: Node, { id }: PaperBoard): unknown => {
  const rows: unknown = node.json('boards');
  return Array.isArray(rows) ? rows.find((row) => row.board === id) : null;
};

describe("an owner's word on a system", () => {
  const refused = (document: Uint8Array, code: string): void => {
    const { node } = opened();
    give(node, system(2));
    node.accept(word({ version: 2 }));
    expect(node.push(document)).toMatchObject({ ok: false, code });
  };

  test('is refused from anybody else', () => refused(word({ version: 3 }, 'stranger'), 'wrong-signer'));
  test('is refused when it is older than the one that is known', () => refused(word({ version: 1 }), 'stale'));
  test('is refused when it names what is no system here', () =>
    refused(word({ version: 3, release: testCrypto.sha256(new Uint8Array(1)) }), 'not-found'));
});

test('a request for a system is refused [updates-1]', () => {
  const { node } = opened();
  give(node, system(2));
  node.accept(signedVoucher().body);
  expect(node.push(signedRequest({ ...request(), release: system(2).release, parameters: {} }).body)).toMatchObject({
    ok: false,
    code: 'bad-release',
  });
});
