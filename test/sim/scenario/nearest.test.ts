import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearest } from '../../../sim/scenario/nearest.ts';

test.each([
  ['gatways', ['gateways', 'boards'], 'gateways'],
  ['cuont', ['count', 'joins'], 'count'],
  ['LINK', ['links', 'link'], 'link'],
  ['power-cut', ['link-cut', 'peer-cut'], 'peer-cut'],
  ['zebra', ['boards', 'gateways'], null],
  ['x', [], null],
])('%s of %j is %s', (word, words, meant) => {
  expect(nearest(word, words)).toBe(meant);
});

test('a word that is there is found, and one letter wrong finds it again', () => {
  const word = fc.stringMatching(/^[a-z]{4,12}$/);
  fc.assert(
    fc.property(word, fc.nat({ max: 3 }), (meant, at) => {
      expect(nearest(meant, ['zzzzzzzzzzzzzzzzzzzz', meant])).toBe(meant);
      expect(nearest(`${meant.slice(0, at)}Q${meant.slice(at + 1)}`, ['zzzzzzzzzzzzzzzzzzzz', meant])).toBe(meant);
    }),
  );
});
