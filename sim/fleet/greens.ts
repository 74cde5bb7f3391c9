/**
 * Which instances are well: their program runs, and the newest word of the runtime that looks after it said that its promises
 * hold. Of a board that is dark, or whose runtime is gone, nobody knows anything until it says so anew; one that is only out
 * of reach is taken at its last word while what it spoke of goes on.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { reportNoun } from '../../runtime/protocol/nouns/board.ts';
import { bootIdOf } from './agent.ts';
import type { Ears, Seen } from './witness.ts';

type Machine = Parameters<Ears['runtime']>[0];

/** One life of a runtime. */
interface Life {
  /** By its board's monotonic clock, as are the moments below. */
  beganMs: number;
  /** Leases whose promises hold. */
  held: Set<string>;
  /** Lease → when its program ended last: what was said before is about another one. */
  endedMs: Map<string, number>;
}

export class Greens implements Ears {
  readonly #crypto: Crypto;
  readonly #seen: Pick<Seen, 'leases'>;
  /** By the boot, of which a board and its clone have one each. */
  readonly #lives = new Map<string, Life>();

  constructor(crypto: Crypto, seen: Pick<Seen, 'leases'>) {
    this.#crypto = crypto;
    this.#seen = seen;
  }

  heard(topic: string, payload: Bytes): void {
    if (topic !== 'report') return;
    const { bootId, monoMs, instances } = unseal(this.#crypto, reportNoun, payload).value;
    const life = this.#lives.get(bootId);
    // Told in whole milliseconds.
    if (life === undefined || monoMs < Math.floor(life.beganMs)) return;
    const well = instances.filter(
      ({ lease, promise }) => promise === 'held' && monoMs > (life.endedMs.get(lease) ?? Number.NEGATIVE_INFINITY),
    );
    life.held = new Set(well.map(({ lease }) => lease));
  }

  runtime(machine: Machine, up: boolean, monoMs: number): void {
    const boot = bootIdOf(machine);
    if (up) this.#lives.set(boot, { beganMs: monoMs, held: new Set(), endedMs: new Map() });
    else this.#lives.delete(boot);
  }

  ended(machine: Machine, lease: string, monoMs: number): void {
    const life = this.#lives.get(bootIdOf(machine));
    life?.held.delete(lease);
    life?.endedMs.set(lease, monoMs);
  }

  count(workload: string): number {
    const leases = workload === '' ? null : (this.#seen.leases.get(workload) ?? new Set());
    let total = 0;
    for (const { held } of this.#lives.values()) for (const lease of held) if (leases === null || leases.has(lease)) total++;
    return total;
  }
}
