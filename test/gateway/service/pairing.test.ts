import { describe, expect, test } from 'vitest';
import { claims } from '../../../gateway/core/tables.ts';
import { admitSession } from '../../../gateway/service/gatekeeper.ts';
import type { OwnerId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import { operatorNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, OPERATOR, OWNER, operatorDoc, secondOperator, signedOperator } from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';

const refusal = (code: string) => expect.objectContaining({ code });
const fresh = (): { world: GatewayWorld; node: Node; board: PaperBoard } => {
  const world = new GatewayWorld();
  return { world, node: world.node(0), board: new PaperBoard('board 1') };
};
const boardsOf = (node: Node): { board: string; owner: string }[] => node.json('boards') as { board: string; owner: string }[];

describe('a claim', () => {
  test('pairs the board that shows it, for the owner it was made for', () => {
    const { node, board } = fresh();
    expect(board.pair(node)).toMatchObject({ gateway: node.id, operators: [[signedOperator().body]] });
    expect(boardsOf(node)).toMatchObject([{ board: board.id, owner: OWNER }]);
  });

  test('that this gateway never made is unknown', () => {
    const { world, node, board } = fresh();
    expect(board.pair(node, new Uint8Array(32))).toEqual(refusal('claim-unknown'));
    expect(board.pair(node, world.node(1).claim())).toEqual(refusal('claim-unknown'));
    expect(boardsOf(node)).toEqual([]);
  });

  test('that another board has used is used', () => {
    const { node, board } = fresh();
    const token = node.claim();
    board.pair(node, token);
    expect(new PaperBoard('board 2').pair(node, token)).toEqual(refusal('claim-used'));
    expect(boardsOf(node)).toHaveLength(1);
  });

  test('shown again by the same board is answered again, for ever, and logged once', () => {
    const { world, node, board } = fresh();
    const token = node.claim();
    board.pair(node, token);
    const { length } = node.log();
    expect(board.pair(node, token)).toMatchObject({ gateway: node.id });
    world.clock.sleep(LIMITS.claimMs + 1000);
    expect(board.pair(node, token)).toMatchObject({ gateway: node.id });
    expect(node.log()).toHaveLength(length);
  });

  test('that nobody used for a day has expired', () => {
    const { world, node, board } = fresh();
    const token = node.claim();
    world.clock.sleep(LIMITS.claimMs - 1000);
    const late = node.claim();
    world.clock.sleep(2000);
    expect(board.pair(node, token)).toEqual(refusal('claim-unknown'));
    expect(board.pair(node, late)).toMatchObject({ gateway: node.id });
  });

  test('of another owner changes nothing of a board that is paired', () => {
    const { node, board } = fresh();
    board.pair(node);
    const token = node.claim(idOf<OwnerId>('thief'));
    expect(board.pair(node, token)).toMatchObject({ code: 'conflict', message: expect.stringMatching(`paired for owner ${OWNER}`) });
    expect(boardsOf(node)).toMatchObject([{ owner: OWNER }]);
    // It is as good as before for whom it was made.
    expect(new PaperBoard('board 2').pair(node, token)).toMatchObject({ owner: idOf('thief') });
  });

  test('that nobody used in time is forgotten', () => {
    const { world, node } = fresh();
    node.claim();
    world.clock.sleep(LIMITS.claimMs + 1000);
    node.claim();
    expect(node.read((rows) => claims.all(rows))).toHaveLength(1);
  });

  test('shows hundreds of versions, and no more than a board takes in', () => {
    const { node, board } = fresh();
    let before = operatorDoc();
    const revise = (name: string): void => {
      before = { ...before, name, version: before.version + 1, previous: hashOf(operatorNoun, before) };
      expect(node.push(sealMany(operatorNoun, before, ['root 1', 'root 2', 'root 3'].map(keyOf)))).toMatchObject({ ok: true });
    };
    while (before.version < 200) revise(`version ${before.version}`);
    expect(board.pair(node)).toMatchObject({ operators: [{ length: 200 }] });
    while (before.version < 700) revise('x'.repeat(200));
    expect(new PaperBoard('board 2').pair(node)).toEqual(refusal('too-large'));
  });

  test('shows every version of the operators, oldest first', () => {
    const { node, board } = fresh();
    const second = secondOperator({ name: 'later' });
    expect(node.push(second.body)).toMatchObject({ ok: true });
    expect(board.pair(node)).toMatchObject({ operators: [[signedOperator().body, second.body]] });
  });
});

describe('a pairing', () => {
  test('that the key of the connection did not sign is refused', () => {
    const { node, board } = fresh();
    const token = node.claim();
    expect(node.pair(board.pairingOf(token, { signer: keyOf('thief') }))).toEqual(refusal('wrong-signer'));
    expect(node.pair({ ...board.pairingOf(token), key: keyOf('thief').publicKey })).toEqual(refusal('wrong-signer'));
    expect(board.pair(node, token)).toMatchObject({ gateway: node.id });
  });

  test('in the name of another board is refused', () => {
    const { node, board } = fresh();
    const { id } = new PaperBoard('board 2');
    expect(node.pair(board.pairingOf(node.claim(), { board: id }))).toEqual(refusal('wrong-signer'));
  });

  test('by a key that the operator has revoked is refused, and the claim stays unused', () => {
    const { node, board } = fresh();
    const token = node.claim();
    node.push(secondOperator({ revoked: [keyOf('board 1').publicKey] }).body);
    expect(board.pair(node, token)).toEqual(refusal('revoked-key'));
    expect(new PaperBoard('board 2').pair(node, token)).toMatchObject({ gateway: node.id });
  });
});

describe('who may open a session', () => {
  const context = (node: Node) => ({ crypto: testCrypto, signer: keyOf(node.name), me: node.id, operator: OPERATOR, silenceMs: 1 });
  const admitted = (node: Node, party: 'board' | 'tenant' | 'gateway', id: string | null, key: string) =>
    node.read((work) => admitSession(work, context(node), party, id, keyOf(key).publicKey));

  test('are boards that are paired, by their present key', () => {
    const { node, board } = fresh();
    expect(admitted(node, 'board', board.id, 'board 1')).toEqual(refusal('not-paired'));
    board.pair(node);
    expect(admitted(node, 'board', board.id, 'board 1')).toEqual({ id: board.id });
    expect(admitted(node, 'board', board.id, 'board 2')).toEqual(refusal('wrong-signer'));
    expect(admitted(node, 'board', null, 'board 1')).toEqual(refusal('not-paired'));
  });

  test('are tenants that were admitted', () => {
    const { node } = fresh();
    expect(admitted(node, 'tenant', null, 'tenant')).toEqual(refusal('unknown-key'));
    node.admit('tenant', 'tenant');
    expect(admitted(node, 'tenant', null, 'tenant')).toEqual({ id: idOf('tenant') });
    expect(admitted(node, 'tenant', null, 'owner')).toEqual(refusal('unknown-key'));
  });

  test('are gateways that are listed, and neither retired nor revoked', () => {
    const { world, node } = fresh();
    const [, b, c] = world.nodes as [Node, Node, Node];
    expect(admitted(node, 'gateway', null, 'gateway b')).toEqual({ id: b.id });
    expect(admitted(node, 'gateway', null, 'gateway d')).toEqual(refusal('unknown-key'));
    node.push(secondOperator({ revoked: [keyOf('gateway b').publicKey], retired: [c.id] }).body);
    expect(admitted(node, 'gateway', null, 'gateway b')).toEqual(refusal('revoked-key'));
    expect(admitted(node, 'gateway', null, 'gateway c')).toEqual(refusal('unknown-key'));
  });

  test('is nobody with a revoked key', () => {
    const { node, board } = fresh();
    node.admit('tenant', 'tenant');
    board.pair(node);
    node.push(secondOperator({ revoked: ['board 1', 'tenant'].map((name) => keyOf(name).publicKey) }).body);
    expect(admitted(node, 'board', board.id, 'board 1')).toEqual(refusal('revoked-key'));
    expect(admitted(node, 'tenant', null, 'tenant')).toEqual(refusal('revoked-key'));
  });
});
