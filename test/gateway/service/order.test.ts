/** Whatever is delivered when, and whatever is cut on the way, three gateways end up with one view of the world. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { bindingNoun } from '../../../runtime/protocol/nouns/request.ts';
import { keyOf } from '../../support/crypto.ts';
import {
  binding,
  GATEWAYS,
  operatorDoc,
  RATES,
  secondOperator,
  signedBinding,
  signedManifest,
  signedPublisher,
  signedRequest,
  signedVoucher,
} from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { runs } from '../../support/properties.ts';

interface Cast {
  world: GatewayWorld;
  one: PaperBoard;
  two: PaperBoard;
}

/** Two boards at two gateways, each with an instance of one request, and everybody knows it. */
const cast = (): Cast => {
  const world = new GatewayWorld().linkAll().pump();
  const home = world.node(0).admit('tenant', 'tenant');
  const [one, two] = [new PaperBoard('board 1'), new PaperBoard('board 2')];
  for (const board of [one, two]) {
    board.pair(home);
    home.accept(signedBinding(board.name).body);
  }
  home.accept(signedPublisher().body, signedManifest().body, signedVoucher().body, signedRequest({ replicas: 2, patienceMs: 5000 }).body);
  world.pass(500);
  one.connect(world.node(0));
  two.connect(world.node(1));
  world.pass(500);
  for (const board of [one, two]) use(board);
  return { world, one, two };
};

/** Opens what is not open yet, and uses what is. */
const use = (board: PaperBoard): void => {
  for (const { lease } of board.leases.filter(({ lease: id }) => !board.opened.has(id))) {
    board.use(lease, { kind: 'open' });
    board.opened.add(lease);
  }
  for (const lease of board.opened) board.use(lease);
};

type Deed = (cast: Cast) => void;

/** Things that happen at one gateway or another while the others may be out of its reach. */
const DEEDS: Record<string, Deed> = {
  ...Object.fromEntries(
    [0, 1, 2].flatMap((i): [string, Deed][] => [
      [`board 1 comes to ${i}`, ({ world, one }) => void one.connect(world.node(i))],
      [`board 2 comes to ${i}`, ({ world, two }) => void two.connect(world.node(i))],
      [`a period is closed at ${i}`, ({ world }) => void world.node(i).call('close')],
      [
        `the request changes at ${i}`,
        ({ world }) => void world.node(i).push(signedRequest({ replicas: 2, sequence: 2 + i, patienceMs: 4000 + i }).body),
      ],
      [
        `two requests of one number, one of them at ${i}`,
        ({ world }) => void world.node(i).push(signedRequest({ replicas: 2, sequence: 9, patienceMs: 4000 + i }).body),
      ],
      [
        `two bindings of one number, one of them at ${i}`,
        ({ world }) =>
          void world
            .node(i)
            .push(seal(bindingNoun, binding('board 1', { version: 9, rates: { ...RATES, netMib: BigInt(i) } }), keyOf('owner'))),
      ],
    ]),
  ),
  'board 1 leaves': ({ one }) => one.disconnect(),
  'board 1 uses': ({ one }) => use(one),
  'board 2 uses': ({ two }) => use(two),
  'board 1 closes': ({ one }) =>
    void [...one.opened].slice(0, 1).forEach((lease) => one.opened.delete(lease) && one.use(lease, { kind: 'close' })),
  'board 1 offers less': ({ one }) => {
    one.offer = { ...one.offer, memoryMib: one.offer.memoryMib - 16 };
    if (one.node !== null) one.connect(one.node);
  },
  'board 1 has a new key': ({ one }) => {
    const { node } = one;
    if (node !== null) one.rotate(`board 1 key ${one.keyVersion + 1}`, (document) => node.push(document).ok);
  },
  'the operator lists less': ({ world }) =>
    void world
      .node(2)
      .push(secondOperator({ name: 'later', gateways: operatorDoc().gateways.map((entry, i) => ({ ...entry, region: `r${i}` })) }).body),
  'time passes': ({ world }) => world.clock.pass(700),
};

type Move = { kind: 'deed'; deed: string } | { kind: 'deliver'; wire: number; frames: number } | { kind: 'cut' | 'link'; pair: number };

const OFTEN = [
  'board 1 uses',
  'board 1 uses',
  'board 1 uses',
  'board 2 uses',
  'board 1 comes to 0',
  'board 1 comes to 1',
  'board 1 comes to 2',
  'time passes',
];

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('deed' as const), deed: fc.constantFrom(...Object.keys(DEEDS), ...OFTEN, ...OFTEN) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), wire: fc.nat(5), frames: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'link' as const), pair: fc.nat(2) }) },
);

const play = (given: Cast, moves: Move[]): void => {
  const { world } = given;
  for (const step of moves) {
    if (step.kind === 'deed') DEEDS[step.deed]?.(given);
    else if (step.kind === 'deliver') for (let i = 0; i < step.frames; i++) world.deliver(step.wire);
    else world[step.kind](...(world.pairs[step.pair] as [Node, Node]));
    world.clock.settle();
  }
};

/** Everything is mended, and both boards come back. */
const settle = ({ world, one, two }: Cast): void => {
  world.heal();
  for (const board of [one, two]) {
    board.connect(world.node(0));
    world.heal();
    board.connect(world.node(0));
  }
  world.heal();
};

/** Keys of rows that are not the same. */
const differing = (a: Record<string, string>, b: Record<string, string>): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]);

const check = ({ world, one, two }: Cast): void => {
  expect(world.violations).toEqual([]);
  expect(world.nodes.map(({ pending }) => pending)).toEqual(GATEWAYS.map(() => []));
  const [first = {}, ...others] = world.nodes.map((node) => node.view());
  const said = world.nodes.map(({ name, journal }) => `${name}: ${journal.join('\n  ')}`).join('\n');
  for (const other of others) expect(differing(first, other), said).toEqual([]);
  const last = (world.node(0).json('periods') as { period: number }[]).at(-1);
  if (last !== undefined)
    expect(new Set(world.nodes.map((node) => hex(node.bytes('statement', { period: String(last.period) })))).size).toBe(1);
  // Nothing that a board signed is missing anywhere.
  for (const board of [one, two]) {
    for (const node of world.nodes) for (let seq = 1; seq <= board.end.seq; seq++) expect(world.holds(node, board.id, seq)).toBe(true);
    expect(board.outbox.map(({ seq }) => seq)).toEqual([]);
  }
};

describe('three gateways', () => {
  test('end up with one view, and lose nothing that a board signed (property)', () => {
    const seen = { leases: 0, records: 0, closes: 0 };
    const tries = runs(12);
    fc.assert(
      fc.property(fc.array(move, { minLength: 15, maxLength: 60, size: 'max' }), (moves) => {
        const given = cast();
        const signed = (): number => given.one.end.seq + given.two.end.seq;
        const before = { leases: given.one.opened.size + given.two.opened.size, records: signed() };
        play(given, moves);
        settle(given);
        check(given);
        const keys = Object.keys(given.world.node(0).view());
        seen.leases += keys.filter((key) => key.startsWith('lease/')).length - before.leases;
        seen.records += signed() - before.records;
        seen.closes += keys.filter((key) => key.startsWith('close/')).length;
      }),
      tries,
    );
    // It says nothing unless the moves themselves did something: what the cast brings along is not counted. The floors are what the fixed
    // seed gives, exactly; whoever hunts with another seed or fewer runs meets other numbers.
    if (tries.seed !== 1 || tries.numRuns < 12) return;
    expect(seen.leases).toBeGreaterThanOrEqual(4);
    expect(seen.records).toBeGreaterThanOrEqual(43);
    expect(seen.closes).toBeGreaterThanOrEqual(8);
  });

  test('state every closed period with the same bytes', () => {
    const given = cast();
    const { world, one, two } = given;
    for (const board of [one, two]) use(board);
    world.pass(1000);
    world.node(0).json('close');
    world.pass(500);
    one.connect(world.node(1));
    world.pass(500);
    for (const board of [one, two]) use(board);
    world.pass(1000);
    world.node(2).json('close');
    world.pass(500);
    for (const period of ['1', '2']) {
      const [first, ...others] = world.nodes.map((node) => hex(node.bytes('statement', { period })));
      for (const other of others) expect(other).toBe(first);
    }
  });

  test('state a period, too, that one of them closed while it lagged behind the close before', () => {
    const { world, one, two } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    two.connect(c);
    world.pass(500);
    const { carry } = world;
    // What the third one writes does not reach the second.
    world.carry = (from, session, frame) => {
      if (session !== world.sessionOf(from, b) || frame.kind !== 'entries' || frame.author !== c.id)
        carry.call(world, from, session, frame);
    };
    for (const board of [one, two]) use(board);
    world.pass(500);
    a.json('close');
    world.pass(500);
    const held = b.log(c.id).length;
    expect(held).toBeLessThan(a.log(c.id).length);
    b.json('close');
    world.carry = carry;
    for (const [from, to] of world.pairs) world.cut(from, to);
    world.heal();
    for (const period of ['1', '2']) expect(new Set(world.nodes.map((node) => hex(node.bytes('statement', { period })))).size).toBe(1);
  });
});
