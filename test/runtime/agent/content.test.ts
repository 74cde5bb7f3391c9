/** Fetching a release over a link that loses things, from gateways that lie, onto a card that is full. */
import { describe, expect, test } from 'vitest';
import { packZstd } from '../../../runtime/adapters/zstd.ts';
import { documents } from '../../../runtime/core/tables.ts';
import { fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs } from '../../../runtime/protocol/noun.ts';
import { chunk, want } from '../../../runtime/protocol/nouns/messages.ts';
import { type Entry, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { testCrypto } from '../../support/crypto.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const paired = (): BoardWorld => new BoardWorld().pair();
const takeAway = (world: BoardWorld, key: string): void => void world.home.shelf.held.delete(key);
const wants = (world: BoardWorld): string[] => world.gateways.flatMap(({ wanted }) => wanted.flat());
const said = (world: BoardWorld, what: RegExp): boolean => world.journal.some((line) => what.test(line));

/** Fetches all but one chunk. */
const lacking = (): { world: BoardWorld; one: Placed; key: string } => {
  const world = paired();
  const one = placed(world);
  const key = one.release.chunks[0]!;
  takeAway(world, key);
  world.assign(one).pass(3000);
  expect(world.state(one.lease)?.state).toBe('fetching');
  return { world, one, key };
};

describe('a release', () => {
  test('is asked for once, piece by piece', () => {
    const world = paired();
    const one = placed(world);
    world.assign(one).pass(3000);
    expect(world.state(one.lease)?.state).toBe('running');
    const asked = wants(world);
    expect(new Set(asked).size).toBe(asked.length);
    for (const key of one.release.content.keys()) expect(asked).toContain(key);
  });

  test('of which a piece does not come is asked for that piece again', () => {
    const { world, one, key } = lacking();
    expect(wants(world).filter((asked) => asked === key)).toHaveLength(1);
    world.pass(2 * PACE.patienceMs + 3000);
    const again = wants(world).filter((asked) => asked === key).length;
    expect(again).toBeGreaterThanOrEqual(2);
    expect(again).toBeLessThanOrEqual(3);
    world.home.shelf.held.set(key, one.release.content.get(key)!);
    world.pass(PACE.patienceMs + 2000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(wants(world).filter((asked) => asked === one.release.chunks[1])).toHaveLength(1);
  });

  test('that was on its way when the link broke is asked for at the next home', () => {
    const { world, one, key } = lacking();
    world.home.shelf.held.set(key, one.release.content.get(key)!);
    world.home.up = false;
    world.cut();
    world.pass(3000);
    expect(world.state(one.lease)?.state).toBe('running');
  });

  test('that stands still gives way to another, and is tried again later', () => {
    const { world, one, key } = lacking();
    const other = placed(world, { lease: { index: 1 }, request: { name: 'other' }, release: smallRelease({ recipe: 'other' }) });
    const chunks = other.release.chunks.filter((chunkKey) => !one.release.chunks.includes(chunkKey));
    expect(chunks).toHaveLength(1);
    world.assign(one, other).pass(3000);
    expect(world.state(other.lease)?.state).toBe('fetching');
    world.pass(11 * PACE.patienceMs);
    expect(world.state(one.lease)).toMatchObject({ state: 'fetching', detail: 'missing-content' });
    expect(world.state(other.lease)?.state).toBe('running');
    world.home.shelf.held.set(key, one.release.content.get(key)!);
    world.pass(11 * PACE.patienceMs);
    expect(world.state(one.lease)?.state).toBe('running');
  });
});

describe('a piece', () => {
  const sending = (bytes: (right: Uint8Array) => Uint8Array | null): ReturnType<typeof lacking> => {
    const given = lacking();
    const { world, one, key } = given;
    const payload = encodeAs(chunk, { v: 1, hash: fromHex(key), bytes: bytes(one.release.content.get(key)!) }, 'chunk');
    world.message('chunk', payload);
    world.pass(1000);
    return given;
  };

  test('that is another than its hash says is refused, and the right one is waited for', () => {
    const { world, one, key } = sending((right) => right.with(7, right[7]! ^ 1));
    expect(said(world, /chunk refused: bad-signature/)).toBe(true);
    expect(world.files.steps.some((step) => step.kind === 'write' && hex(testCrypto.sha256(step.bytes)) === key)).toBe(false);
    world.home.shelf.held.set(key, one.release.content.get(key)!);
    world.pass(PACE.patienceMs + 2000);
    expect(world.state(one.lease)?.state).toBe('running');
  });

  test('that is cut short is refused', () => {
    const { world } = sending((right) => right.subarray(0, right.length - 1));
    expect(said(world, /chunk refused: bad-signature/)).toBe(true);
  });

  test('that a gateway does not have is asked for again later, and nothing is told', () => {
    const { world, one } = sending(() => null);
    expect(world.journal).toEqual(['at home']);
    expect(world.state(one.lease)).toMatchObject({ state: 'fetching', detail: '' });
  });

  test('that nobody asked for is dropped', () => {
    const world = paired().pass(2000);
    const before = world.disk.dump();
    const bytes = new Uint8Array(50);
    world.message('chunk', encodeAs(chunk, { v: 1, hash: testCrypto.sha256(bytes), bytes }, 'chunk'));
    world.pass(1000);
    expect([world.files.steps, world.disk.dump()]).toEqual([[], before]);
  });

  test('that comes twice is written once', () => {
    const world = paired();
    const one = placed(world);
    for (const gateway of world.gateways) {
      const { hear } = gateway;
      gateway.hear = (topic, payload, answer) =>
        hear.call(gateway, topic, payload, (back, bytes) => {
          answer(back, bytes);
          if (back === 'chunk') answer(back, bytes);
        });
    }
    world.assign(one).pass(3000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(world.files.count('write')).toBe(3);
  });
});

describe('what is here already', () => {
  const [one, two, three, four] = ['one', 'two', 'three', 'four'].map((word) => new TextEncoder().encode(`#!${word} `.repeat(60)));
  const fileOf = (path: string, pieces: Uint8Array[], hash?: Uint8Array): Entry => ({
    ...{ kind: 'file', path, executable: true, hash: hash ?? testCrypto.sha256(Buffer.concat(pieces)) },
    bytes: pieces.reduce((sum, { length }) => sum + length, 0),
    chunks: pieces.map((piece) => [testCrypto.sha256(piece), piece.length]),
  });
  const of = (sequence: number, entries: Entry[]): Placed['release'] => {
    const release = smallRelease({ recipe: 'many', sequence, args: ['/big'] }, { tree: [entries] });
    const content = [one!, two!, three!, four!, encodeAs(pageSchema, { v: 1, entries }, 'page')];
    for (const piece of content) release.content.set(hex(testCrypto.sha256(piece)), piece);
    return release;
  };
  const keyOf = (piece: Uint8Array): string => hex(testCrypto.sha256(piece));
  const asked = (world: BoardWorld): string[] =>
    wants(world).filter((key) => [one!, two!, three!, four!].some((piece) => keyOf(piece) === key));
  const first = of(1, [fileOf('big', [one!, two!, three!])]);
  const second = of(2, [fileOf('big', [four!, one!, three!, one!]), fileOf('same', [three!, two!])]);

  test('is not fetched: of a new release only the chunks that no file holds', () => {
    const world = paired();
    const before = placed(world, { release: first });
    world.assign(before).pass(3000);
    expect(asked(world)).toHaveLength(3);
    const after = placed(world, { release: second, lease: { term: 2 }, request: { sequence: 2 } });
    world.assign(after).pass(6000);
    expect(world.state(after.lease)?.state).toBe('running');
    expect(asked(world).slice(3)).toEqual([keyOf(four!)]);
  });

  test('and what leads to it goes from the store when no instance needs it, never that of a release to fall back to', () => {
    const world = paired();
    const before = placed(world, { release: first });
    world.assign(before).pass(3000);
    const fallback = { release: first.release, bakeMs: 1000 };
    const after = placed(world, { release: second, lease: { term: 2 }, request: { sequence: 2, fallback } });
    world.assign(after).pass(1_300_000);
    const held = (release: SmallRelease): boolean[] =>
      [hex(release.release), ...release.manifest.pages.map(hex)].map((key) => world.read((work) => documents.get(work, key)) !== null);
    expect([held(first), held(second)]).toEqual([
      [true, true],
      [true, true],
    ]);
    const last = placed(world, { release: second, lease: { term: 2 }, request: { sequence: 3 } });
    world.assign({ ...last, assigned: { ...last.assigned, lease: after.assigned.lease } }).pass(5000);
    world.assign().pass(1_300_000);
    expect([held(first), held(second)]).toEqual([
      [false, false],
      [false, false],
    ]);
    expect(world.read((work) => documents.all(work))).toEqual([]);
    world.assign(placed(world, { release: first, lease: { term: 3 }, request: { sequence: 4 } })).pass(20_000);
    expect(held(first)).toEqual([true, true]);
  });

  test('is asked for once where it belongs to several places', () => {
    const world = paired();
    const only = placed(world, { release: second });
    world.assign(only).pass(3000);
    expect(world.state(only.lease)?.state).toBe('running');
    expect(asked(world).sort()).toEqual([one!, two!, three!, four!].map(keyOf).sort());
  });

  test('outlives the power and a change of gateways, and is not fetched twice', () => {
    const world = paired();
    const only = placed(world, { release: second });
    takeAway(world, keyOf(two!));
    world.assign(only).pass(3000);
    expect(asked(world)).toHaveLength(4);
    world.home.up = false;
    world.reboot();
    world.hold();
    for (const gateway of world.gateways) gateway.shelf.held.set(keyOf(two!), two!);
    world.pass(20_000);
    expect(world.state(only.lease)?.state).toBe('running');
    expect(asked(world).slice(4)).toEqual([keyOf(two!)]);
  });

  test('is asked for again where the card turned it over, and only that', () => {
    const world = paired();
    const only = placed(world, { release: second });
    takeAway(world, keyOf(two!));
    world.assign(only).pass(3000);
    world.files.rot({ hash: testCrypto.sha256(Buffer.concat([four!, one!, three!, one!])), executable: true });
    world.home.shelf.held.set(keyOf(two!), two!);
    world.reboot().pass(20_000);
    expect(world.state(only.lease)?.state).toBe('running');
    expect(asked(world).slice(4).sort()).toEqual([keyOf(two!)]);
  });

  test('makes no file of another content: a release whose pages lie is refused, and fetched no second time', () => {
    const world = paired();
    const lie = of(3, [fileOf('big', [one!, two!], testCrypto.sha256(four!))]);
    const only = placed(world, { release: lie });
    world.assign(only).pass(5 * PACE.patienceMs);
    expect(asked(world)).toHaveLength(2);
    expect(world.state(only.lease)).toMatchObject({ state: 'fetching', detail: expect.stringMatching(/^bad-release: /) });
    const checks = world.files.count('check');
    const other = placed(world, { lease: { index: 1 }, request: { name: 'other' } });
    world.assign(only, other).pass(3000);
    expect(world.state(other.lease)?.state).toBe('running');
    expect(world.files.count('check')).toBe(checks + 1);
  });

  test('is gathered once more where the card turned it over before its file was whole, and its release called no lie', () => {
    const world = paired();
    const held = placed(world, { release: of(3, [fileOf('big', [one!, two!])]) });
    world.assign(held).pass(3000);
    const before = asked(world).length;
    world.files.tears = 1;
    const other = placed(world, {
      release: of(4, [fileOf('big', [two!, one!])]),
      lease: { index: 1 },
      request: { name: 'other' },
    });
    world.assign(held, other).pass(3 * PACE.patienceMs);
    expect(world.state(other.lease)?.state).toBe('running');
    expect(world.files.tears).toBe(0);
    // What is right in it stays, and what is not lies in the other file still.
    expect(asked(world)).toHaveLength(before);
  });

  test('starts with no link, whatever else waits for one', () => {
    const world = paired();
    const waits = placed(world, { release: second });
    const ready = placed(world, { lease: { index: 1 }, request: { name: 'other' } });
    world.assign(ready).pass(3000);
    takeAway(world, keyOf(two!));
    world.assign(waits, ready).pass(3000);
    for (const gateway of world.gateways) gateway.up = false;
    world.reboot().pass(5000);
    expect([...world.engine.cells.values()].filter(({ running }) => running)).toHaveLength(1);
    expect(world.files.count('check')).toBeLessThan(9);
  });

  test('comes packed as well, and a frame that holds something else is refused', () => {
    const { world, one: lacks, key } = lacking();
    const right = lacks.release.content.get(key)!;
    const send = (bytes: Uint8Array): void => world.message('chunk', encodeAs(chunk, { v: 1, hash: fromHex(key), bytes }, 'chunk'));
    send(packZstd(new Uint8Array(right.length).fill(35)));
    world.pass(1000);
    expect(said(world, /chunk refused: bad-signature/)).toBe(true);
    expect(packZstd(right).length).toBeLessThan(right.length / 4);
    // Asked for again, of a gateway that still does not have it.
    world.pass(PACE.patienceMs);
    send(packZstd(right));
    world.pass(1000);
    expect(world.state(lacks.lease)?.state).toBe('running');
  });
});

describe('a window', () => {
  const many = (count = 20): Placed['release'] => {
    const pieces = Array.from({ length: count }, (_, i) => Buffer.alloc(100, `piece ${i} `));
    const chunks = pieces.map((piece) => [testCrypto.sha256(piece), 100] as [Uint8Array, number]);
    const file: Entry = {
      kind: 'file',
      path: 'big',
      executable: true,
      hash: testCrypto.sha256(Buffer.concat(pieces)),
      bytes: 100 * count,
      chunks,
    };
    const release = smallRelease({ recipe: 'many', args: ['/big'] }, { tree: [[file]] });
    for (const piece of [...pieces, encodeAs(pageSchema, { v: 1, entries: [file] }, 'page')])
      release.content.set(hex(testCrypto.sha256(piece)), piece);
    return { ...release, chunks: pieces.map((piece) => hex(testCrypto.sha256(piece))) };
  };

  test('bounds what is asked for at a time, and halves when nothing comes [delivery-8]', () => {
    const world = paired();
    const release = many();
    const one = placed(world, { release });
    for (const key of release.chunks) takeAway(world, key);
    world.assign(one).pass(3000);
    const asked = (): number => wants(world).filter((key) => release.chunks.includes(key)).length;
    expect(asked()).toBe(LIMITS.wantWindow);
    for (const key of release.chunks) world.home.shelf.held.set(key, release.content.get(key)!);
    world.pass(PACE.patienceMs + 2000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(Math.max(...world.gateways.flatMap(({ wanted }) => wanted.map((hashes) => hashes.length)))).toBeLessThanOrEqual(
      LIMITS.wantWindowMost,
    );
    expect(asked()).toBe(20 + LIMITS.wantWindow);
    // Never one by one, as long as there is more to ask for.
    const asking = world.gateways.flatMap(({ wanted }) => wanted).filter((hashes) => hashes.some((hash) => release.chunks.includes(hash)));
    expect(asking.length).toBeLessThan(20 / 2 + 2);
  });

  test.each([
    ['a near', LIMITS.wantFarMs / 10, LIMITS.wantWindowMost],
    ['a far', LIMITS.wantFarMs * 2, LIMITS.wantWindowFar],
  ])('holds as much as %s way does [delivery-8]', (_, wayMs, limit) => {
    const world = paired();
    const release = many(1500);
    const hear = world.home.hear.bind(world.home);
    let [under, most] = [0, 0];
    world.home.hear = (topic, payload, answer) => {
      if (topic === 'want') under += decodeAs(want, payload, 'want').hashes.length;
      most = Math.max(most, under);
      hear(topic, payload, (back, bytes) => {
        if (back !== 'chunk') return answer(back, bytes);
        world.clock.after(wayMs, () => {
          under -= 1;
          answer(back, bytes);
        });
      });
    };
    const one = placed(world, { release });
    world.assign(one).pass(30_000);
    expect(world.state(one.lease)?.state).toBe('running');
    expect(most).toBeLessThanOrEqual(limit);
    expect(most).toBeGreaterThan(limit * 0.75);
  });

  test('of a far way is never asked for so often that a gateway that cannot send hangs up [delivery-9]', () => {
    const world = paired();
    const release = many(1500);
    const hear = world.home.hear.bind(world.home);
    let [stuck, asked] = [false, 0];
    world.home.hear = (topic, payload, answer) => {
      if (topic === 'want') asked += decodeAs(want, payload, 'want').hashes.length;
      hear(topic, payload, (back, bytes) => {
        if (back !== 'chunk') return answer(back, bytes);
        world.clock.after(LIMITS.wantFarMs * 2, () => {
          if (stuck) return;
          asked -= 1;
          answer(back, bytes);
        });
      });
    };
    world.assign(placed(world, { release }));
    for (let waited = 0; asked <= LIMITS.wantWindowFar / 2 && waited < 10_000; waited += 50) world.pass(50);
    expect(asked).toBeGreaterThan(LIMITS.wantWindowFar / 2);
    stuck = true;
    let most = 0;
    for (let waited = 0; waited < 12 * PACE.patienceMs; waited += 1000) {
      world.pass(1000);
      most = Math.max(most, asked);
    }
    expect(most).toBeGreaterThan(2 * LIMITS.wantWindowFar);
    expect(most).toBeLessThanOrEqual(LIMITS.wantsWaiting);
  });
});

describe('a full card', () => {
  test('is told, tried again now and then, and not all the time', () => {
    const world = paired();
    const one = placed(world);
    world.files.full = true;
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'fetching', detail: expect.stringMatching(/^storage-full: as told/) });
    const before = wants(world).length;
    world.pass(5 * PACE.patienceMs);
    expect(world.files.count('check')).toBeGreaterThan(2);
    expect(world.files.count('check')).toBeLessThan(8);
    expect(wants(world).length - before).toBeLessThan(20);
    world.files.full = false;
    world.pass(2 * PACE.patienceMs);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', detail: '' });
  });
});
