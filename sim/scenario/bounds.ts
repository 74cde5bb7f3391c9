/** How large a scenario may be, one number each; beyond lies a slip of the pen or a run that nobody waits for. */
export const SCENARIO = {
  textChars: 256 * 1024,
  aboutChars: 2000,
  /** Of one run, all groups together; the curve of the benchmark ends here. */
  boards: 100_000,
  groups: 1000,
  workloads: 256,
  links: 256,
  sensorsPerBoard: 16,
  timelineRows: 10_000,
  mixRows: 256,
  expectations: 1000,
  targets: 1000,
  /** Incidents that the timeline names and the mix is likely to draw, together. */
  incidents: 1_000_000,
  lastsMs: { least: 1000, most: 400 * 86_400_000 },
  /** Between two faults of one row on one target. */
  everyMs: { least: 1000, most: 4000 * 86_400_000 },
  cardMib: { least: 64, most: 2 * 1024 * 1024 },
  paceMs: { least: 10, most: 86_400_000 },
  tracePoints: 1_000_000,
} as const;
