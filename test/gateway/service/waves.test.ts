/** A release that comes to one board after the other, upon what these sign of it, at whichever gateway is alive. */
import { describe, expect, test } from 'vitest';
import { equal } from '../../../runtime/protocol/bytes.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import type { Request, Rollout } from '../../../runtime/protocol/nouns/request.ts';
import { signedBinding, signedRequest } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { type GatewayWorld, type Node, SILENCE_MS } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const BOARDS = ['board 1', 'board 2', 'board 3', 'board 4'];
const ROLLOUT: Rollout = { waves: [{ kind: 'count', count: 1 }], tolerated: 0 };
const fresh = smallRelease({ recipe: 'echo', sequence: 2 });

interface Stage {
  world: GatewayWorld;
  boards: PaperBoard[];
  old: Uint8Array;
  ask(sequence: number, changes?: Partial<Request>): void;
}

const standing = (rollout: Partial<Rollout> = {}): Stage => {
  const { world, boards } = cast({ boards: BOARDS, request: { replicas: 4 } });
  const old = boards.flatMap(({ leases }) => leases)[0]!.release;
  for (const node of world.nodes.slice(0, 1)) node.accept(fresh.document, ...fresh.content.values());
  const ask = (sequence: number, changes: Partial<Request> = {}): void => {
    const fallback = { release: old, bakeMs: 60_000 };
    const asked = { sequence, replicas: 4, release: fresh.release, fallback, rollout: { ...ROLLOUT, ...rollout }, ...changes };
    world.nodes.find(({ running }) => running)?.accept(signedRequest(asked).body);
    world.pass(2000);
  };
  return { world, boards, old, ask };
};

const leases = (boards: PaperBoard[]): Lease[] => boards.flatMap((board) => board.leases).sort((a, b) => a.index - b.index);
const runs = (boards: PaperBoard[], { release }: SmallRelease = fresh): number[] =>
  leases(boards)
    .filter((lease) => equal(lease.release, release))
    .map(({ index }) => index);
const boardOf = (boards: PaperBoard[], index: number): [PaperBoard, Lease] => {
  const board = boards.find((one) => one.leases.some((lease) => lease.index === index))!;
  return [board, board.leases.find((lease) => lease.index === index)!];
};
const tell = ({ world, boards }: Stage, index: number, result: 'passed' | 'failed', sequence = 2): void => {
  const [board, lease] = boardOf(boards, index);
  board.tells(lease, result, sequence);
  world.pass(3000);
};
const viewOf = (node: Node) => {
  const [request] = node.json('requests') as { rollout: { state: string; wave: number; of: number; why: string; next: string } }[];
  return request!.rollout;
};

describe('a release with waves', () => {
  test('reaches the first, and all others when that has passed; nobody else is touched meanwhile', () => {
    const stage = standing();
    const before = leases(stage.boards).map(({ lease }) => lease);
    stage.ask(2);
    expect(runs(stage.boards)).toEqual([0]);
    expect(
      leases(stage.boards)
        .map(({ lease }) => lease)
        .slice(1),
    ).toEqual(before.slice(1));
    expect(viewOf(stage.world.node(0))).toMatchObject({ state: 'rolling', wave: 1, of: 2, why: expect.stringContaining('replica 0') });
    stage.world.pass(60_000);
    expect(runs(stage.boards)).toEqual([0]);
    tell(stage, 0, 'passed');
    expect(runs(stage.boards)).toEqual([0, 1, 2, 3]);
    for (const index of [1, 2, 3]) tell(stage, index, 'passed');
    for (const node of stage.world.nodes) expect(viewOf(node)).toMatchObject({ state: 'done', why: '' });
  });

  test('that fails on the first is halted; the others never had it, and the reason is at every gateway', () => {
    const stage = standing();
    const before = leases(stage.boards).map(({ lease }) => lease);
    stage.ask(2);
    tell(stage, 0, 'failed');
    stage.world.pass(60_000);
    expect(
      leases(stage.boards)
        .map(({ lease }) => lease)
        .slice(1),
    ).toEqual(before.slice(1));
    // Its board went back by itself, under the lease that it has.
    expect(runs(stage.boards)).toEqual([0]);
    for (const node of stage.world.nodes)
      expect(viewOf(node)).toMatchObject({
        state: 'halted',
        why: 'replica 0: answers did not hold within 3 s',
        next: expect.stringContaining('rollback'),
      });
  });

  test('that fails later is taken back from all that had it', () => {
    const stage = standing();
    stage.ask(2);
    tell(stage, 0, 'passed');
    tell(stage, 2, 'failed');
    expect(runs(stage.boards)).toEqual([2]);
  });

  test('goes on at another gateway where the first one died [instances-21]', () => {
    const stage = standing({
      waves: [
        { kind: 'count', count: 1 },
        { kind: 'count', count: 2 },
      ],
    });
    const { world, boards } = stage;
    stage.ask(2);
    tell(stage, 0, 'passed');
    expect(runs(boards)).toEqual([0, 1]);
    const dead = world.nodes.find(({ journal }) => journal.some((line) => line.startsWith('lease ')))!;
    dead.stop();
    const alive = world.nodes.filter(({ running }) => running);
    for (const board of boards) if (board.node === null || board.node === dead) board.connect(alive[0]!);
    world.pass(SILENCE_MS + 3000);
    expect(runs(boards)).toEqual([0, 1]);
    tell(stage, 1, 'passed');
    world.pass(5000);
    expect(runs(boards)).toEqual([0, 1, 2, 3]);
    // The first one comes back with what it knew, and signs nothing anew of what was decided meanwhile.
    const before = leases(boards).map(({ lease }) => lease);
    dead.start();
    world.clock.settle();
    world.pass(500);
    world.linkAll().pass(20_000);
    expect(leases(boards).map(({ lease }) => lease)).toEqual(before);
    for (const node of world.nodes) expect(node.view()).toEqual(world.node(0).view());
  });

  test('can be asked for again: what failed is tried once more, and only there first', () => {
    const stage = standing();
    stage.ask(2);
    tell(stage, 0, 'failed');
    stage.ask(3);
    expect(viewOf(stage.world.node(0))).toMatchObject({ state: 'rolling', wave: 1 });
    expect(runs(stage.boards)).toEqual([0]);
    tell(stage, 0, 'failed', 2);
    expect(viewOf(stage.world.node(0)).state).toBe('rolling');
    tell(stage, 0, 'passed', 3);
    expect(runs(stage.boards)).toEqual([0, 1, 2, 3]);
  });

  test('can be called off at any time, and the next one begins at once', () => {
    const stage = standing();
    const before = leases(stage.boards).map(({ lease }) => lease);
    stage.ask(2);
    stage.world.node(0).accept(signedRequest({ sequence: 3, replicas: 4, release: stage.old }).body);
    stage.world.pass(3000);
    expect(runs(stage.boards)).toEqual([]);
    expect(
      leases(stage.boards)
        .map(({ lease }) => lease)
        .slice(1),
    ).toEqual(before.slice(1));
    const third = smallRelease({ recipe: 'echo', sequence: 3 });
    stage.world.node(0).accept(third.document, ...third.content.values());
    stage.ask(4, { release: third.release });
    expect(runs(stage.boards, third)).toEqual([0]);
  });

  test('goes by labels that owners gave their boards', () => {
    const stage = standing({ waves: [{ kind: 'label', label: 'attic' }] });
    const [board] = boardOf(stage.boards, 2);
    stage.world.node(0).accept(signedBinding(board.name, { version: 2, policy: { partitions: 8, labels: ['attic'] } }).body);
    stage.ask(2);
    expect(runs(stage.boards)).toEqual([2]);
  });

  test('stands in front of a label that no board has, says so, and goes on when one is given it', () => {
    const stage = standing({ waves: [{ kind: 'label', label: 'attic' }] });
    stage.ask(2);
    stage.world.pass(60_000);
    expect(runs(stage.boards)).toEqual([]);
    for (const node of stage.world.nodes)
      expect(viewOf(node)).toMatchObject({
        ...{ state: 'rolling', wave: 1, of: 2, why: 'wave 1 takes in nobody: no replica is on a board with label attic' },
        next: expect.stringContaining('--label'),
      });
    const [board] = boardOf(stage.boards, 2);
    stage.world.node(0).accept(signedBinding(board.name, { version: 2, policy: { partitions: 8, labels: ['attic'] } }).body);
    stage.world.pass(2000);
    expect(runs(stage.boards)).toEqual([2]);
    tell(stage, 2, 'passed');
    expect(runs(stage.boards)).toEqual([0, 1, 2, 3]);
  });

  test('is refused without a release for those that it has not reached', () => {
    const { world } = standing();
    const document = signedRequest({ sequence: 2, replicas: 4, release: fresh.release, rollout: ROLLOUT }).body;
    expect(world.node(0).push(document)).toMatchObject({ ok: false, code: 'bad-schema', why: expect.stringContaining('fallback') });
  });

  test('is not moved by what another board signs', () => {
    const stage = standing();
    stage.ask(2);
    const [, lease] = boardOf(stage.boards, 0);
    const [stranger] = boardOf(stage.boards, 1);
    stranger.tells(lease, 'passed', 2);
    stage.world.pass(3000);
    expect(runs(stage.boards)).toEqual([0]);
  });

  test("takes its board's own times of the day into the lease", () => {
    const stage = standing();
    const windows = [{ fromMinute: 60, minutes: 30 }];
    for (const { name } of stage.boards)
      stage.world.node(0).accept(signedBinding(name, { version: 2, policy: { partitions: 8, labels: [], windows } }).body);
    stage.ask(2);
    expect(boardOf(stage.boards, 0)[1].windows).toEqual(windows);
  });
});
