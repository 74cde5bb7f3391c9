/** Turns look at what was touched only. Whatever happens in whatever order, a full look would find the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { seal, sealMany } from '../../../runtime/protocol/noun.ts';
import { type Request, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { operatorNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf } from '../../support/crypto.ts';
import {
  demand,
  hashOf,
  idOf,
  operatorDoc,
  ROOTS,
  signedBinding,
  signedManifest,
  signedPublisher,
  signedRequest,
  signedVoucher,
  voucher,
} from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { runs } from '../../support/properties.ts';
import { nextPublisher, publisherDoc, signedPublisher as publisherOf, smallRelease } from '../../support/small-release.ts';
import { type Looks, looks, walks } from './full-look.ts';

interface Cast {
  world: GatewayWorld;
  boards: PaperBoard[];
  /** Sequences, versions and serials rise. */
  count: number;
  operator: ReturnType<typeof operatorDoc>;
  publisher: ReturnType<typeof publisherDoc>;
}

const RELEASES = [smallRelease({ recipe: 'other' }), smallRelease({ recipe: 'another', arch: 'x64' })];

const cast = (): Cast => {
  const world = new GatewayWorld().linkAll().pump();
  const home = world.node(0).admit('tenant', 'tenant');
  const boards = [1, 2, 3, 4].map((i) => new PaperBoard(`board ${i}`));
  for (const [i, board] of boards.entries()) {
    board.offer = { ...board.offer, partitions: 1 + (i % 3), memoryMib: 40 + 60 * i };
    board.pair(home);
    home.accept(signedBinding(board.name).body);
  }
  home.accept(signedPublisher().body, signedManifest().body, signedVoucher().body);
  home.accept(signedRequest({ name: 'echo', replicas: 2, patienceMs: 3000 }).body);
  world.pass(500);
  for (const [i, board] of boards.entries()) board.connect(world.node(i % 3));
  world.pass(500);
  return { world, boards, count: 10, operator: operatorDoc(), publisher: publisherDoc() };
};

/** Opens what is not open yet, and uses what is. */
const use = (board: PaperBoard): void => {
  for (const { lease } of board.leases.filter(({ lease: id }) => !board.opened.has(id))) {
    board.use(lease, { kind: 'open' });
    board.opened.add(lease);
  }
  for (const lease of board.opened) board.use(lease, { registers: { ...ZERO, cpuMicros: BigInt(board.end.seq) * 200_000n } });
};

const FILTERS: Request['filter'][] = [{}, {}, { board: idOf('board 2') }, { region: 'south' }, { tier: 'full' }];

interface Chance {
  board: PaperBoard;
  node: Node;
  /** 0 to 59. */
  n: number;
}
type Deed = (cast: Cast, chance: Chance) => void;

const ask = (given: Cast, node: Node, n: number, changes: Partial<Request>): void => {
  const terms = { sequence: ++given.count, replicas: 1 + (n % 4), patienceMs: 1000 + 500 * (n % 5), filter: FILTERS[n % 5]! };
  for (const body of demand(`request-${n % 3}`, { ...terms, ...changes })) node.push(body);
};

const DEEDS: Record<string, Deed> = {
  comes: (_given, { board, node }) => void board.connect(node),
  leaves: (_given, { board }) => board.disconnect(),
  uses: (_given, { board }) => use(board),
  closes: (_given, { board }) => {
    const [lease] = board.opened;
    if (lease !== undefined && board.opened.delete(lease)) board.use(lease, { kind: 'close' });
  },
  'offers other room': (_given, { board, n }) => {
    board.offer = { ...board.offer, memoryMib: 40 * (1 + (n % 5)), partitions: n % 4 };
    if (board.node !== null) board.connect(board.node);
  },
  'is lent otherwise': (given, { board, node, n }) =>
    void node.push(
      signedBinding(board.name, {
        version: ++given.count,
        currency: n % 5 === 0 ? 'USD' : 'EUR',
        policy: { partitions: 1 + (n % 3), labels: [] },
      }).body,
    ),
  'has a new key': (_given, { board }) => {
    const { node } = board;
    if (node !== null) board.rotate(`${board.name} key ${board.keyVersion + 1}`, (document) => node.push(document).ok);
  },
  'is cloned': (_given, { board }) => {
    const { end } = board;
    const [lease] = board.opened;
    if (lease === undefined) return;
    board.use(lease);
    board.end = end;
    board.use(lease, { monoMs: 7777 });
  },
  'is there twice': (_given, { board, node }) => {
    board.node = null;
    board.connect(node);
  },
  asks: (given, { node, n }) => ask(given, node, n, {}),
  'asks for another release': (given, { node, n }) => ask(given, node, n, { release: RELEASES[n % 2]!.release }),
  'stops or destroys': (given, { node, n }) => ask(given, node, n, { state: n % 2 === 0 ? 'stopped' : 'destroyed' }),
  'brings a release': (_given, { node, n }) => {
    const { document, content } = RELEASES[n % 2]!;
    node.push(document);
    for (const [i, piece] of [...content.values()].entries()) if ((n + i) % 12 > 0) node.push(piece);
  },
  'takes the key of releases back, or gives it again': (given, { node }) => {
    const revoked = given.publisher.revoked.length > 0 ? [] : [keyOf('release key').publicKey];
    const next = nextPublisher(given.publisher, { revoked });
    if (node.push(publisherOf(next)).ok) given.publisher = next;
  },
  'lists otherwise': (given, { node, n, board }) => {
    const { version, gateways } = given.operator;
    const next = operatorDoc({
      ...given.operator,
      ...{ version: version + 1, previous: hashOf(operatorNoun, given.operator), name: `version ${version + 1}` },
      gateways: gateways.map((entry, i) => ({ ...entry, region: (n + i) % 2 === 0 ? 'south' : 'north' })),
      retired: n % 5 === 0 ? [node.id] : [],
      revoked: n % 7 === 0 ? [...given.operator.revoked, board.signer.publicKey] : given.operator.revoked,
    });
    if (node.push(sealMany(operatorNoun, next, ROOTS.map(keyOf))).ok) given.operator = next;
  },
  'begins anew': ({ boards }, { node, n }) => {
    if (n % 3 > 0) return;
    node.stop();
    node.start();
    for (const board of boards) if (board.node === node) board.node = null;
  },
  'a period is closed': (_given, { node }) => void node.call('close'),
  'a tick passes': ({ world }) => world.clock.pass(500),
  'time passes': ({ world }, { n }) => world.clock.pass(100 * n),
  'all is heard': ({ world }) => void world.pass(500),
};

/** A voucher that is over soon, or soon spent, and a request that it pays for; the clock may be ahead when it is looked at. */
DEEDS['pays for a while'] = (given, { node, n }) => {
  const name = `request-${n % 3}`;
  const capMicro = n % 2 === 0 ? voucher().capMicro : 40n;
  const ending = { name, capMicro, serial: ++given.count, notAfterMs: given.world.clock.now().wallMs + 100 * n };
  const named = hashOf(voucherNoun, voucher(ending));
  const request = signedRequest({ name, sequence: ++given.count, replicas: 2, patienceMs: 2000, voucher: named }).body;
  node.push(seal(voucherNoun, voucher(ending), keyOf('tenant')));
  node.push(request);
};

type Move =
  | { kind: 'deed'; deed: string; board: number; at: number; n: number }
  | { kind: 'deliver'; wire: number; frames: number }
  | { kind: 'cut' | 'link'; pair: number };

const OFTEN = ['comes', 'comes', 'leaves', 'uses', 'uses', 'uses', 'asks', 'asks', 'closes', 'all is heard', 'time passes', 'time passes'];
/** After these everything is looked at anyway. */
const WILD = ['lists otherwise', 'begins anew', 'takes the key of releases back, or gives it again'];
const CALM = Object.keys(DEEDS).filter((deed) => !WILD.includes(deed));

const deedOf = (deeds: string[]): fc.Arbitrary<Move> =>
  fc.record({
    kind: fc.constant('deed' as const),
    deed: fc.constantFrom(...deeds, ...OFTEN),
    ...{ board: fc.nat(3), at: fc.nat(2), n: fc.nat(59) },
  });
const delivery: fc.Arbitrary<Move> = fc.record({
  kind: fc.constant('deliver' as const),
  wire: fc.nat(5),
  frames: fc.integer({ min: 1, max: 6 }),
});
const link: fc.Arbitrary<Move> = fc.record({ kind: fc.constantFrom('cut' as const, 'link' as const, 'link' as const), pair: fc.nat(2) });

const calm = fc.oneof({ weight: 3, arbitrary: deedOf(CALM) }, { weight: 1, arbitrary: delivery });
const wild = fc.oneof(
  { weight: 8, arbitrary: deedOf(Object.keys(DEEDS)) },
  { weight: 5, arbitrary: delivery },
  { weight: 2, arbitrary: link },
);

const play = (given: Cast, step: Move): void => {
  const { world, boards } = given;
  if (step.kind === 'deed') DEEDS[step.deed]?.(given, { board: boards[step.board]!, node: world.node(step.at), n: step.n });
  else if (step.kind === 'deliver') for (let i = 0; i < step.frames; i++) world.deliver(step.wire);
  else world[step.kind](...(world.pairs[step.pair] as [Node, Node]));
  world.clock.settle();
};

const agree = (all: Record<string, Looks>, said: string): void => {
  for (const [what, { touched, full }] of Object.entries(all)) expect(touched, `${what} ${said}`).toEqual(full);
};

const hold = (move: fc.Arbitrary<Move>): { leases: number; moved: number; replicated: number } => {
  const seen = { leases: 0, moved: 0, replicated: 0 };
  fc.assert(
    fc.property(fc.array(move, { minLength: 25, maxLength: 60, size: 'max' }), (moves) => {
      const given = cast();
      const { nodes } = given.world;
      for (const [i, step] of moves.entries()) {
        play(given, step);
        for (const node of nodes) agree(looks(node), `at ${node.name} after move ${i}`);
      }
      given.world.heal();
      for (const node of nodes) agree({ ...looks(node), ...walks(node) }, `at ${node.name} in the end`);
      const placed = nodes.flatMap(({ journal }) => journal.filter((line) => line.startsWith('lease ')));
      seen.leases += placed.length;
      seen.moved += placed.filter((line) => !line.includes(' term 1:')).length;
      seen.replicated += given.boards.reduce((sum, board) => sum + board.replicated, 0);
    }),
    runs(8),
  );
  return seen;
};

describe('what a turn looks at is all that a full look would find something at', () => {
  test.each([
    ['while links hold', calm],
    ['whatever happens', wild],
  ])('%s (property)', (_when, move) => {
    const seen = hold(move);
    // It says nothing unless something happened.
    expect(seen.leases).toBeGreaterThan(10);
    expect(seen.moved).toBeGreaterThan(1);
    expect(seen.replicated).toBeGreaterThan(5);
  });
});

describe('a clock that was ahead', () => {
  test('and is set back makes an instance wait no more for a voucher that had seemed over', () => {
    const world = new GatewayWorld(
      ['gateway a'],
      sealMany(operatorNoun, operatorDoc({ gateways: operatorDoc().gateways.slice(0, 1) }), ROOTS.map(keyOf)),
    );
    const node = world.node(0).admit('tenant', 'tenant');
    const board = new PaperBoard('board 1');
    board.pair(node);
    const ending = { serial: 2, notAfterMs: world.clock.now().wallMs + 1000 };
    node.accept(signedBinding('board 1').body, signedPublisher().body, signedManifest().body, signedVoucher(ending).body);
    node.accept(signedRequest({ replicas: 1, voucher: hashOf(voucherNoun, voucher(ending)) }).body);
    world.pass(2000);
    board.connect(node);
    world.pass(500);
    const { placed, 'placed by a clock set back': again } = looks(node);
    expect(placed?.full).toEqual([]);
    expect(again?.full).toHaveLength(1);
    expect(again?.touched).toEqual(again?.full);
  });
});
