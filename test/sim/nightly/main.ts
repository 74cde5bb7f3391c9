/**
 * `npm run sim:nightly -- [--minutes 120] [--cores 2] [--from 1] [--seeds 10000] [--scenario file] [--json]`: as many seeds of
 * a large hostile world as the time has room for. Stops by itself; exits with 0 when every promise held in all that ran. With
 * --json the last line of stdout is the totals (totals.ts).
 */
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { runNight } from './night.ts';
import { textOf } from './totals.ts';

const WEEK_MIN = 7 * 24 * 60;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const main = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '120' },
      cores: { type: 'string', default: '2' },
      from: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '10000' },
      scenario: { type: 'string', default: relative('.', `${import.meta.dirname}/nightly.yaml`) },
      json: { type: 'boolean', default: false },
    },
  });
  const whole = (name: 'cores' | 'from' | 'seeds', least: number): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new Error(`--${name} is a whole number from ${least} on, not "${values[name]}"`);
  };
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= WEEK_MIN)) throw new Error(`--minutes is more than 0 and at most ${WEEK_MIN}, not "${values.minutes}"`);
  const night = { scenario: values.scenario, from: whole('from', 0), seeds: whole('seeds', 1), cores: whole('cores', 1) };
  const early = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => early.abort());
  const totals = await runNight({ ...night, seconds: minutes * 60, stop: early.signal, say });
  process.stdout.write(`${textOf(totals)}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(totals)}\n`);
  return totals.ok ? 0 : 1;
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`nightly: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 64;
}
