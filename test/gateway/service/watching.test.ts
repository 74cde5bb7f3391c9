/** Logs: a gateway passes questions and answers on, to those whom they concern, and keeps nothing. */
import { expect, test } from 'vitest';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import type { TenantId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { type LogFrame, logFrame, type Watch, watchNoun } from '../../../runtime/protocol/nouns/watch.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf, request } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import type { Node } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';

const BOX = new Uint8Array(60).fill(1);

class Viewer {
  readonly heard: LogFrame[] = [];
  readonly #node: Node;
  readonly #session: string;
  readonly #who: string;

  constructor(node: Node, who = 'tenant') {
    this.#node = node;
    this.#who = who;
    const hear = (_topic: string, payload: Bytes): void => void this.heard.push(decodeAs(logFrame, payload, 'lines'));
    this.#session = node.session({ hear, dropped: () => {} });
    node.submit({ kind: 'connected', session: this.#session, party: 'tenant', id: idOf(who), key: keyOf(who).publicKey });
  }

  ask(changes: Partial<Watch> = {}, by = this.#who): Bytes {
    const value: Watch = {
      ...{ v: 1, tenant: idOf<TenantId>(this.#who), name: request().name, index: 0, lease: null, from: null },
      ...{ tailBytes: 0, waitMs: 0, to: new Uint8Array(32).fill(9), ...changes },
    };
    const question = seal(watchNoun, value, keyOf(by));
    this.#node.message(this.#session, 'tenant', idOf(this.#who), 'watch', question);
    return question;
  }

  leave(): void {
    this.#node.submit({ kind: 'disconnected', session: this.#session, party: 'tenant', id: idOf(this.#who) });
  }

  get last(): string {
    const frame = this.heard.at(-1);
    return frame === undefined ? 'nothing' : (frame.refusal?.code ?? 'box');
  }
}

const tails = (board: PaperBoard): Bytes[] => board.heard.flatMap(({ topic, payload }) => (topic === 'tail' ? [payload] : []));
const answer = (board: PaperBoard, question: Bytes): void =>
  board.say('log', encodeAs(logFrame, { v: 1, of: testCrypto.sha256(question), refusal: null, box: BOX }, 'log'));

const watching = () => {
  const { world, boards } = cast({ boards: ['board 1', 'board 2'], request: { replicas: 1 } });
  const board = boards.find((one) => one.leases.length > 0)!;
  const other = boards.find((one) => one !== board)!;
  return { world, board, other, node: world.node(0), viewer: new Viewer(world.node(0)) };
};

test('a question goes to the board of the instance as it is, and the answer to who asked, once [logs-2]', () => {
  const { board, viewer } = watching();
  const question = viewer.ask();
  expect(tails(board).map(hex)).toEqual([hex(question)]);
  answer(board, question);
  expect(viewer.heard).toHaveLength(1);
  expect(hex(viewer.heard[0]?.box ?? new Uint8Array())).toBe(hex(BOX));
  answer(board, question);
  expect(viewer.heard).toHaveLength(1);
});

test('another board has no say in it', () => {
  const { board, other, viewer } = watching();
  const question = viewer.ask();
  answer(other, question);
  expect(viewer.heard).toEqual([]);
  answer(board, question);
  expect(viewer.last).toBe('box');
});

test('who is not the tenant is refused here already, hears why, and keeps its session', () => {
  const { board, node, viewer } = watching();
  viewer.ask({}, 'second tenant');
  expect(viewer.last).toBe('wrong-signer');
  node.admit('tenant', 'second tenant');
  const stranger = new Viewer(node, 'second tenant');
  stranger.ask({ tenant: idOf<TenantId>('tenant') });
  expect(stranger.last).toBe('wrong-signer');
  stranger.ask();
  expect(stranger.last).toBe('not-found');
  viewer.ask({ index: 5 });
  expect(viewer.last).toBe('not-found');
  expect(tails(board)).toEqual([]);
  expect(node.unsettled).toEqual([]);
});

test('a board that is away, or goes away meanwhile, or says nothing, is told as that', () => {
  const { board, node, viewer, world } = watching();
  viewer.ask();
  board.disconnect();
  expect([viewer.last, viewer.heard.length]).toEqual(['unavailable', 1]);
  viewer.ask();
  expect(viewer.heard).toHaveLength(2);
  expect(viewer.heard[1]?.refusal?.why).toContain('is away');
  board.connect(node);
  world.pass(500);
  viewer.ask({ from: 1 });
  world.pass(LIMITS.watchWaitMs + 20_000);
  expect(viewer.heard.at(-1)?.refusal?.why).toContain('did not answer in time');
});

test('at another gateway it is said where to ask', () => {
  const { world } = watching();
  world.pass(1000);
  const viewer = new Viewer(world.node(1));
  viewer.ask();
  expect(viewer.heard[0]?.refusal?.why).toMatch(/at home at gateway gateway-a \(.*, key [0-9a-f]{64}\): ask there/);
});

test('so many questions of one session wait, and no more', () => {
  const { board, node, viewer } = watching();
  const questions = Array.from({ length: LIMITS.watchesPerSession }, (_, from) => viewer.ask({ from }));
  expect(viewer.heard).toEqual([]);
  viewer.ask({ from: 99 });
  expect(viewer.last).toBe('too-many');
  const second = new Viewer(node);
  second.ask({ from: 100 });
  expect(second.heard).toEqual([]);
  answer(board, questions[0]!);
  viewer.ask({ from: 101 });
  expect(viewer.last).toBe('box');
  // Who leaves makes room.
  viewer.leave();
  answer(board, questions[1]!);
  expect(viewer.heard).toHaveLength(2);
});
