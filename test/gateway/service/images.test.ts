/** Which system a gateway gives which board, and that no tenant is given one. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { seal, unseal } from '../../../runtime/protocol/noun.ts';
import { reportNoun } from '../../../runtime/protocol/nouns/board.ts';
import { type Desired, desiredNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { BOARD } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, request, signedRequest, signedVoucher } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { OFFER, PaperBoard } from '../../support/paper-board.ts';
import { nextPublisher, publisherDoc, signedPublisher } from '../../support/small-release.ts';
import { hexOf, type System, system, upkeep } from '../../support/system.ts';

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

const assigned = ({ heard }: PaperBoard): Desired['image'] => {
  const last = heard.filter(({ topic }) => topic === 'desired').at(-1);
  return last === undefined ? undefined : unseal(testCrypto, desiredNoun, last.payload).value.image;
};
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
