/** Seed after seed in fresh processes, some at a time, until the time is over. Each is the command that replays it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import * as v from 'valibot';
import { nothingYet, type RunLine, runLine, type Totals, withCrash, withRun } from './totals.ts';

const LICHEN = join(import.meta.dirname, '..', '..', '..', 'gateway', 'lichen.ts');

export interface Night {
  scenario: string;
  from: number;
  /** At most so many. */
  seeds: number;
  seconds: number;
  /** Processes at a time. */
  cores: number;
  /** Ends it early. */
  stop: AbortSignal;
  say(text: string): void;
}

/** Null: it was stopped before its end. */
type Outcome = { run: RunLine } | { why: string } | null;

const lineOf = (out: string): RunLine | null => {
  try {
    const line = v.safeParse(runLine, JSON.parse(out.trim().split('\n').at(-1) ?? ''));
    return line.success ? line.output : null;
  } catch {
    return null;
  }
};

const runSeed = (scenario: string, seed: number, stop: AbortSignal): Promise<Outcome> =>
  new Promise((settle, reject) => {
    const args = [LICHEN, 'sim', 'run', scenario, '--seed', `${seed}`, '--shrink', '0', '--json'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const end = (): void => void child.kill('SIGKILL');
    let [out, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.once('error', reject);
    child.once('close', (status) => {
      stop.removeEventListener('abort', end);
      const run = lineOf(out);
      if (run !== null) return settle({ run });
      settle(stop.aborted ? null : { why: `exit status ${status}: ${errors.trim().split('\n').slice(-5).join(' ')}` });
    });
    if (stop.aborted) end();
    else stop.addEventListener('abort', end);
  });

const codesOf = ({ violations }: RunLine): string => {
  const times = new Map<string, number>();
  for (const { code } of violations) times.set(code, (times.get(code) ?? 0) + 1);
  return [...times].map(([code, count]) => `${count} ${code}`).join(', ');
};

const told = (seed: number, outcome: Exclude<Outcome, null>): string => {
  if ('why' in outcome) return `seed ${seed} did not come to its end: ${outcome.why}`;
  const { ok, recordsSigned, wallSeconds } = outcome.run;
  const verdict = ok ? 'held' : `broke (${codesOf(outcome.run) || 'an expectation was not met'})`;
  return `seed ${seed} ${verdict}, ${recordsSigned} records, ${wallSeconds.toFixed(0)} s`;
};

export const runNight = async ({ scenario, from, seeds, seconds, cores, stop, say }: Night): Promise<Totals> => {
  const began = performance.now();
  const over = AbortSignal.any([stop, AbortSignal.timeout(Math.ceil(seconds * 1000))]);
  const finished = new Set<number>();
  let totals = nothingYet(from);
  let upcoming = from;
  let longest = 0;
  /** One that would not come to its end in the time that is left is not begun. */
  const hasTime = (): boolean => !over.aborted && (performance.now() - began) / 1000 + longest <= seconds;
  const work = async (): Promise<void> => {
    while (upcoming < from + seeds && hasTime()) {
      const seed = upcoming++;
      const startedMs = performance.now();
      const outcome = await runSeed(scenario, seed, over);
      if (outcome === null) return;
      longest = Math.max(longest, (performance.now() - startedMs) / 1000);
      finished.add(seed);
      totals = 'run' in outcome ? withRun(totals, outcome.run) : withCrash(totals, { seed, why: outcome.why });
      say(told(seed, outcome));
    }
  };
  await Promise.all(Array.from({ length: cores }, work));
  let next = from;
  while (finished.has(next)) next++;
  return { ...totals, next };
};
