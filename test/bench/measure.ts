/** What a benchmark is made of: rows, and the few ways of getting a number that can be trusted on a busy machine. */
import { spawn } from 'node:child_process';

/** One measured number, and where there is one, the same number of the system one would use instead. */
export interface Row {
  metric: string;
  value: number;
  unit: string;
  peer: string | null;
  peerValue: number | null;
}

export interface Options {
  /** Measure along the scale (boards, records, …) instead of at one point. */
  curve: boolean;
}

/** What `test/bench/<name>.bench.ts` exports. */
export type Measure = (options: Options) => Promise<Row[]>;

/** The middle value: one slow run on a shared machine does not move it. Throws on an empty list. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('no values to take the median of');
  return (low + high) / 2;
}

/** The median of `runs` measurements, taken one after the other. */
export async function repeat(runs: number, once: (run: number) => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < runs; run++) values.push(await once(run));
  return median(values);
}

export interface Timed {
  wallMs: number;
  stdout: string;
}

/** Runs a process to its end; one that fails or outlasts `timeoutMs` is no measurement, so it throws with what was said on stderr. */
export function timeProcess(
  command: string,
  args: string[],
  { cwd, env, timeoutMs = 60_000 }: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const wallMs = performance.now() - started;
      if (code === 0) resolve({ wallMs, stdout });
      else reject(new Error(`${command} ended with ${signal ?? code} after ${Math.round(wallMs)} ms: ${stderr.trim().slice(-500)}`));
    });
  });
}
