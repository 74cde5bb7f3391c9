import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyOrder } from '../../../sim/world/key-order.ts';
import { runs } from '../../support/properties.ts';

const key = fc.nat(60).map((n) => `t/${String(n).padStart(2, '0')}`);
const step = fc.record({ kind: fc.constantFrom('put', 'put', 'delete', 'walk'), key, to: key, reverse: fc.boolean(), takes: fc.nat(9) });

test('keys are walked through in order, whatever came and went between two looks (property)', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 80 }), fc.integer({ min: 2, max: 9 }), (first, steps, most) => {
      const order = new KeyOrder([...first], most);
      const held = new Set(first);
      for (const { kind, key: at, to, reverse, takes } of steps) {
        if (kind === 'put' && !held.has(at)) {
          held.add(at);
          order.add(at);
        } else if (kind === 'delete' && held.delete(at)) order.delete(at);
        else if (kind === 'walk') {
          const seen: string[] = [];
          order.walk(at, to, reverse, (one) => seen.push(one) <= takes);
          const all = [...held].filter((one) => one >= at && one < to).sort();
          expect(seen).toEqual((reverse ? all.reverse() : all).slice(0, takes + 1));
        }
      }
    }),
    runs(300),
  );
});
