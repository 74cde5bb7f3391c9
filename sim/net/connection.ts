/**
 * Tier A's connections: whole messages instead of bytes. Each is a pair of queues, as TCP keeps order; what cannot pass
 * waits in its queue until it can, or until one end has heard nothing for so long that it gives up. No heartbeat is
 * sent: when one would be missed is worked out at the moment at which the way changes.
 */
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { Machine, Paths } from './doors.ts';

export type Which = 'a' | 'b';

const OTHER = { a: 'b', b: 'a' } as const;
/** A FIN with its headers. */
const FIN_BYTES = 40;

export interface Ends {
  /** How long an end waits while nothing comes. */
  patienceMs(end: Which): number;
  /** Whether an end notices that what it sends does not arrive: it asks, and is answered. */
  asks: Record<Which, boolean>;
  /** An end hears that it is over: once, and not when it closed it itself. */
  over(end: Which, error: LichenError): void;
}

interface Queue {
  arrivesMs: number;
  waiting: { bytes: number; arrive: () => void }[];
}

export class Connection {
  readonly #net: Connections;
  readonly #machines: Record<Which, Machine>;
  readonly #ends: Ends;
  /** By the end that sends. */
  readonly #queues: Record<Which, Queue> = { a: { arrivesMs: 0, waiting: [] }, b: { arrivesMs: 0, waiting: [] } };
  readonly #closed: Record<Which, boolean> = { a: false, b: false };
  /** By the end that hears nothing: undoes the moment at which it gives up. */
  readonly #doubts: Record<Which, (() => void) | null> = { a: null, b: null };

  constructor(net: Connections, a: Machine, b: Machine, ends: Ends) {
    this.#net = net;
    this.#machines = { a, b };
    this.#ends = ends;
  }

  placeOf(end: Which): string {
    return this.#machines[end].at;
  }

  /** `arrive` is called at the other end, in order, if the connection lives until then. */
  send(from: Which, bytes: number, arrive: () => void): void {
    if (!this.#closed[from]) this.#carry(from, bytes, arrive);
  }

  #carry(from: Which, bytes: number, arrive: () => void): void {
    const { clock, paths } = this.#net;
    const queue = this.#queues[from];
    const to = OTHER[from];
    const delayMs = queue.waiting.length > 0 ? null : paths.delayMs(this.#machines[from].at, this.#machines[to].at, bytes);
    if (delayMs === null) {
      queue.waiting.push({ bytes, arrive });
      return;
    }
    queue.arrivesMs = Math.max(queue.arrivesMs, clock.nowMs + delayMs);
    clock.at(queue.arrivesMs, () => {
      if (!this.#closed[to] && this.#machines[to].alive()) arrive();
    });
  }

  /** An end is done with it. The other hears of it when the way lets it, or by silence. */
  close(end: Which): void {
    if (this.#closed[end]) return;
    this.#closed[end] = true;
    if (this.#closed[OTHER[end]]) {
      this.#finish();
      return;
    }
    this.#carry(end, FIN_BYTES, () => this.#end(OTHER[end], 'the other end closed the connection'));
    this.doubt();
  }

  /** The machine at this end is gone, and says nothing any more. */
  vanish(end: Which): void {
    if (this.#closed[end]) return;
    this.#closed[end] = true;
    if (this.#closed[OTHER[end]]) this.#finish();
    else this.doubt();
  }

  #end(end: Which, why: string): void {
    if (this.#closed[end]) return;
    this.close(end);
    if (this.#machines[end].alive()) this.#ends.over(end, new LichenError('unavailable', why));
  }

  #finish(): void {
    for (const end of ['a', 'b'] as const) this.#trust(end);
    this.#net.forget(this);
  }

  /** The way has changed: what waited may pass, and silences begin or end. */
  changed(): void {
    for (const from of ['a', 'b'] as const) {
      const queue = this.#queues[from];
      if (queue.waiting.length === 0) continue;
      for (const { bytes, arrive } of queue.waiting.splice(0)) this.#carry(from, bytes, arrive);
    }
    this.doubt();
  }

  #trust(end: Which): void {
    this.#doubts[end]?.();
    this.#doubts[end] = null;
  }

  /** When each end will have heard nothing for too long, as things are now. A silence that goes on is not a new one. */
  doubt(): void {
    const { clock, paths } = this.#net;
    const [a, b] = [this.#machines.a.at, this.#machines.b.at];
    const passes = { a: paths.passes(a, b), b: paths.passes(b, a) };
    for (const end of ['a', 'b'] as const) {
      const other = OTHER[end];
      const hears = !this.#closed[other] && passes[other] && (passes[end] || !this.#ends.asks[end]);
      if (hears || this.#closed[end]) this.#trust(end);
      else this.#doubts[end] ??= clock.at(clock.nowMs + this.#ends.patienceMs(end), () => this.#end(end, 'nothing was heard for too long'));
    }
  }
}

export class Connections {
  readonly clock: VirtualClock;
  readonly paths: Paths;
  readonly #of = new Map<string, Set<Connection>>();

  constructor(clock: VirtualClock, paths: Paths) {
    this.clock = clock;
    this.paths = paths;
    paths.watch((at) => {
      for (const connection of [...(this.#of.get(at) ?? [])]) connection.changed();
    });
  }

  open(a: Machine, b: Machine, ends: Ends): Connection {
    const connection = new Connection(this, a, b, ends);
    for (const { at } of [a, b]) {
      const held = this.#of.get(at) ?? new Set();
      held.add(connection);
      this.#of.set(at, held);
    }
    connection.doubt();
    return connection;
  }

  forget(connection: Connection): void {
    for (const end of ['a', 'b'] as const) this.#of.get(connection.placeOf(end))?.delete(connection);
  }

  /** A machine's life is over: its kernel closes what it held (`killed`), or it is simply not there any more (`gone`). */
  end(at: string, how: 'gone' | 'killed'): void {
    for (const connection of [...(this.#of.get(at) ?? [])]) {
      const end = connection.placeOf('a') === at ? 'a' : 'b';
      if (how === 'killed') connection.close(end);
      else connection.vanish(end);
    }
  }
}
