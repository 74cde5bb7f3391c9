import { expect, test } from 'vitest';
import { memo } from '../../../runtime/protocol/memo.ts';

const keys = (count: number): object[] => Array.from({ length: count }, (_, number) => ({ number }));

test('remembers what was told or asked for lately, and no more than twice that many', () => {
  const held = memo<object, number>(4);
  const all = keys(12);
  all.forEach((key, at) => held.set(key, at));
  // From the back: to ask is to be remembered.
  const known = all.toReversed().filter((key) => held.get(key) !== undefined);
  expect(known.length).toBeGreaterThanOrEqual(4);
  expect(known.length).toBeLessThanOrEqual(8);
  expect(all.slice(-4).map((key) => held.get(key))).toEqual([8, 9, 10, 11]);
});

test('what is asked for again and again stays', () => {
  const held = memo<object, string>(4);
  const asked = {};
  held.set(asked, 'here');
  for (const key of keys(100)) {
    held.set(key, 'other');
    expect(held.get(asked)).toBe('here');
  }
});

test('what was told last holds', () => {
  const held = memo<object, number>(2);
  const [one = {}] = keys(1);
  for (let at = 0; at < 10; at++) held.set(one, at);
  expect(held.get(one)).toBe(9);
});
