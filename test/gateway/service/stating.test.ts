/** Statements are carried on from close to close, and are the same as if they were folded from the logs each time. */
import { describe, expect, test } from 'vitest';
import { PATIENCE_MS, stateOn } from '../../../gateway/service/stating.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { refuse } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
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

describe('a close', () => {
  test('is none of a gateway whose clock is behind the last one [metering-14]', () => {
    const { world, nodes } = running();
    const [a, b] = nodes;
    a.json('close');
    world.pass(1000);
    b.clockErrorMs = -3000;
    expect(b.call('close')).toMatchObject({
      code: 'stale',
      message: expect.stringMatching(/closed 2000 ms later than this gateway's clock/),
    });
    b.clockErrorMs = 0;
    expect(b.json('close')).toMatchObject({ period: 2 });
  });
});

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

  test('of turns that are thrown away and decided anew is the same', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    a.json('close');
    stated(a, 1);
    use(boards);
    world.pass(1000);
    a.json('close');
    world.pass(1000);
    // As upon a conflict: each piece once in vain, so that the fold has to begin anew with it.
    let vain = 0;
    a.before = (work, event, now) => {
      if (event.kind !== 'go-on' || ++vain > 3) return;
      const copy = copyOf(work);
      stateOn(copy, serviceOf(a), now);
      copy.abandon();
    };
    expect(stated(a, 2)).toBe(stated(b, 2));
    expect(vain).toBeGreaterThan(3);
  });

  test('is the same when nobody asked for so long that the ledger was put away', () => {
    const { world, boards, nodes } = running();
    const [a, b] = nodes;
    const isHeld = (): boolean => a.inside((work) => work.recall('folding', 'folding') !== undefined);
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

describe('what is folded', () => {
  /** So many records that it takes several pieces. */
  const long = () => {
    const all = running();
    for (let i = 0; i < 100; i++) use(all.boards);
    all.world.pass(1000);
    all.nodes[0].json('close');
    all.world.pass(1000);
    return all;
  };
  const ask = (node: Node, period = 1) => node.ask('statement', { params: { period: String(period) } });

  test('is folded piece by piece, each in a turn of its own, and the statement is kept', () => {
    const { nodes } = long();
    const [a, b] = nodes;
    let pieces = 0;
    a.before = (_work, event) => {
      if (event.kind === 'go-on') pieces++;
    };
    const bytes = stated(a, 1);
    expect(pieces).toBeGreaterThan(200 / 64);
    const before = pieces;
    expect(stated(a, 1)).toBe(bytes);
    expect(folded(a, 1)).toBe(bytes);
    expect(pieces).toBe(before);
    expect(stated(b, 1)).toBe(bytes);
  });

  test('answers all who asked meanwhile, once it is done', () => {
    const { world, nodes } = long();
    const [a, b] = nodes;
    a.goesOn = false;
    const answers = [ask(a), ask(a)];
    expect(answers.map((answer) => answer())).toEqual([null, null]);
    a.goesOn = true;
    // What lost its turn is taken up again.
    world.pass(3000);
    for (const answer of answers) expect(answer()).toEqual({ bytes: b.bytes('statement', { period: '1' }) });
  });

  test('tells who has waited long how far it has come', () => {
    const { world, nodes } = long();
    const [a] = nodes;
    a.goesOn = false;
    const answer = ask(a);
    a.submit({ kind: 'go-on' });
    world.pass(PATIENCE_MS + 1000);
    expect(answer()).toMatchObject({ code: 'not-ready', detail: expect.stringMatching(/^64 of \d+ log entries are read$/) });
    a.goesOn = true;
    world.pass(3000);
    expect(stated(a, 1)).toBe(stated(nodes[1], 1));
  });

  test('goes on once at a time, however often it is asked for and looked after', () => {
    const { world, nodes } = long();
    const [a] = nodes;
    a.goesOn = false;
    ask(a);
    a.submit({ kind: 'go-on' });
    world.pass(PATIENCE_MS + 1000);
    const before = a.goings;
    ask(a);
    expect(a.goings).toBe(before);
    // Ticks are closer together than what they look after may take.
    world.pass(10_000);
    expect(a.goings - before).toBeLessThanOrEqual(5);
    expect(a.goings).toBeGreaterThan(before);
  });

  test('begins anew when a fuller close comes in the place of the one it is at', () => {
    const { world, nodes, boards } = long();
    const [a, b, c] = nodes;
    use(boards);
    world.pass(1000);
    world.isolate(a);
    a.json('close');
    use(boards);
    world.link(b, c);
    world.pass(1000);
    b.json('close');
    a.goesOn = false;
    const answer = ask(a, 2);
    a.submit({ kind: 'go-on' }, { kind: 'go-on' });
    world.heal();
    a.goesOn = true;
    world.pass(3000);
    expect(answer()).toEqual({ bytes: c.bytes('statement', { period: '2' }) });
  });

  test('makes only so many wait', () => {
    const { nodes } = long();
    const [a] = nodes;
    a.goesOn = false;
    const answers = Array.from({ length: LIMITS.statementCallers + 1 }, () => ask(a));
    expect(answers.at(-2)?.()).toBeNull();
    expect(answers.at(-1)?.()).toMatchObject({ code: 'too-many' });
  });

  test('of more entries than its memory bears is refused, and what is kept is given', () => {
    const { nodes, world, boards } = long();
    const [a, b] = nodes;
    const bytes = stated(a, 1);
    const { vector } = (a.json('periods') as { vector: Record<string, number> }[])[0]!;
    const entries = Object.values(vector).reduce((sum, size) => sum + size, 0);
    b.ledgerEntries = entries - 1;
    const answer = b.call('statement', { params: { period: '1' } });
    expect(answer).toMatchObject({ code: 'too-large', detail: expect.stringContaining(`counts ${entries} log entries`) });
    b.ledgerEntries = entries;
    expect(stated(b, 1)).toBe(bytes);
    use(boards);
    world.pass(1000);
    a.json('close');
    world.pass(1000);
    expect(b.call('statement', { params: { period: '2' } })).toMatchObject({ code: 'too-large' });
    expect(stated(b, 1)).toBe(bytes);
  });

  test('that cannot be folded says so to who waits, and is tried anew when somebody asks again', () => {
    const { nodes } = long();
    const [a, b] = nodes;
    a.before = (_work, event) => {
      if (event.kind === 'go-on') refuse('storage-broken', 'an entry cannot be read');
    };
    expect(a.call('statement', { params: { period: '1' } })).toMatchObject({ code: 'storage-broken' });
    a.before = () => {};
    expect(stated(a, 1)).toBe(stated(b, 1));
  });
});
