/**
 * The keys of one table in order. Most come in order already, as their last part is a number that rises, and are taken
 * out again from the front; so a sorted list beats a tree. It is put in order when somebody looks.
 */
import type { Key } from '../../runtime/turn/store.ts';

/** Fewer than this are put in their place one by one. */
const FEW = 8;

export class KeyOrder {
  #sorted: Key[];
  #fresh: Key[] = [];
  /** In the list and not there any more. */
  readonly #gone = new Set<Key>();

  constructor(keys: Key[]) {
    this.#sorted = keys.sort();
  }

  /** One that is not there. */
  add(key: Key): void {
    if (!this.#gone.delete(key)) this.#fresh.push(key);
  }

  /** One that is there. */
  delete(key: Key): void {
    const at = this.#fresh.lastIndexOf(key);
    if (at >= 0) this.#fresh.splice(at, 1);
    else this.#gone.add(key);
  }

  /** Keys in [from, to), and those that were there lately. */
  count(from: Key, to: Key): number {
    this.#arrange();
    return this.#place(to) - this.#place(from);
  }

  /** Keys in [from, to), in order, until `take` has had enough. */
  walk(from: Key, to: Key, reverse: boolean, take: (key: Key) => boolean): void {
    this.#arrange();
    const sorted = this.#sorted;
    const [first, end] = [this.#place(from), this.#place(to)];
    for (let i = 0; i < end - first; i++) {
      const key = sorted[reverse ? end - 1 - i : first + i] ?? '';
      if (this.#gone.size > 0 && this.#gone.has(key)) continue;
      if (!take(key)) return;
    }
  }

  #arrange(): void {
    const fresh = this.#fresh;
    if (this.#gone.size > FEW && this.#gone.size * 2 > this.#sorted.length) {
      this.#sorted = this.#sorted.filter((key) => !this.#gone.has(key));
      this.#gone.clear();
    }
    if (fresh.length === 0) return;
    this.#fresh = [];
    const last = this.#sorted.at(-1) ?? '';
    const isTail = fresh.every((key, i) => key > (fresh[i - 1] ?? last));
    if (isTail) this.#sorted = this.#sorted.length === 0 ? fresh : append(this.#sorted, fresh);
    else if (fresh.length < FEW) for (const key of fresh) this.#sorted.splice(this.#place(key), 0, key);
    else this.#sorted = append(this.#sorted, fresh).sort();
  }

  /** Where the first key stands that is not below this one. */
  #place(key: Key): number {
    const sorted = this.#sorted;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const append = (to: Key[], more: Key[]): Key[] => {
  for (const key of more) to.push(key);
  return to;
};
