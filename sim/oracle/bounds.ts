/**
 * How long things may take before the judge calls them broken. Wide on purpose: a bound that is too narrow accuses the
 * innocent, one that is too wide only waits longer for the guilty.
 */
export interface JudgeLimits {
  /** The pace that the boards were given: between two usage records of a lease, and between two looks at the kernel's counters. */
  recordMs: number;
  meterMs: number;
  /** Wall time 0 of the simulated time; null: not known, and no clock's error is forgiven where overlap is charged. */
  startsMs: number | null;
  /**
   * What a start or a stop may take from the tick that wants it to the commit that knows it, in each run of a program:
   * wall time is metered between those two, the program runs within.
   */
  stepMs: number;
  /** Of a board's quartz. */
  driftPpm: number;
  /** Memory is sampled and not integrated. */
  memoryPermille: number;
  /** From power (or a crash) until the program runs again, counted while the board could have done it. */
  restartMs: number;
  /** From the moment at which the last of those that are needed is well until a guarded lease runs. */
  resumeMs: number;
  /** From the first moment at which a board without a home can reach one until it hears a welcome. */
  rehomeMs: number;
  /** Two boards at homes that hear each other run one `continue` instance no longer than this. */
  overlapMs: number;
  /** Who heard nothing for so long has given the session up: twice the keep alive is certain. */
  silenceMs: number;
  /** In a session that lasted so long after an assignment was heard in it, the assignment has been taken. */
  confirmMs: number;
  /** From a board's record until a statement can count it, when nothing stands in the way. */
  settleMs: number;
  /** From the moment at which a gateway hears its peers again until it holds all that they do. */
  abreastMs: number;
  /**
   * What nobody wants any more has ended, and what is on two disks has left its board's card, when nothing stood in the way for
   * so long.
   */
  restMs: number;
  /** What was said before a disk was lost may be heard so much later. */
  flightMs: number;
  /** Of messages whose content the judge does not need every n-th is decoded, and the first ones of each topic. */
  schemaEvery: number;
  /** Violations kept of one code; further ones are broken promises all the same, but of no more use. */
  keptOfCode: number;
}

const USUAL: JudgeLimits = {
  recordMs: 900_000,
  meterMs: 60_000,
  startsMs: null,
  stepMs: 10_000,
  driftPpm: 500,
  memoryPermille: 50,
  restartMs: 300_000,
  resumeMs: 600_000,
  rehomeMs: 300_000,
  overlapMs: 300_000,
  silenceMs: 240_000,
  confirmMs: 120_000,
  settleMs: 45_000,
  abreastMs: 240_000,
  restMs: 600_000,
  flightMs: 300_000,
  schemaEvery: 256,
  keptOfCode: 50,
};

export const judgeLimits = (changes: Partial<JudgeLimits> = {}): JudgeLimits => ({ ...USUAL, ...changes });

/**
 * A board is more patient with each dial that nobody answers, up to 90 s (docs/decisions.md, "The wire"), or as patient as it was
 * told to be if that is longer: so long it may wait for an answer that cannot come before it turns to a gateway that is there.
 */
const LONGEST_DIAL_MS = 90_000;

/** By what a board was told of its patience. */
export const rehomeWithin = (patienceMs: number): number => USUAL.rehomeMs + Math.max(patienceMs, LONGEST_DIAL_MS);
