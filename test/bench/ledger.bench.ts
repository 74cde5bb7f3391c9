/**
 * The ledger: how fast a gateway states a period, beside the bare verifying of its records' signatures; how long anybody else
 * waits meanwhile; and what it keeps of each record until it puts the fold away.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { type Measure, median, type Row, timeProcess } from './measure.ts';

const LOAD = join(import.meta.dirname, 'ledger-load.ts');
const RUNS = 3;
const TIMEOUT_MS = 20 * 60_000;
/** A month of 20 boards with one instance each, and somewhat more. */
const RECORDS = 60_000;
const CURVE = [20_000, 60_000, 180_000];

const saidSchema = v.object({
  ...{ recordsPerS: v.number(), verifyPerS: v.number(), longestWaitMs: v.number(), keptKbPerRecord: v.number(), againMs: v.number() },
  ...{ seconds: v.number(), charged: v.number(), postings: v.number() },
});
type Said = v.InferOutput<typeof saidSchema>;

/** A statement that charges nothing is no measurement. */
const load = async (records: number): Promise<Said> => {
  const { stdout } = await timeProcess(process.execPath, ['--expose-gc', LOAD, '--records', `${records}`], { timeoutMs: TIMEOUT_MS });
  const said = v.parse(saidSchema, JSON.parse(stdout));
  if (said.charged === 0 || said.charged !== said.postings) throw new Error(`not all is charged: ${stdout}`);
  return said;
};

const rowsOf = (runs: Said[], name: (metric: string) => string): Row[] => {
  const of = (pick: (said: Said) => number): number => median(runs.map(pick));
  return [
    {
      ...{ metric: name('ledger_records_per_s'), value: of(({ recordsPerS }) => recordsPerS), unit: 'records/s' },
      ...{ peer: 'their signatures verified, and nothing else', peerValue: of(({ verifyPerS }) => verifyPerS) },
    },
    {
      ...{ metric: name('longest_wait_ms'), value: of(({ longestWaitMs }) => longestWaitMs), unit: 'ms' },
      ...{ peer: 'the whole fold, in its pieces', peerValue: of(({ seconds }) => seconds * 1000) },
    },
    { metric: name('kept_kb_per_record'), value: of(({ keptKbPerRecord }) => keptKbPerRecord), unit: 'KB', peer: null, peerValue: null },
    { metric: name('asked_again_ms'), value: of(({ againMs }) => againMs), unit: 'ms', peer: null, peerValue: null },
  ];
};

export const measure: Measure = async ({ curve }) => {
  if (curve) {
    const rows: Row[] = [];
    for (const records of CURVE) rows.push(...rowsOf([await load(records)], (metric) => `${metric}, ${records} records`));
    return rows;
  }
  const runs: Said[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await load(RECORDS));
  return rowsOf(runs, (metric) => metric);
};
