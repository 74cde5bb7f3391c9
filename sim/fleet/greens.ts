/** Which instances their boards said to be well, as heard on the wire: the newest report of each board counts. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { reportNoun } from '../../runtime/protocol/nouns/board.ts';
import type { Seen } from './witness.ts';

export class Greens {
  readonly #crypto: Crypto;
  readonly #seen: Seen;
  /** board → leases whose promises hold. */
  readonly #held = new Map<string, string[]>();

  constructor(crypto: Crypto, seen: Seen) {
    this.#crypto = crypto;
    this.#seen = seen;
  }

  heard(from: string, topic: string, payload: Bytes): void {
    if (topic !== 'report') return;
    const { instances } = unseal(this.#crypto, reportNoun, payload).value;
    this.#held.set(
      from,
      instances.flatMap(({ lease, promise }) => (promise === 'held' ? [lease] : [])),
    );
  }

  count(workload: string): number {
    const leases = workload === '' ? null : (this.#seen.leases.get(workload) ?? new Set());
    let total = 0;
    for (const held of this.#held.values()) total += leases === null ? held.length : held.filter((lease) => leases.has(lease)).length;
    return total;
  }
}
