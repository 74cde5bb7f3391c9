/** Gateways that give something else for a piece: it alone is refused, and asked for elsewhere. */
import { describe, expect, test } from 'vitest';
import { liars } from '../../../runtime/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { decodeAs, encodeAs } from '../../../runtime/protocol/noun.ts';
import { chunk, want } from '../../../runtime/protocol/nouns/messages.ts';
import type { TopicName } from '../../../runtime/protocol/topics.ts';
import { BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { idOf } from '../../support/federation.ts';
import type { Answer, PaperGateway } from '../../support/paper-gateway.ts';

/** For `keys` it gives other bytes. */
const lies = (gateway: PaperGateway, keys: Set<string>): { doubted: string[]; wanted: string[] } => {
  const [doubted, wanted]: string[][] = [[], []];
  const { hear } = gateway;
  const forged =
    (answer: Answer): Answer =>
    (topic, payload) => {
      if (topic !== 'chunk') return answer(topic, payload);
      const { hash, bytes } = decodeAs(chunk, payload, 'chunk');
      const other = keys.has(hex(hash)) && bytes !== null ? bytes.with(0, bytes[0]! ^ 1) : bytes;
      answer(topic, encodeAs(chunk, { v: 1, hash, bytes: other }, 'chunk'));
    };
  gateway.hear = (topic: TopicName, payload, answer) => {
    if (topic === 'doubt') doubted!.push(...decodeAs(want, payload, 'doubt').hashes.map(hex));
    if (topic === 'want') wanted!.push(...decodeAs(want, payload, 'want').hashes.map(hex));
    hear.call(gateway, topic, payload, forged(answer));
  };
  return { doubted: doubted!, wanted: wanted! };
};

const liarAtHome = (keysOf: (one: Placed) => string[]) => {
  const world = new BoardWorld().pair().pass(2000);
  const one = placed(world);
  const [home, keys] = [world.home, new Set(keysOf(one))];
  const heard = lies(home, keys);
  world.assign(one);
  return { world, one, home, keys, ...heard };
};

const chunkOf = ({ release }: Placed): string[] => [release.chunks[0]!];

describe('a gateway that gives something else for a piece [delivery-1, delivery-3]', () => {
  test('is told, gives all the others, and is asked for that one later', () => {
    const { world, one, home, keys, doubted, wanted } = liarAtHome(chunkOf);
    world.pass(3000);
    const [key] = chunkOf(one);
    expect(doubted).toEqual([key]);
    expect(world.state(one.lease)).toMatchObject({
      state: 'fetching',
      detail: expect.stringMatching(/^gateway .* gave something else for/),
    });
    // All others are on the card.
    expect(world.files.count('write')).toBe(one.release.chunks.length - 1);
    expect(wanted.filter((asked) => asked === key)).toHaveLength(1);
    // Its disk was mended meanwhile.
    keys.clear();
    world.pass(PACE.patienceMs + 2000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(world.linked).toBe(home);
    expect(wanted.filter((asked) => asked === key)).toHaveLength(2);
    expect(world.read((work) => liars.all(work))).toEqual([]);
  });

  test.each([
    ['a chunk', chunkOf],
    ['an index page', ({ release }: Placed) => [hex(release.manifest.pages[0]!)]],
    ['a manifest', ({ release }: Placed) => [hex(release.release)]],
  ])('and does so again is left for the next one, which is told who it was: %s [delivery-2]', (_name, keysOf) => {
    const { world, one, home, keys, wanted } = liarAtHome(keysOf);
    world.pass(3 * PACE.patienceMs);
    expect(world.linked).not.toBe(home);
    expect(world.state(one.lease)?.state).toBe('running');
    const [about] = keys;
    expect(wanted.filter((asked) => asked === about)).toHaveLength(2);
    expect(world.read((work) => liars.all(work))).toMatchObject([{ key: home.id, value: { times: 1 } }]);
    const reports = world.gateways.filter((gateway) => gateway !== home).flatMap((gateway) => gateway.reports);
    expect(reports.at(-1)?.liars?.map((liar) => ({ ...liar, about: hex(liar.about) }))).toEqual([
      { gateway: idOf(home.name), about, times: 1 },
    ]);
    // What came before is not fetched again.
    const all = world.gateways.flatMap((gateway) => gateway.wanted.flat());
    expect(all.filter((asked) => one.release.content.has(asked) && !keys.has(asked)).length).toBe(
      [...one.release.content.keys()].filter((key) => !keys.has(key)).length,
    );
  });

  test('is the last choice for an hour, and one like the others again after that', () => {
    const { world, home } = liarAtHome(chunkOf);
    world.pass(3 * PACE.patienceMs);
    const other = world.linked;
    world.cut();
    world.pass(5000);
    expect(world.linked).not.toBe(home);
    expect(other).not.toBe(home);
    world.pass(3_600_000);
    world.cut();
    world.pass(5000);
    expect(world.linked).toBe(home);
  });

  test('is kept when all do so, and asked more and more rarely', () => {
    const world = new BoardWorld().pair().pass(2000);
    const one = placed(world);
    const heard = world.gateways.map((gateway) => lies(gateway, new Set(chunkOf(one))));
    world.assign(one).pass(600_000);
    const asked = heard.flatMap(({ wanted }) => wanted).filter((key) => key === chunkOf(one)[0]).length;
    expect(asked).toBeGreaterThan(2 * world.gateways.length);
    expect(asked).toBeLessThan(20);
    expect(world.dialled.length).toBeLessThanOrEqual(world.gateways.length);
    expect(world.linked).not.toBe(null);
    expect(world.state(one.lease)?.state).toBe('fetching');
  });
});
