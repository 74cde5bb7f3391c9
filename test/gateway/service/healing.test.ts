/** Content that changed on a gateway's disk, and peers that give something else than they were asked for. */
import { describe, expect, test } from 'vitest';
import { blobs, packed, peers } from '../../../gateway/core/tables.ts';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { want } from '../../../runtime/protocol/nouns/messages.ts';
import { testCrypto } from '../../support/crypto.ts';
import { cast } from '../../support/gateway-cast.ts';
import type { Node } from '../../support/gateway-world.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const holds = (node: Node, key: string): Bytes | null => node.read((work) => blobs.get(work, key));
const spoil = (node: Node, key: string): void => {
  const bytes = holds(node, key)!;
  node.disk.write({ writes: new Map([[`blob/${key}`, bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)]]) });
};

/** Three gateways that hold a release, one chunk of it packed, and a board at home with the first. */
const delivered = () => {
  const { world, boards } = cast();
  const release: SmallRelease = smallRelease({ recipe: 'delivered' });
  const [first] = release.chunks;
  const body = (key: string, bytes: Bytes): Bytes => (key === first ? packZstd(bytes) : bytes);
  world.node(0).accept(release.document);
  for (const [key, bytes] of release.content) world.node(0).accept(body(key, bytes));
  world.pass(3000);
  for (const node of world.nodes) for (const key of release.content.keys()) expect(holds(node, key)).not.toBeNull();
  const doubt = (key: string): void => boards[0]!.say('doubt', encodeAs(want, { v: 1, hashes: [fromHex(key)] }, 'want'));
  return { world, board: boards[0]!, release, doubt, first: first! };
};

describe('a piece that changed on the disk [delivery-4]', () => {
  test('goes when a board doubts it, and comes back from a peer, packed or not', () => {
    const { world, release, doubt } = delivered();
    const home = world.node(0);
    for (const key of release.content.keys()) {
      const right = holds(home, key)!;
      const length = home.read((work) => packed.get(work, key));
      spoil(home, key);
      doubt(key);
      expect(holds(home, key)).toBeNull();
      world.pass(1500);
      expect(holds(home, key)).toEqual(right);
      expect(home.read((work) => packed.get(work, key))).toBe(length);
    }
    expect(home.journal.filter((line) => /has changed on the disk/.test(line))).toHaveLength(release.content.size);
  });

  test('is given to no peer', () => {
    const { world, first, doubt } = delivered();
    const [home, second, third] = world.nodes as [Node, Node, Node];
    const right = holds(home, first);
    spoil(home, first);
    spoil(second, first);
    doubt(first);
    world.pass(3000);
    expect([holds(home, first), holds(second, first), holds(third, first)]).toEqual([right, right, right]);
  });

  test('that is right is kept, and one that nobody holds is nothing to ask for', () => {
    const { world, first, doubt } = delivered();
    const before = world.node(0).disk.dump();
    doubt(first);
    doubt(hex(testCrypto.sha256(new Uint8Array([1]))));
    expect(world.node(0).disk.dump()).toEqual(before);
  });

  test('that no other gateway has is waited for, whoever brings it', () => {
    const { world, release, first, doubt } = delivered();
    for (const node of world.nodes) if (node !== world.node(0)) world.cut(world.node(0), node);
    spoil(world.node(0), first);
    doubt(first);
    world.pass(3000);
    expect(holds(world.node(0), first)).toBeNull();
    world.node(0).accept(release.content.get(first)!);
    expect(holds(world.node(0), first)).toEqual(release.content.get(first));
  });
});

test('a peer that gives something else is asked for nothing for ten minutes, the others are', () => {
  const { world, first, doubt } = delivered();
  const [home, liar, honest] = world.nodes as [Node, Node, Node];
  const right = holds(home, first);
  world.cut(home, honest);
  const { carry } = world;
  let asked = 0;
  world.carry = (from, session, frame) => {
    if (from === home && frame.kind === 'want' && session === world.sessionOf(home, liar)) asked++;
    const forged = from === liar && frame.kind === 'blob' && frame.bytes !== null ? { ...frame, bytes: new Uint8Array(9) } : frame;
    carry.call(world, from, session, forged);
  };
  spoil(home, first);
  doubt(first);
  world.pass(30_000);
  expect(asked).toBe(1);
  expect(home.journal.filter((line) => /peer .*: bad-signature: it gave something else/.test(line))).toHaveLength(1);
  expect(holds(home, first)).toBeNull();
  expect(home.inside((work) => peers.get(work, liar.id)?.asked)).toEqual([]);
  world.link(home, honest);
  world.pass(2000);
  expect(holds(home, first)).toEqual(right);
});
