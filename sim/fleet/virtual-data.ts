/** `/data` of a virtual board's partitions: whose program wrote to it last, and who had when it was kept for the way back. Outlives the power. */
import type { KeptData } from '../../runtime/ports/partitions.ts';

interface Held {
  /** Root of a release; empty: nobody's. */
  by: string;
  kept: string | null;
}

const NOBODYS: Held = { by: '', kept: null };

export class VirtualData {
  readonly #held = new Map<string, Held>();

  /** A program begins: whose `/data` it finds, once that was taken, given back or dropped. */
  begin(partition: string, rootPath: string, what: KeptData | undefined): string {
    const found = this.#after(partition, what);
    this.#held.set(partition, { ...found, by: rootPath });
    return found.by;
  }

  drop(partition: string): void {
    this.#held.set(partition, this.#after(partition, 'drop'));
  }

  /** It goes, to an heir that has none, or for good. */
  leave(partition: string, heir: string | undefined): void {
    const held = this.#held.get(partition);
    this.#held.delete(partition);
    if (held !== undefined && heir !== undefined && !this.#held.has(heir)) this.#held.set(heir, held);
  }

  #after(partition: string, what: KeptData | undefined): Held {
    const held = this.#held.get(partition) ?? NOBODYS;
    if (what === 'take') return { ...held, kept: held.kept ?? held.by };
    if (what === 'return' && held.kept !== null) return { by: held.kept, kept: null };
    return what === 'drop' ? { ...held, kept: null } : held;
  }
}
