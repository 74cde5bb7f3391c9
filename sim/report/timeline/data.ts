/**
 * What the page draws, small enough for a file that is mailed around: names are said once, and where a lane is dense
 * (thirty days of records) its marks become counts in steps of time.
 */
import type { Lane, Mark, RunReport, Span } from '../report.ts';
import { withNames } from '../words.ts';

/** More lanes than this are no picture any more. */
export const LANES_MOST = 400;
/** Of one kind in one lane; beyond, they are counted. */
const MARKS_MOST = 240;
const SPANS_MOST = 1500;
/** Of the whole run: finer than a wide screen. */
const STEPS = 1440;

const SPAN_KINDS = ['down', 'unreachable', 'home', 'run', 'fault'] as const satisfies Span['kind'][];
const MARK_KINDS = ['record', 'replicated', 'violation', 'refusal', 'restart', 'lease', 'fault'] as const satisfies Mark['kind'][];

/** Keys are short: they are repeated in every lane. */
export interface PageLane {
  name: string;
  kind: Lane['kind'];
  /** `[kind, from, to, label]`; the kind as a place in SPAN_KINDS, the label as one in `labels`. */
  s: [kind: number, fromMs: number, toMs: number, label: number][];
  /** `[kind, at, label]`. */
  m: [kind: number, atMs: number, label: number][];
  /** By kind: step, count, step, count, … of the steps that are not empty. */
  d: Record<number, number[]>;
}

export interface PageData {
  /** To the last thing that is drawn: the world is healed, settled and billed after the scenario's own end. */
  lastsMs: number;
  /** The scenario's own end. */
  endsMs: number;
  stepMs: number;
  spanKinds: readonly string[];
  markKinds: readonly string[];
  labels: string[];
  lanes: PageLane[];
  /** Lanes that were left out. */
  hidden: number;
}

/** Spans of one kind and label with less than a step between them become one. */
const merged = (spans: Span[], stepMs: number): Span[] => {
  const open = new Map<string, Span>();
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const key = `${span.kind} ${span.label}`;
    const last = open.get(key);
    if (last !== undefined && span.fromMs - last.toMs < stepMs) {
      last.toMs = Math.max(last.toMs, span.toMs);
      continue;
    }
    const copy = { ...span };
    open.set(key, copy);
    result.push(copy);
  }
  return result;
};

const counted = (marks: Mark[], stepMs: number): number[] => {
  const counts = new Map<number, number>();
  for (const { atMs } of marks) {
    const step = Math.floor(atMs / stepMs);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).flat();
};

const laneOf = ({ name, kind, spans, marks }: Lane, stepMs: number, labelOf: (text: string) => number): PageLane => {
  const kept = spans.length > SPANS_MOST ? merged(spans, stepMs) : spans;
  const lane: PageLane = {
    name,
    kind,
    s: kept.map((span) => [SPAN_KINDS.indexOf(span.kind), Math.round(span.fromMs), Math.round(span.toMs), labelOf(span.label)]),
    m: [],
    d: {},
  };
  for (const [number, markKind] of MARK_KINDS.entries()) {
    const some = marks.filter((mark) => mark.kind === markKind);
    // What broke is never a mere count.
    if (some.length > MARKS_MOST && markKind !== 'violation') lane.d[number] = counted(some, stepMs);
    else for (const { atMs, label } of some) lane.m.push([number, Math.round(atMs), labelOf(label)]);
  }
  lane.m.sort(([, a], [, b]) => a - b);
  return lane;
};

const trouble = ({ marks, spans }: Lane): number =>
  marks.reduce((sum, { kind }) => sum + (kind === 'violation' ? 1_000_000 : kind === 'fault' ? 1 : 0), 0) +
  spans.filter(({ kind }) => kind === 'fault').length;

/** All of them when they are few; else the gateways and the boards with most trouble, in their order. */
const chosen = (lanes: Lane[]): Lane[] => {
  if (lanes.length <= LANES_MOST) return lanes;
  const rank = (lane: Lane) => (lane.kind === 'gateway' ? Number.POSITIVE_INFINITY : trouble(lane));
  const ranked = lanes.map((lane, at) => ({ at, rank: rank(lane) })).sort((a, b) => (a.rank === b.rank ? a.at - b.at : b.rank - a.rank));
  const kept = new Set(ranked.slice(0, LANES_MOST).map(({ at }) => at));
  return lanes.filter((_, at) => kept.has(at));
};

export const pageData = ({ lanes, simulatedMs, names }: RunReport): PageData => {
  const numbers = new Map<string, number>();
  const labelOf = (text: string): number => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  const lastsMs = lanes.reduce(
    (last, { spans, marks }) =>
      spans.reduce(
        (most, { toMs }) => Math.max(most, toMs),
        marks.reduce((most, { atMs }) => Math.max(most, atMs), last),
      ),
    Math.max(1, simulatedMs),
  );
  const stepMs = Math.max(1, Math.ceil(lastsMs / STEPS));
  const shown = chosen(lanes).map((lane) => laneOf(lane, stepMs, labelOf));
  return {
    lastsMs,
    endsMs: simulatedMs,
    stepMs,
    spanKinds: SPAN_KINDS,
    markKinds: MARK_KINDS,
    labels: [...numbers.keys()].map((text) => withNames(text, names)),
    lanes: shown,
    hidden: lanes.length - shown.length,
  };
};
