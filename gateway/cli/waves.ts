/** Waves and times of the day on the command line, and how far a rollout has come, in words. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Rollout, rollout, type Wave, wave } from '../../runtime/protocol/nouns/request.ts';
import { type Window, windows } from '../../runtime/protocol/nouns/windows.ts';
import type { RolloutView } from './answers.ts';
import { misused, wholeNumber, word } from './words.ts';

const PERMILLE_PER_PERCENT = 10;

/** `2` replicas, `25%` of them, or `label=attic`. */
const waveOf = (text: string): Wave => {
  const label = /^label=(.+)$/.exec(text)?.[1];
  if (label !== undefined) return word(wave, { kind: 'label', label }, '--wave');
  const percent = /^(\d{1,3})%$/.exec(text)?.[1];
  if (percent !== undefined) return word(wave, { kind: 'share', permille: Number(percent) * PERMILLE_PER_PERCENT }, '--wave');
  return /^\d{1,3}$/.test(text)
    ? word(wave, { kind: 'count', count: Number(text) }, '--wave')
    : misused(`--wave is a number of replicas, a share such as 25%, or label=NAME, not "${text}"`);
};

export const waveText = (one: Wave | undefined): string => {
  if (one === undefined) return 'all others';
  if (one.kind === 'label') return `boards with label ${one.label}`;
  return one.kind === 'count' ? `the first ${one.count}` : `the first ${one.permille / PERMILLE_PER_PERCENT} %`;
};

export const rolloutOf = (waves: string[] | undefined, tolerate: string): Rollout | undefined =>
  waves === undefined
    ? undefined
    : word(rollout, { waves: waves.map(waveOf), tolerated: wholeNumber(tolerate, '--tolerate', 0, LIMITS.replicas) }, '--wave');

/** Whom each wave takes in, and at last all others, of members with these labels; by their positions. */
export const takenIn = (
  waves: readonly Wave[],
  labels: readonly (readonly string[])[],
): { wave: Wave | undefined; members: number[] }[] => {
  const left = new Set(labels.keys());
  return [...waves, undefined].map((one) => {
    const members = [...left].filter((at) => {
      if (one === undefined) return true;
      if (one.kind === 'label') return labels[at]?.includes(one.label) === true;
      return at < (one.kind === 'count' ? one.count : Math.ceil((labels.length * one.permille) / 1000));
    });
    for (const at of members) left.delete(at);
    return { wave: one, members };
  });
};

const DAY_MINUTES = 24 * 60;

const minuteOf = (hours: string | undefined, minutes: string | undefined, text: string): number => {
  const minute = Number(hours) * 60 + Number(minutes);
  return Number(hours) < 24 && Number(minutes) < 60 ? minute : misused(`--window ${text}: hours go to 23, minutes to 59`);
};

/** `01:00-04:30`, by UTC; over midnight where it ends before it begins, all day where both are the same. */
const windowOf = (text: string): Window => {
  const match = /^(\d{2}):(\d{2})-(\d{2}):(\d{2})$/.exec(text);
  if (match === null) return misused(`--window is a time of the day such as 01:00-04:30, by UTC, not "${text}"`);
  const fromMinute = minuteOf(match[1], match[2], text);
  const minutes = (minuteOf(match[3], match[4], text) - fromMinute + DAY_MINUTES) % DAY_MINUTES;
  return { fromMinute, minutes: minutes === 0 ? DAY_MINUTES : minutes };
};

export const windowsOf = (texts: string[] | undefined): Window[] | undefined =>
  texts === undefined ? undefined : word(windows, texts.map(windowOf), '--window');

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60) % 24).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

export const windowText = ({ fromMinute, minutes }: Window): string => `${clock(fromMinute)}-${clock(fromMinute + minutes)} UTC`;

const TRIAL = { old: 'runs the release before', given: 'is on trial', passed: 'passed', failed: 'fell back' } as const;

export const rolloutText = ({ state, wave: open, of, why, next, replicas }: RolloutView): string[] => [
  `rollout ${state}, wave ${open} of ${of}${why === '' ? '' : `: ${why}`}`,
  ...replicas.map((one) => `  ${one.index}: wave ${one.wave}, ${TRIAL[one.trial]}${one.why === '' ? '' : `: ${one.why}`}`),
  ...(next === '' ? [] : [`next: ${next}`]),
];

/** Of one replica, for a table; empty when there is nothing to say. */
export const waveOfReplica = (view: RolloutView | null | undefined, index: number): string => {
  const found = view?.replicas.find((one) => one.index === index);
  if (view === null || view === undefined || found === undefined) return '';
  return `${found.wave}/${view.of} ${view.state === 'halted' && found.trial !== 'failed' ? 'halted' : found.trial}`;
};
