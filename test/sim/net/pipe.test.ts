import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Net, WINDOW_BYTES } from '../../../sim/net/lane.ts';
import { openPipe, type PipeEnd } from '../../../sim/net/pipe.ts';
import { enterStage, type Stage } from '../../../sim/net/stage.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';
import { type VirtualClock, virtualClock } from '../../../sim/world/clock.ts';
import { Ways } from './ways.ts';

/** What Node itself reads and writes ahead. */
const AHEAD_BYTES = 64 * 1024;

let clock: VirtualClock;
let stage: Stage;
let ways: Ways;
let net: Net;
/** Kernels that are down. */
let down: Set<string>;
const begin = (seed = 'pipe'): void => {
  clock = virtualClock();
  const chance = chanceFrom(seed);
  stage = enterStage({ clock, chance, epochMs: 0 });
  ways = new Ways(chance.fork('ways'), () => clock.nowMs);
  net = { clock, paths: ways, chance: chance.fork('segments'), touch: stage.touch, tap: () => {} };
  down = new Set();
};
beforeEach(() => begin());
afterEach(() => stage.leave());

const runTo = async (atMs: number): Promise<void> => {
  for (;;) {
    await stage.settled();
    const next = clock.next();
    if (next === null || next > atMs) break;
    clock.step();
  }
  clock.runTo(atMs);
};

const host = (at: string) => ({ at, answers: () => !down.has(at) });

/** What becomes of an end, in words, each with its moment. */
const listen = (end: PipeEnd) => {
  const told: string[] = [];
  const chunks: Buffer[] = [];
  const tell = (word: string) => told.push(`${word} ${clock.nowMs}`);
  end.on('data', (chunk: Buffer) => chunks.push(chunk));
  end.on('end', () => tell('end'));
  end.on('error', (error: NodeJS.ErrnoException) => tell(String(error.code)));
  end.on('close', () => tell('close'));
  return { told, bytes: () => Buffer.concat(chunks), text: () => Buffer.concat(chunks).toString() };
};

/** A connection that both ends know of. */
const open = async (): Promise<{ near: PipeEnd; far: PipeEnd }> => {
  const ends = openPipe(net, host('a'), host('b'), () => {});
  stage.touch();
  await runTo(clock.nowMs + 100);
  return ends;
};

/** When the way is asked for anything, from now on. */
const listenToWays = (): number[] => {
  const asked: number[] = [];
  const { delayMs } = ways;
  const startMs = clock.nowMs;
  ways.delayMs = (...way) => {
    asked.push(clock.nowMs - startMs);
    return delayMs.apply(ways, way);
  };
  return asked;
};

describe('bytes', () => {
  test('take as long as the way says', async () => {
    const { near, far } = await open();
    const there = listen(far);
    near.write('moin');
    await runTo(120);
    expect(there.text()).toBe('');
    await runTo(121);
    expect(there.text()).toBe('moin');
  });

  test('take as long in pieces as in one', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.bytesPerMs = 10;
    for (let i = 0; i < 10; i++) near.write(Buffer.alloc(1000));
    await runTo(100 + 20 + 1000);
    expect(there.bytes().length).toBeLessThan(10_000);
    await runTo(100 + 20 + 1000 + 100);
    expect(there.bytes().length).toBe(10_000);
  });

  test('that were sent later wait for those before them', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.latencyMs = 500;
    near.write('one,');
    await runTo(110);
    ways.latencyMs = 20;
    near.write('two');
    await runTo(600);
    expect(there.text()).toBe('');
    await runTo(601);
    expect(there.text()).toBe('one,two');
  });

  test('belong to the one who reads them', async () => {
    const { near, far } = await open();
    const there = listen(far);
    const written = Buffer.from('mine');
    near.write(written);
    await runTo(110);
    written.fill('x');
    await runTo(200);
    there.bytes().fill('y');
    expect([there.text(), written.toString()]).toEqual(['mine', 'xxxx']);
  });

  test('come whole, once and in order, whatever the way does to them', async () => {
    stage.leave();
    const setting = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 20 }),
      seed: fc.string(),
      jitterMs: fc.integer({ min: 0, max: 200 }),
      lossPermille: fc.integer({ min: 0, max: 300 }),
      bytesPerMs: fc.integer({ min: 20, max: 10_000 }),
    });
    await fc.assert(
      fc.asyncProperty(setting, async ({ sizes, seed, ...way }) => {
        begin(seed);
        try {
          const { near, far } = await open();
          Object.assign(ways, way);
          const [there, back] = [listen(far), listen(near)];
          const written = Buffer.concat(sizes.map((size, i) => Buffer.alloc(size, `${i}:${size};`)));
          for (let at = 0, i = 0; at < written.length; at += sizes[i++] ?? 1) near.write(written.subarray(at, at + (sizes[i] ?? 1)));
          far.write('and back');
          near.end();
          await runTo(3_600_000);
          expect(there.bytes().equals(written)).toBe(true);
          expect(back.text()).toBe('and back');
          expect(there.told.map((word) => word.split(' ')[0])).toEqual(['end', 'close']);
          expect(back.told.map((word) => word.split(' ')[0])).toEqual(['end', 'close']);
        } finally {
          stage.leave();
        }
      }),
      { numRuns: 40 },
    );
  });

  test('come in pieces now and then, so that nobody counts on a packet coming whole', async () => {
    const { near, far } = await open();
    const pieces: number[] = [];
    far.on('data', (chunk: Buffer) => pieces.push(chunk.length));
    for (let i = 0; i < 300; i++) {
      near.write('packet');
      await runTo(clock.nowMs + 50);
    }
    expect(pieces.reduce((sum, length) => sum + length)).toBe(1800);
    expect(pieces.some((length) => length < 6)).toBe(true);
    expect(pieces.filter((length) => length === 6).length).toBeGreaterThan(250);
  });
});

describe('a way that loses everything', () => {
  test('stalls the stream until it heals, and nothing is missing then', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.cut('a', 'b');
    near.write('one,');
    await runTo(30_000);
    near.write('two');
    expect(there.text()).toBe('');
    ways.heal();
    await runTo(90_000);
    expect([there.text(), there.told]).toEqual(['one,two', []]);
  });

  test('is tried more and more seldom, as TCP does', async () => {
    const { near } = await open();
    const asked = listenToWays();
    ways.cut('a', 'b');
    near.write('?');
    near.write('!');
    await runTo(20_000);
    expect(asked).toEqual([0, 242, 726, 1694, 3630, 7502, 15246]);
  });

  test('is tried by one time-out at a time, also when it is the machine that does not answer', async () => {
    const { near, far } = await open();
    down.add('b');
    far.vanish();
    const asked = listenToWays();
    near.write('?');
    await runTo(110);
    near.write('!');
    await runTo(2000);
    // Both pieces each time; the time-out runs from the moment at which the first did not come.
    expect(asked).toEqual([0, 10, 263, 263, 768, 768, 1757, 1757]);
  });

  test('is given up after a quarter of an hour, and only by who has something to send', async () => {
    const { near, far } = await open();
    const [here, there] = [listen(near), listen(far)];
    ways.cut('a', 'b');
    near.write('?');
    await runTo(900_000);
    expect(here.told).toEqual([]);
    await runTo(1_200_000);
    expect(here.told.map((word) => word.split(' ')[0])).toEqual(['ETIMEDOUT', 'close']);
    expect(there.told).toEqual([]);
  });

  test('in one direction lets a window through and no more', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.lost.add('b>a');
    near.write(Buffer.alloc(2 * WINDOW_BYTES));
    await runTo(60_000);
    expect(there.bytes().length).toBe(WINDOW_BYTES);
    ways.heal();
    await runTo(120_000);
    expect(there.bytes().length).toBe(2 * WINDOW_BYTES);
  });
});

describe('a reader that does not read', () => {
  test('holds the writer up, and then gets all of it', async () => {
    const { near, far } = await open();
    let taken = 0;
    for (let i = 0; i < 64; i++) near.write(Buffer.alloc(16 * 1024), () => taken++);
    await runTo(10_000);
    expect(taken * 16 * 1024).toBeGreaterThanOrEqual(WINDOW_BYTES - AHEAD_BYTES);
    expect(taken * 16 * 1024).toBeLessThanOrEqual(WINDOW_BYTES + AHEAD_BYTES + 16 * 1024);
    expect(near.writableNeedDrain).toBe(true);
    const there = listen(far);
    stage.touch();
    await runTo(60_000);
    expect([taken, there.bytes().length, near.writableNeedDrain]).toEqual([64, 64 * 16 * 1024, false]);
  });

  test('and closes: the writer is told that something was lost', async () => {
    const { near, far } = await open();
    const here = listen(near);
    near.write(Buffer.alloc(WINDOW_BYTES));
    await runTo(10_000);
    far.destroy();
    await runTo(20_000);
    expect(here.told.map((word) => word.split(' ')[0])).toEqual(['ECONNRESET', 'close']);
  });
});

describe('an end', () => {
  test('that closes is heard after what it wrote', async () => {
    const { near, far } = await open();
    const there = listen(far);
    near.end('bye');
    await runTo(200);
    expect([there.text(), there.told]).toEqual(['bye', ['end 121', 'close 121']]);
  });

  test('whose process is killed is heard too, and answers with a reset from then on', async () => {
    const { near, far } = await open();
    const there = listen(far);
    near.write('last words');
    await runTo(101);
    near.kill();
    far.write('are you there?');
    await runTo(1000);
    expect(there.text()).toBe('last words');
    expect(there.told.map((word) => word.split(' ')[0])).toEqual(['end', 'close']);
  });

  test('whose process is killed while the way loses everything is heard of once it heals', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.lost.add('a>b');
    near.kill();
    far.write('?');
    await runTo(2000);
    expect(there.told).toEqual([]);
    ways.heal();
    await runTo(10_000);
    expect(there.told[0]).toMatch(/^(end|ECONNRESET) /);
    expect(there.told[1]).toMatch(/^close /);
  });

  test('whose machine vanishes is not heard of: what it had sent still comes, nothing else', async () => {
    const { near, far } = await open();
    const there = listen(far);
    near.write('sent');
    await runTo(105);
    down.add('a');
    near.vanish();
    far.write('hello?');
    await runTo(600_000);
    expect([there.text(), there.told]).toEqual(['sent', []]);
    // Powered again, its kernel knows nothing of the connection.
    down.clear();
    await runTo(900_000);
    expect(there.told.map((word) => word.split(' ')[0])).toEqual(['ECONNRESET', 'close']);
  });

  test('that vanished takes with it what the way had not taken yet', async () => {
    const { near, far } = await open();
    const there = listen(far);
    ways.cut('a', 'b');
    near.write('never sent');
    await runTo(150);
    near.vanish();
    ways.heal();
    await runTo(600_000);
    expect([there.text(), there.told]).toEqual(['', []]);
  });

  test('that was dialled hears of it when the way lets it, and not after it has ended', async () => {
    const accepted: number[] = [];
    openPipe(net, host('a'), host('b'), () => accepted.push(clock.nowMs));
    await runTo(100);
    expect(accepted).toEqual([21]);
    const { near, far } = openPipe(net, host('a'), host('b'), () => expect.unreachable());
    const here = listen(near);
    far.kill();
    await runTo(200);
    expect(here.told.length).toBeGreaterThan(0);
  });
});
