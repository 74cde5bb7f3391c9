/** Draws what is seen into lanes for the report, one for each board and gateway. */
import type { EndReason, SystemStart } from '../oracle/physics.ts';
import type { Lane, Mark, Span } from '../report/report.ts';
import type { VirtualBoard } from './board.ts';

/** A span that is still open, by what closes it. */
interface Open {
  lane: Lane;
  span: Span;
}

/** More marks of a lane than anybody can see are not kept. */
const MARKS_MOST = 20_000;

export class Lanes {
  readonly #now: () => number;
  readonly #lanes = new Map<string, Lane>();
  readonly #open = new Map<string, Open>();

  constructor(now: () => number) {
    this.#now = now;
  }

  add(at: string, name: string, kind: Lane['kind']): void {
    if (!this.#lanes.has(at)) this.#lanes.set(at, { name, kind, spans: [], marks: [] });
  }

  #begin(at: string, what: string, kind: Span['kind'], label: string): void {
    const lane = this.#lanes.get(at);
    const key = `${at}/${what}`;
    if (lane === undefined || this.#open.has(key)) return;
    this.#open.set(key, { lane, span: { kind, fromMs: this.#now(), toMs: this.#now(), label } });
  }

  #end(at: string, what: string): void {
    const open = this.#open.get(`${at}/${what}`);
    if (open === undefined) return;
    this.#open.delete(`${at}/${what}`);
    open.lane.spans.push({ ...open.span, toMs: this.#now() });
  }

  mark(at: string, kind: Mark['kind'], label: string): void {
    const lane = this.#lanes.get(at);
    if (lane !== undefined && lane.marks.length < MARKS_MOST) lane.marks.push({ kind, atMs: this.#now(), label });
  }

  gateway(id: string, up: boolean): void {
    if (up) this.#end(id, 'down');
    else this.#begin(id, 'down', 'down', 'down');
  }

  powered({ at, id, spec, hung }: VirtualBoard, on: boolean): void {
    this.add(at, at === id ? spec.name : `${spec.name} (clone)`, 'board');
    if (on) this.#end(at, 'down');
    else this.#begin(at, 'down', 'down', hung ? 'hung' : 'no power');
  }

  reachable({ at }: VirtualBoard, can: boolean): void {
    if (can) this.#end(at, 'unreachable');
    else this.#begin(at, 'unreachable', 'unreachable', 'no gateway in reach');
  }

  /** Null: no gateway has welcomed it. */
  home({ at }: VirtualBoard, gateway: string | null): void {
    this.#end(at, 'home');
    if (gateway !== null) this.#begin(at, 'home', 'home', this.#lanes.get(gateway)?.name ?? gateway);
  }

  /** What crosses a wire is drawn at the board. */
  heard(from: string, to: string, topic: string): void {
    if (topic === 'usage') this.mark(from, 'record', 'usage records');
    if (topic === 'ack') this.mark(to, 'replicated', 'acknowledged');
  }

  began({ at }: VirtualBoard, partition: string, workload: string): void {
    this.#begin(at, `run ${partition}`, 'run', workload);
  }

  started({ at, slots }: VirtualBoard, { onTrial }: SystemStart): void {
    if (onTrial && slots !== null) this.mark(at, 'restart', `system ${slots.sequence} on trial`);
  }

  ended({ at }: VirtualBoard, partition: string, why: EndReason): void {
    this.#end(at, `run ${partition}`);
    if (why === 'crashed' || why === 'oom' || why === 'deadline') this.mark(at, 'restart', why);
  }

  noted(id: string, line: string): void {
    if (line.includes('refused')) this.mark(id, 'refusal', line.slice(0, 200));
    else if (line.startsWith('lease ')) this.mark(id, 'lease', line.slice(0, 200));
  }

  /** `lasts`: until what is returned is called. */
  fault(at: string, what: string, label: string, lasts: boolean): () => void {
    this.mark(at, 'fault', label);
    if (!lasts) return () => {};
    this.#begin(at, `fault ${what}`, 'fault', label);
    return () => this.#end(at, `fault ${what}`);
  }

  /** What is still open ends now. */
  close(): Lane[] {
    for (const { lane, span } of this.#open.values()) lane.spans.push({ ...span, toMs: this.#now() });
    this.#open.clear();
    return [...this.#lanes.values()];
  }
}
