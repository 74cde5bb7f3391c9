import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Radio, RETRIES_MOST, RTO_LEAST_MS, RTO_MOST_MS } from '../../../sim/hardware/radio.ts';
import type { LinkSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const line: LinkSpec = { latencyMs: 10, jitterMs: 0, lossPermille: 0, bytesPerS: 1_000_000 };

describe('radio', () => {
  test('latency, and the time that the bytes with their headers take', () => {
    const radio = new Radio(line);
    expect(radio.delayMs(0, 948, chanceFrom('a'))).toBe(11);
    // 10 packets of 1448 and 52 bytes of header: 15 ms.
    expect(radio.delayMs(1000, 14_480, chanceFrom('a'))).toBe(25);
  });

  test('what is sent at once waits in the queue', () => {
    const radio = new Radio(line);
    const chance = chanceFrom('a');
    expect(Array.from({ length: 4 }, () => radio.delayMs(0, 948, chance))).toEqual([11, 12, 13, 14]);
    radio.reset(0);
    expect(radio.delayMs(0, 948, chance)).toBe(11);
  });

  test('a lost packet costs a time-out of at least 200 ms, which doubles, and holds up the next message', () => {
    const radio = new Radio({ ...line, lossPermille: 500 });
    const draws = [0, 0.9, 0.9, 0.1];
    const scripted = { unit: () => draws.shift() ?? 0 };
    expect(radio.delayMs(0, 948, scripted)).toBe(11 + RTO_LEAST_MS + 2 * RTO_LEAST_MS);
    // Sent 5 ms later, through at the first try, and yet not before the first.
    expect(radio.delayMs(5, 948, { unit: () => 0 })).toBe(11 + 3 * RTO_LEAST_MS - 5);
  });

  test('over a satellite the time-out follows the way', () => {
    const radio = new Radio({ latencyMs: 300, jitterMs: 40, lossPermille: 500, bytesPerS: 1e9 });
    const draws = [0, 0.9, 0.1];
    expect(radio.delayMs(0, 1, { unit: () => draws.shift() ?? 0 })).toBe(301 + 2 * 300 + 40 + 80);
  });

  test('with nothing getting through it gives up after the 924.6 s that Linux takes', () => {
    const radio = new Radio({ ...line, latencyMs: 0, lossPermille: 1000, bytesPerS: 1e12 });
    expect(radio.delayMs(0, 1, chanceFrom('a'))).toBe(924_601);
    let sum = 0;
    for (let tries = 0; tries <= RETRIES_MOST; tries++) sum += Math.min(RTO_MOST_MS, RTO_LEAST_MS * 2 ** tries);
    expect(sum).toBe(924_600);
  });

  test('of single packets as many are late as are lost', () => {
    const chance = chanceFrom('loss');
    let late = 0;
    for (let i = 0; i < 20_000; i++) if (new Radio({ ...line, lossPermille: 50 }).delayMs(0, 100, chance) > 100) late++;
    expect(late / 20_000).toBeCloseTo(0.05, 2);
    late = 0;
    // Of 10 packets one at least: 1 - 0.95^10.
    for (let i = 0; i < 20_000; i++) if (new Radio({ ...line, lossPermille: 50 }).delayMs(0, 14_480, chance) > 100) late++;
    expect(late / 20_000).toBeCloseTo(1 - 0.95 ** 10, 1);
  });

  test('order is kept, nothing is quicker than the line, and the same seed gives the same', () => {
    const link = fc.record({
      latencyMs: fc.integer({ min: 0, max: 600 }),
      jitterMs: fc.integer({ min: 0, max: 500 }),
      lossPermille: fc.integer({ min: 0, max: 900 }),
      bytesPerS: fc.integer({ min: 10, max: 10_000_000 }),
    });
    const sends = fc.array(fc.record({ afterMs: fc.nat(500), bytes: fc.nat(70_000) }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(link, sends, fc.string(), (spec, messages, seed) => {
        const run = (): number[] => {
          const radio = new Radio(spec);
          const chance = chanceFrom(seed);
          let atMs = 0;
          return messages.map(({ afterMs, bytes }) => {
            atMs += afterMs;
            const delayMs = radio.delayMs(atMs, bytes, chance);
            expect(Number.isSafeInteger(delayMs)).toBe(true);
            expect(delayMs).toBeGreaterThanOrEqual(spec.latencyMs + Math.floor((bytes * 1000) / spec.bytesPerS));
            return atMs + delayMs;
          });
        };
        const arrivals = run();
        expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b));
        expect(run()).toEqual(arrivals);
      }),
    );
  });
});
