/** What is typed after `lichen-runtime`, before anything is looked at or made. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checked } from '../../runtime/words.ts';

test('every path is one from the root, from where it was typed', () => {
  const typed = { data: 'board', stick: './stick', notes: '../notes', slots: '/run/slots', after: 'go', capacity: 'cpu=1', status: true };
  expect(checked(typed)).toEqual({
    ...{ data: join(process.cwd(), 'board'), stick: join(process.cwd(), 'stick'), notes: join(process.cwd(), '../notes') },
    ...{ slots: '/run/slots', after: join(process.cwd(), 'go'), capacity: 'cpu=1', status: true },
  });
  // Not the folder that one stands in, where nothing was said.
  expect(checked({ data: '' })).toEqual({ data: '' });
});

test('a tier that is none is refused, with what there is', () => {
  expect(checked({ tier: 'dev' })).toEqual({ tier: 'dev' });
  expect(() => checked({ tier: 'bogus' })).toThrow(
    expect.objectContaining({
      code: 'bad-usage',
      detail: expect.stringContaining('dev'),
      next: expect.stringContaining('lichen-runtime --help'),
    }),
  );
});

test.each(['', 'bogus', 'LICHEN1:', 'LICHEN1:0189', 'LICHEN1:MFRGG'])('a claim that is none (%j) is told what to paste', (claim) => {
  expect(() => checked({ claim })).toThrow(
    expect.objectContaining({ code: 'bad-usage', next: expect.stringContaining('`lichen board claim` prints') }),
  );
});
