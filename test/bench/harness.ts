/** Finds a benchmark, runs it and reports it: a table for people on stderr, one JSON line on stdout. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { Options, Row } from './measure.ts';

export interface Report {
  name: string;
  commit: string;
  machine: { cpu: string; cores: number; memoryMib: number; kernel: string; node: string };
  rows: Row[];
  /** What it names and did not measure. */
  gaps: string[];
}

const suffix = '.bench.ts';

export function benchmarkNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .sort();
}

/** Throws when the benchmark throws, or measures nothing. */
export async function runBenchmark(directory: string, name: string, options: Options): Promise<Report> {
  const module: unknown = await import(pathToFileURL(`${directory}/${name}${suffix}`).href);
  if (!isBenchmark(module)) throw new Error(`${name}${suffix} exports no measure()`);
  const rows = await module.measure(options);
  const gaps = rows.filter((row) => !isMeasured(row)).map(({ metric }) => metric);
  if (rows.length === gaps.length) throw new Error(`${name} measured nothing${gaps.length === 0 ? '' : `: not ${gaps.join(', ')}`}`);
  return { name, commit: commit(directory), machine: machine(), rows: rows.filter(isMeasured), gaps };
}

function isBenchmark(module: unknown): module is { measure: (options: Options) => Promise<Row[]> } {
  return typeof module === 'object' && module !== null && 'measure' in module && typeof module.measure === 'function';
}

function isMeasured({ value, peer, peerValue }: Row): boolean {
  return Number.isFinite(value) && (peer === null ? peerValue === null : Number.isFinite(peerValue));
}

/** Short hash of what was measured; `+` when the tree has changes that no commit holds. */
function commit(directory: string): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}

function machine(): Report['machine'] {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() || process.arch,
    cores: cores.length,
    memoryMib: Math.round(totalmem() / 1024 ** 2),
    kernel: release(),
    node: process.version,
  };
}

export function table({ rows }: Report): string {
  const cells = rows.map(({ metric, value, unit, peer, peerValue }) => [
    metric,
    `${number(value)} ${unit}`,
    peer === null || peerValue === null ? '' : `${peer}: ${number(peerValue)} ${unit}`,
  ]);
  const lines = [['metric', 'lichen', 'peer'], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three significant digits, which is more than a shared machine can promise. */
function number(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}
