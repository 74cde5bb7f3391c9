/** What was found, and the sums. One code is held against one party once: what stays broken is not news each second. */
import { CODES, type Code } from './codes.ts';
import type { Tally, Violation } from './physics.ts';

export interface Docket {
  readonly violations: Violation[];
  readonly tally: Tally;
  accuse(code: Code, atMs: number, who: string, what: string): void;
}

export const openDocket = (keptOfCode: number): Docket => {
  const violations: Violation[] = [];
  const known = new Set<string>();
  const counts = new Map<Code, number>();
  return {
    violations,
    tally: {
      ...{ recordsSigned: 0, recordsLost: 0, recordsBilledTwice: 0, amnesia: 0 },
      ...{ overlaps: 0, worstOverlapMs: 0, overlapStopMs: 0, worstRehomeMs: 0 },
    },
    accuse: (code, atMs, who, what) => {
      const count = counts.get(code) ?? 0;
      const name = `${code} ${who}`;
      if (count >= keptOfCode || known.has(name)) return;
      known.add(name);
      counts.set(code, count + 1);
      violations.push({ promise: CODES[code], code, atMs, who, what });
    },
  };
};
