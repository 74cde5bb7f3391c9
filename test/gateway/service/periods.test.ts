/** Statements are carried on from close to close, and are the same as if they were folded from the logs each time. */
import { describe, expect, test } from 'vitest';
import { statementBytes } from '../../../gateway/service/periods.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { cast } from '../../support/gateway-cast.ts';
import type { Node } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';
import { copyOf, serviceOf } from './full-look.ts';

const running = () => {
  const { world, boards } = cast({ boards: ['board 1', 'board 2'], at: [0, 1], request: { replicas: 2 } });
  for (const board of boards) board.use(board.leases[0]!, { kind: 'open' });
  world.pass(1000);
  return { world, boards, nodes: world.nodes as [Node, Node, Node] };
};
const use = (boards: PaperBoard[]): void => boards.forEach((board) => board.use(board.leases[0]!));
const stated = (node: Node, period: number): string => hex(node.bytes('statement', { period: String(period) }));
/** As by a process that has just begun. */
const folded = (node: Node, period: number): string => {
  node.stop();
  node.start();
  return stated(node, period);
};

describe('a statement', () => {
  test('is the same whether the ones before it were asked for or not, in any order', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    for (let period = 1; period <= 4; period++) {
      use(boards);
      world.pass(1000);
      nodes[period % 3]!.json('close');
      world.pass(1000);
      expect(stated(a, period)).toBe(stated(a, period));
    }
    const carried = [4, 2, 3, 1, 4].map((period) => stated(a, period));
    expect(new Set(carried).size).toBe(4);
    expect(carried).toEqual([4, 2, 3, 1, 4].map((period) => folded(b, period)));
  });

  test('is made anew when a fuller close has come in the place of the one it was made of', () => {
    const { world, boards, nodes } = running();
    const [a, b, c] = nodes;
    world.isolate(a);
    use(boards);
    a.json('close');
    const before = stated(a, 1);
    use(boards);
    world.link(b, c);
    world.pass(1000);
    b.json('close');
    world.heal();
    const after = [a, b, c].map((node) => stated(node, 1));
    expect(new Set(after).size).toBe(1);
    expect(after[0]).not.toBe(before);
    use(boards);
    world.pass(1000);
    c.json('close');
    world.pass(1000);
    expect(stated(a, 2)).toBe(folded(b, 2));
  });

  test('is not asked for in vain while a peer lags behind', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    a.json('close');
    world.pass(1000);
    expect(stated(b, 1)).toBe(stated(a, 1));
    use(boards);
    world.cut(b, nodes[2]);
    const { carry } = world;
    // The close comes by the one that wrote it, what it counts of the other not yet.
    world.carry = (from, session, frame) => {
      if (frame.kind !== 'entries' || frame.author !== nodes[2].id || from !== a) carry.call(world, from, session, frame);
    };
    nodes[2].admit('tenant', 'tenant 2');
    world.pass(1000);
    a.json('close');
    world.pass(1000);
    expect(b.call('statement', { params: { period: '2' } })).toMatchObject({ code: 'missing-content' });
    world.carry = carry;
    world.heal();
    expect(stated(b, 2)).toBe(stated(a, 2));
  });

  test('of a turn that is thrown away and decided anew is the same', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    a.json('close');
    stated(a, 1);
    use(boards);
    world.pass(1000);
    a.json('close');
    world.pass(1000);
    const decide = (): string => a.inside((work) => hex(statementBytes(copyOf(work), serviceOf(a), 2)));
    const [once, again] = [decide(), decide()];
    expect(again).toBe(once);
    expect(stated(a, 2)).toBe(once);
    expect(stated(b, 2)).toBe(once);
  });

  test('is the same when nobody asked for so long that the ledger was put away', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    const isHeld = (): boolean => a.inside((work) => work.recall('ledger', 'ledger') !== undefined);
    a.json('close');
    stated(a, 1);
    expect(isHeld()).toBe(true);
    use(boards);
    a.json('close');
    world.pass(150_000);
    expect(isHeld()).toBe(false);
    expect(stated(a, 2)).toBe(stated(b, 2));
  });
});
