/** Several causes of one ill at once: the worst of them counts, and each ends by itself. */
export class Causes {
  readonly #held = new Set<{ by: number }>();

  /** Returns the end of it. */
  begin(by: number): () => void {
    const own = { by };
    this.#held.add(own);
    return () => {
      this.#held.delete(own);
    };
  }

  /** Null: there is none. */
  get worst(): number | null {
    let worst: number | null = null;
    for (const { by } of this.#held) worst = Math.max(worst ?? by, by);
    return worst;
  }
}
