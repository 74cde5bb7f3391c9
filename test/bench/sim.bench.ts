/**
 * The simulator: how much of a fleet's time it gets through in a second of one core, from a cold start and with faults
 * on; what ten thousand boards weigh; whether the same seed gives the same bytes; whether the judge finds what is wrong.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MUTANTS } from '../sim/mutants/mutants.ts';
import { type Measure, median, type Row, timeProcess } from './measure.ts';

const LOAD = join(import.meta.dirname, 'sim-load.ts');
const HUNT = join(import.meta.dirname, '..', 'sim', 'mutants', 'hunt.ts');
const RUNS = 5;
const TIMEOUT_MS = 3 * 60 * 60_000;
/** V8 lets a heap grow far beyond what lives in it while it may; ten thousand boards live in so much. */
const HEAP_MIB = 1400;

interface Load {
  boards: number;
  hours: number;
  tier?: 'a' | 'b';
  crypto?: 'stand-in' | 'ed25519';
  /** For Node itself; null: as it comes. */
  heapMib?: number | null;
}

interface Ran {
  boardHoursPerS: number;
  /** CPU time of the thread that runs the world, ms. */
  threadMs: number;
  eventsPerS: number;
  rssMb: number;
  traceHash: string;
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && name in value ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;

/** A run that finds something against Lichen is no measurement. */
const load = async ({ boards, hours, tier = 'a', crypto = 'stand-in', heapMib = null }: Load): Promise<Ran> => {
  const heap = heapMib === null ? [] : [`--max-old-space-size=${heapMib}`];
  const args = [...heap, LOAD, '--boards', `${boards}`, '--hours', `${hours}`, '--tier', tier, '--crypto', crypto];
  const { wallMs, stdout } = await timeProcess(process.execPath, args, { timeoutMs: TIMEOUT_MS });
  const said: unknown = JSON.parse(stdout);
  if (field(said, 'ok') !== true) throw new Error(`a promise broke under load: ${stdout.slice(0, 1000)}`);
  const seconds = wallMs / 1000;
  return {
    boardHoursPerS: (boards * hours) / seconds,
    threadMs: Number(field(said, 'threadSeconds')) * 1000,
    eventsPerS: Number(field(said, 'events')) / seconds,
    rssMb: Number(field(said, 'rssMb')),
    traceHash: String(field(said, 'traceHash')),
  };
};

const alone = (metric: string, value: number, unit: string): Row => ({ metric, value, unit, peer: null, peerValue: null });

const speed = async (metric: string, what: Load): Promise<Row[]> => {
  const runs: Ran[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await load(what));
  return [
    alone(`${metric}_board_hours_per_s`, median(runs.map(({ boardHoursPerS }) => boardHoursPerS)), 'board-hours/s'),
    alone(`${metric}_events_per_s`, median(runs.map(({ eventsPerS }) => eventsPerS)), 'events/s'),
  ];
};

/** As many of a hundred fresh processes as agree with the first, while others keep the cores busy. */
const agreement = async (): Promise<number> => {
  const burners = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;) Math.sqrt(2)'], { stdio: 'ignore' }),
  );
  try {
    const hashes: string[] = [];
    for (let i = 0; i < 100; i++) hashes.push((await load({ boards: 4, hours: 2 })).traceHash);
    return hashes.filter((hash) => hash === hashes[0]).length;
  } finally {
    for (const burner of burners) burner.kill('SIGKILL');
  }
};

const mutants = async (): Promise<Row[]> => {
  let caught = 0;
  for (const { name } of MUTANTS) {
    const { stdout } = await timeProcess(process.execPath, [HUNT, name], { timeoutMs: TIMEOUT_MS });
    const said: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    if (field(said, 'caught') === true) caught++;
  }
  return [alone('mutants_caught', caught, 'mutants'), alone('mutants_total', MUTANTS.length, 'mutants')];
};

const CURVE = [100, 1000, 10_000, 100_000];
/** All of them come up, are paired and given their instances, and in the end everything is closed and billed. */
const CURVE_HOURS = 0.25;
/** What V8 may take for one of so many boards, and at least. */
const CURVE_HEAP_MIB = (boards: number): number => Math.max(2048, Math.round(boards * 0.14));

export const measure: Measure = async ({ curve }) => {
  if (curve) {
    const rows: Row[] = [];
    for (const boards of CURVE) {
      const { threadMs, rssMb } = await load({ boards, hours: CURVE_HOURS, heapMib: CURVE_HEAP_MIB(boards) });
      rows.push(alone(`${boards} boards`, threadMs / boards, 'ms of its thread a board'), alone(`${boards} boards, memory`, rssMb, 'MB'));
    }
    return rows;
  }
  return [
    ...(await speed('tier_a', { boards: 200, hours: 24 })),
    ...(await speed('tier_a_ed25519', { boards: 100, hours: 24, crypto: 'ed25519' })),
    ...(await speed('tier_b', { boards: 30, hours: 12, tier: 'b' })),
    alone('rss_mb_10k', (await load({ boards: 10_000, hours: 1, heapMib: HEAP_MIB })).rssMb, 'MB'),
    alone('same_seed_equal_of_100', await agreement(), 'of 100'),
    ...(await mutants()),
  ];
};
