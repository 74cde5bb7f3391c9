/** Several things can be wrong with one way at once; when one of them is over, the others are not. */
import { NO_TROUBLE, type Roads, type Trouble } from '../net/paths.ts';

export class Troubles {
  readonly #roads: Roads;
  readonly #at = new Map<string, Set<Partial<Trouble>>>();

  constructor(roads: Roads) {
    this.#roads = roads;
  }

  /** Returns the end of it. */
  begin(at: string, trouble: Partial<Trouble>): () => void {
    const held = this.#at.get(at) ?? new Set();
    this.#at.set(at, held);
    const own = { ...trouble };
    held.add(own);
    this.#tell(at, held);
    return () => {
      if (held.delete(own)) this.#tell(at, held);
    };
  }

  #tell(at: string, held: Set<Partial<Trouble>>): void {
    const repeated = (): void => {
      for (const one of held) one.repeated?.();
    };
    const sum = { ...NO_TROUBLE, repeated };
    for (const one of held) {
      sum.deaf ||= one.deaf === true;
      sum.mute ||= one.mute === true;
      sum.captive ||= one.captive === true;
      sum.peersCut ||= one.peersCut === true;
      sum.lateMs += one.lateMs ?? 0;
      sum.repeatsPermille = Math.max(sum.repeatsPermille, one.repeatsPermille ?? 0);
    }
    this.#roads.trouble(at, sum);
  }
}
