/** The cost of registers: docs/spec/metering.md, "Money". */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costMicro, within, ZERO } from '../../../runtime/protocol/money.ts';
import type { Registers } from '../../../runtime/protocol/nouns/board.ts';
import type { Rates } from '../../../runtime/protocol/nouns/request.ts';

const FREE: Rates = { wallHour: 0n, cpuSecond: 0n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n };
const counter = fc.bigInt({ min: 0n, max: 2n ** 50n });
const registers: fc.Arbitrary<Registers> = fc.record({
  ...{ wallMs: counter, cpuMicros: counter, memoryMibS: counter, netInBytes: counter },
  ...{ netOutBytes: counter, diskBytes: counter, diskMibS: counter, energyMj: counter },
});
const rates: fc.Arbitrary<Rates> = fc.record({
  wallHour: counter,
  cpuSecond: counter,
  memoryMibHour: counter,
  netMib: counter,
  diskMib: counter,
  dataMibHour: counter,
});
const add = (a: Registers, b: Registers): Registers => ({
  ...{ wallMs: a.wallMs + b.wallMs, cpuMicros: a.cpuMicros + b.cpuMicros, memoryMibS: a.memoryMibS + b.memoryMibS },
  ...{ netInBytes: a.netInBytes + b.netInBytes, netOutBytes: a.netOutBytes + b.netOutBytes },
  ...{ diskBytes: a.diskBytes + b.diskBytes, diskMibS: a.diskMibS + b.diskMibS, energyMj: a.energyMj + b.energyMj },
});

describe('the cost [metering-23]', () => {
  // One unit of each register at a rate of one currency unit (10^9 nano) is 10^6 micro.
  test.each<[string, Partial<Registers>, Partial<Rates>]>([
    ['an hour', { wallMs: 3_600_000n }, { wallHour: 10n ** 9n }],
    ['a second of CPU', { cpuMicros: 1_000_000n }, { cpuSecond: 10n ** 9n }],
    ['a MiB for an hour', { memoryMibS: 3600n }, { memoryMibHour: 10n ** 9n }],
    ['a MiB in', { netInBytes: 1_048_576n }, { netMib: 10n ** 9n }],
    ['a MiB out', { netOutBytes: 1_048_576n }, { netMib: 10n ** 9n }],
    ['a MiB written', { diskBytes: 1_048_576n }, { diskMib: 10n ** 9n }],
    ['a MiB held for an hour', { diskMibS: 3600n }, { dataMibHour: 10n ** 9n }],
  ])('of %s is its rate, exactly', (_name, used, rate) => {
    expect(costMicro({ ...ZERO, ...used }, { ...FREE, ...rate })).toBe(1_000_000n);
    const [name, amount] = Object.entries(used)[0]!;
    expect(costMicro({ ...ZERO, [name]: amount - 1n }, { ...FREE, ...rate })).toBeLessThan(1_000_000n);
  });

  test('counts what is metered and has no rate as nothing', () => {
    expect(
      costMicro(
        { ...ZERO, energyMj: 10n ** 15n },
        { wallHour: 1n, cpuSecond: 1n, memoryMibHour: 1n, netMib: 1n, diskMib: 1n, dataMibHour: 1n },
      ),
    ).toBe(0n);
  });

  test('is rounded down once, over the sum', () => {
    const rate = { ...FREE, wallHour: 3_600_000n * 500n, cpuSecond: 1_000_000n * 500n };
    expect(costMicro({ ...ZERO, wallMs: 1n }, rate)).toBe(0n);
    expect(costMicro({ ...ZERO, wallMs: 1n, cpuMicros: 1n }, rate)).toBe(1n);
  });

  test('telescopes: slices of a life come to the cost of the life', () => {
    fc.assert(
      fc.property(fc.array(registers, { minLength: 1, maxLength: 12 }), rates, (steps, rate) => {
        let [at, charged] = [ZERO, 0n];
        for (const step of steps) {
          const next = add(at, step);
          charged += costMicro(next, rate) - costMicro(at, rate);
          at = next;
        }
        expect(charged).toBe(costMicro(at, rate));
      }),
    );
  });

  test('never falls, and is within a unit of the sum of its parts', () => {
    fc.assert(
      fc.property(registers, registers, rates, (a, b, rate) => {
        const [whole, parts] = [costMicro(add(a, b), rate), costMicro(a, rate) + costMicro(b, rate)];
        expect(whole - parts === 0n || whole - parts === 1n).toBe(true);
      }),
    );
  });
});

test('rates are within a cap only if each is', () => {
  fc.assert(
    fc.property(rates, fc.constantFrom('wallHour', 'cpuSecond', 'memoryMibHour', 'netMib', 'diskMib', 'dataMibHour'), (cap, name) => {
      expect(within(cap, cap)).toBe(true);
      expect(within(FREE, cap)).toBe(true);
      expect(within({ ...cap, [name]: cap[name] + 1n }, cap)).toBe(false);
    }),
  );
});
