/** Expectations over a run: looked at again and again, judged in the end. What never happened was not shown. */
import type { ExpectationResult } from '../report/report.ts';
import type { Expectation } from '../scenario/scenario.ts';
import { look, type View } from './observe.ts';

interface Watch {
  expectation: Expectation;
  /** `always`: when it was broken. The others: when it held. */
  atMs: number | null;
  /** The last value seen, or that at `atMs`. */
  value: number;
}

const within = ({ least, most }: Expectation, value: number): boolean =>
  (least === null || value >= least) && (most === null || value <= most);

export class Expectations {
  readonly #watches: Watch[];

  constructor(expectations: Expectation[]) {
    this.#watches = expectations.map((expectation) => ({ expectation, atMs: null, value: Number.NaN }));
  }

  /** How often somebody has to look; null: never. */
  get any(): boolean {
    return this.#watches.length > 0;
  }

  look(view: View, atMs: number): void {
    for (const watch of this.#watches) {
      const { expectation } = watch;
      // What is billed is known in the end only.
      if (watch.atMs !== null || atMs < expectation.afterMs || expectation.see === 'billed') continue;
      if (expectation.kind === 'eventually' && atMs > expectation.afterMs + expectation.withinMs) continue;
      watch.value = look(view, expectation.see, expectation.of);
      if (within(expectation, watch.value) === (expectation.kind !== 'always')) watch.atMs = atMs;
    }
  }

  /** After everything was settled. */
  results(view: View): ExpectationResult[] {
    return this.#watches.map((watch) => {
      const { expectation } = watch;
      const { kind, says } = expectation;
      if (expectation.see === 'billed') {
        const value = look(view, 'billed', expectation.of);
        return { says, held: within(expectation, value), detail: `${value} in the end` };
      }
      const at = watch.atMs === null ? '' : ` at ${watch.atMs / 1000} s`;
      if (kind === 'always') return { says, held: watch.atMs === null, detail: `${watch.value}${at}` };
      return { says, held: watch.atMs !== null, detail: watch.atMs === null ? `never; last seen ${watch.value}` : `${watch.value}${at}` };
    });
  }
}
