/**
 * What a real sensor told, from a file: CSV with a line of headings, or JSON lines. The heading of its first column says
 * in which unit moments are (`ms`, `s`, `min`, or `time` for ISO 8601 with a zone); values are plain numbers. A trace
 * with holes or steps back in time is refused: what it would be between its points, nobody knows.
 */
import { SCENARIO } from './bounds.ts';
import { formatQuantity } from './units.ts';

export interface TracePoint {
  atMs: number;
  value: number;
}
interface Row extends TracePoint {
  line: number;
}
/** What is wrong, in which line of the trace. */
export interface TraceFault {
  line: number;
  what: string;
}

const isFault = (value: object): value is TraceFault => 'what' in value;

const PER_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['min', 60_000],
  ['time', 0],
]);
const CLOCK_WORDS = [...PER_MS.keys()].join(', ');
/** A zone is part of it, so that a trace means the same everywhere. */
const ISO = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const NUMERAL = /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/;

const momentOf = (clock: string, text: string): number | null => {
  if (clock === 'time') return ISO.test(text) ? Date.parse(text.replace(' ', 'T')) : null;
  return NUMERAL.test(text) ? Math.round(Number(text) * (PER_MS.get(clock) ?? 1)) : null;
};

const pointOf = (line: number, clock: string, at: string, value: string): Row | TraceFault => {
  const atMs = momentOf(clock, at);
  if (atMs === null || !Number.isSafeInteger(atMs))
    return { line, what: `"${at}" is no moment in ${clock === 'time' ? 'ISO 8601 with a zone' : clock}` };
  if (!NUMERAL.test(value)) return { line, what: value === '' ? 'the value is missing' : `"${value}" is not a number` };
  return { line, atMs, value: Number(value) };
};

const cellsOf = (line: string): string[] => line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));

const csvRows = (lines: string[], column: string | null): Row[] | TraceFault => {
  const headings = cellsOf(lines[0] ?? '');
  const clock = headings[0] ?? '';
  if (!PER_MS.has(clock)) return { line: 1, what: `the first heading is "${clock}", it has to be one of ${CLOCK_WORDS}` };
  const at = column === null ? 1 : headings.indexOf(column);
  if (at < 1 || at >= headings.length) return { line: 1, what: `there is no column ${column ?? 'for the values'}` };
  return rowsOf(lines, 1, (line, number) => {
    const cells = cellsOf(line);
    return pointOf(number, clock, cells[0] ?? '', cells[at] ?? '');
  });
};

const jsonRows = (lines: string[], column: string | null): Row[] | TraceFault =>
  rowsOf(lines, 0, (line, number) => {
    const held = objectOf(line);
    if (held === null) return { line: number, what: 'not a JSON object' };
    const clock = [...PER_MS.keys()].find((key) => held.has(key));
    if (clock === undefined) return { line: number, what: `none of the keys ${CLOCK_WORDS}` };
    return pointOf(number, clock, String(held.get(clock)), String(held.get(column ?? 'value') ?? ''));
  });

const objectOf = (line: string): Map<string, unknown> | null => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : null;
  } catch {
    return null;
  }
};

const rowsOf = (lines: string[], from: number, rowOf: (line: string, number: number) => Row | TraceFault): Row[] | TraceFault => {
  const rows: Row[] = [];
  for (let i = from; i < lines.length; i++) {
    const line = lines[i]?.trim() ?? '';
    if (line === '' || line.startsWith('#')) continue;
    const row = rowOf(line, i + 1);
    if (isFault(row)) return row;
    rows.push(row);
    if (rows.length > SCENARIO.tracePoints) return { line: i + 1, what: `more than ${SCENARIO.tracePoints} values` };
  }
  return rows;
};

/** Thrice the usual distance, so that one value that is missing is no gap yet. */
const usualGapMs = (rows: Row[]): number => {
  const distances = rows.slice(1).map(({ atMs }, i) => atMs - (rows[i]?.atMs ?? atMs));
  distances.sort((a, b) => a - b);
  return 3 * (distances[Math.floor(distances.length / 2)] ?? 0);
};

/** Moments from the first one on. `gapMs` null: thrice the usual distance of two values. */
export const readTrace = (text: string, column: string | null, gapMs: number | null): TracePoint[] | TraceFault => {
  // Spreadsheets put a byte order mark before the first heading.
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const rows =
    lines
      .find((line) => line.trim() !== '')
      ?.trimStart()
      .startsWith('{') === true
      ? jsonRows(lines, column)
      : csvRows(lines, column);
  if (isFault(rows)) return rows;
  const [first] = rows;
  if (first === undefined || rows.length < 2) return { line: lines.length, what: 'fewer than two values' };
  for (const [i, row] of rows.entries()) {
    const before = rows[i - 1];
    if (before !== undefined && row.atMs <= before.atMs) return { line: row.line, what: 'not later than the line before it' };
  }
  const longestMs = gapMs ?? usualGapMs(rows);
  for (const [i, row] of rows.entries()) {
    const pauseMs = row.atMs - (rows[i - 1]?.atMs ?? row.atMs);
    if (pauseMs > longestMs)
      return { line: row.line, what: `a gap of ${formatQuantity('ms', pauseMs)} before it, over ${formatQuantity('ms', longestMs)}` };
  }
  return rows.map(({ atMs, value }) => ({ atMs: atMs - first.atMs, value }));
};
