/** Waves and times of the day as they are written, and a rollout as it is told. */
import { describe, expect, test } from 'vitest';
import { withoutEmpty } from '../../../gateway/cli/empty-waves.ts';
import { rolloutOf, rolloutText, waveOfReplica, waveText, windowsOf, windowText } from '../../../gateway/cli/waves.ts';

describe('a wave that takes in nobody', () => {
  const plan = rolloutOf(['label=atic', '1'], '0')!;
  const labels = [['attic'], ['cellar', 'attic'], []];

  test('is refused with what there is, and what to do', () => {
    expect(() => withoutEmpty(plan, labels, 'boards', false)).toThrow(
      expect.objectContaining({
        code: 'bad-usage',
        detail:
          '--wave label=atic takes in nobody: of 3 boards none has that label; they have attic, cellar. Name one of these, or leave such waves out with --skip-empty',
      }),
    );
    expect(() => withoutEmpty(plan, [[], []], 'boards', false)).toThrow(/they have no labels/);
  });

  test('is left out where that is asked for, and not all of them', () => {
    expect(withoutEmpty(plan, labels, 'boards', true)).toEqual({ waves: [{ kind: 'count', count: 1 }], tolerated: 0 });
    expect(() => withoutEmpty(rolloutOf(['label=atic'], '0')!, labels, 'boards', true)).toThrow(/without --wave it reaches all at once/);
  });

  test('is none of which the boards were taken in before', () => {
    const nested = rolloutOf(['2', '1%', 'label=attic'], '0')!;
    expect(withoutEmpty(nested, [['attic'], [], []], 'boards', false)).toBe(nested);
  });
});

describe('on the command line', () => {
  test('waves are a number, a share or a label', () => {
    const { waves, tolerated } = rolloutOf(['1', '25%', 'label=attic'], '2')!;
    expect(tolerated).toBe(2);
    expect([...waves.map(waveText), waveText(undefined)]).toEqual([
      'the first 1',
      'the first 25 %',
      'boards with label attic',
      'all others',
    ]);
    expect(rolloutOf(undefined, '0')).toBeUndefined();
  });

  test.each(['0', '65', '0%', '101%', 'label=', 'label=A b', 'half', '-1'])('%s is no wave', (text) => {
    expect(() => rolloutOf([text], '0')).toThrow(expect.objectContaining({ code: 'bad-usage', detail: expect.stringContaining('--wave') }));
  });

  test('times of the day may go over midnight or round the clock', () => {
    const windows = windowsOf(['01:00-04:30', '23:00-01:00', '06:00-06:00'])!;
    expect(windows).toEqual([
      { fromMinute: 60, minutes: 210 },
      { fromMinute: 1380, minutes: 120 },
      { fromMinute: 360, minutes: 1440 },
    ]);
    expect(windows.map(windowText)).toEqual(['01:00-04:30 UTC', '23:00-01:00 UTC', '06:00-06:00 UTC']);
  });

  test.each(['1:00-2:00', '24:00-01:00', '01:60-02:00', '01:00', ''])('"%s" is no time of the day', (text) => {
    expect(() => windowsOf([text])).toThrow(expect.objectContaining({ code: 'bad-usage', detail: expect.stringContaining('--window') }));
  });
});

test('a rollout says where each replica stands, why, and what can be done', () => {
  const view = {
    plan: { waves: [{ kind: 'count' as const, count: 1 }], tolerated: 0 },
    ...{ state: 'halted' as const, wave: 1, of: 2, why: 'replica 0: no answer', next: 'go back' },
    replicas: [
      { index: 0, wave: 1, trial: 'failed' as const, why: 'no answer' },
      { index: 1, wave: 2, trial: 'old' as const, why: '' },
    ],
  };
  expect(rolloutText(view)).toEqual([
    'rollout halted, wave 1 of 2: replica 0: no answer',
    '  0: wave 1, fell back: no answer',
    '  1: wave 2, runs the release before',
    'next: go back',
  ]);
  expect([0, 1, 2].map((index) => waveOfReplica(view, index))).toEqual(['1/2 failed', '2/2 halted', '']);
});
