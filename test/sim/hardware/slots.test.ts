import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Slot, Slots } from '../../../sim/hardware/slots.ts';

describe('slots', () => {
  test('a new system that is confirmed stays', () => {
    const slots = new Slots();
    expect(slots.spare).toBe('b');
    slots.try();
    expect(slots.boot()).toBe('b');
    slots.confirm();
    expect([slots.boot(), slots.spare]).toEqual(['b', 'a']);
  });

  test('one that is not is tried once, or as often as it may, and then the old one is back', () => {
    const slots = new Slots();
    slots.try();
    expect([slots.boot(), slots.boot(), slots.boot()]).toEqual(['b', 'a', 'a']);
    slots.try(3);
    expect([slots.boot(), slots.boot(), slots.boot(), slots.boot()]).toEqual(['b', 'b', 'b', 'a']);
  });

  test('nothing but a confirmation changes what is booted in the end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('boot', 'try', 'confirm'), { maxLength: 30 }), (deeds) => {
        const slots = new Slots();
        let well: Slot = 'a';
        for (const deed of deeds) {
          if (deed === 'boot') slots.boot();
          else if (deed === 'try') slots.try();
          else {
            slots.confirm();
            well = slots.booted;
          }
        }
        slots.boot();
        expect(slots.boot()).toBe(well);
      }),
    );
  });
});
