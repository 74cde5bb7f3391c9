/** A set of record numbers, most of which come in order. */
export class SeqSet {
  #upTo = 0;
  #more: Set<number> | null = null;

  add(seq: number): void {
    if (seq <= this.#upTo) return;
    if (seq !== this.#upTo + 1) {
      this.#more ??= new Set();
      this.#more.add(seq);
      return;
    }
    this.#upTo = seq;
    while (this.#more?.delete(this.#upTo + 1) === true) this.#upTo++;
    if (this.#more?.size === 0) this.#more = null;
  }

  has(seq: number): boolean {
    return seq <= this.#upTo || this.#more?.has(seq) === true;
  }
}
