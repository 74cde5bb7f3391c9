/** `/data` of a virtual board's partitions: whose program wrote to it last, and who had when it was kept for the way back. Outlives the power. */
import type { KeptData, PartitionSpec } from '../../runtime/ports/partitions.ts';

/** `by`: root of the release whose program or hook wrote to it last; empty: nobody's. `half`: its hook has not ended well. */
interface Data {
  by: string;
  half: boolean;
}

interface Held {
  data: Data;
  /** For the way back, and what the hook that was begun last found. */
  kept: Data | null;
  found: Data | null;
}

/** What a program or a hook finds. `fit`: it can read it. */
export interface FoundData {
  by: string;
  fit: boolean;
}

const NOBODYS: Held = { data: { by: '', half: false }, kept: null, found: null };

export class VirtualData {
  readonly #held = new Map<string, Held>();

  /** It begins, once its `/data` were taken, given back or dropped. `hooks`: its release reads what it wrote or its hook has changed. */
  begin(spec: PartitionSpec, hooks: boolean): FoundData {
    const { partition, rootPath, kept, hook } = spec;
    const held = this.#after(this.#hooked(this.#of(partition), spec), kept);
    const { by, half } = held.data;
    const found = hook === 'after' ? held.data : held.found;
    this.#held.set(partition, { ...held, found, data: { by: rootPath, half: hook === 'after' } });
    const isOwn = by === '' || by === rootPath;
    return { by, fit: !half && (isOwn || !hooks || hook === 'after') };
  }

  /** Its hook has ended well. */
  changed(partition: string): void {
    const held = this.#of(partition);
    this.#held.set(partition, { ...held, data: { ...held.data, half: false } });
  }

  drop(partition: string): void {
    this.#held.set(partition, this.#after(this.#of(partition), 'drop'));
  }

  /** It goes, to an heir that has none, or for good. */
  leave(partition: string, heir: string | undefined): void {
    const held = this.#held.get(partition);
    this.#held.delete(partition);
    if (held !== undefined && heir !== undefined && !this.#held.has(heir)) this.#held.set(heir, held);
  }

  #of(partition: string): Held {
    return this.#held.get(partition) ?? NOBODYS;
  }

  #hooked(held: Held, { hooked = false }: PartitionSpec): Held {
    if (held.found === null) return held;
    return hooked ? { ...held, kept: held.kept ?? held.found, found: null } : { ...held, data: held.found, found: null };
  }

  #after(held: Held, what: KeptData | undefined): Held {
    if (what === 'take') return { ...held, kept: held.kept ?? held.data };
    if (what === 'return' && held.kept !== null) return { ...held, data: held.kept, kept: null };
    return what === 'drop' ? { ...held, kept: null } : held;
  }
}
