/** The clock door. Durations are monotonic; wall time is only ever a label until a gateway has anchored it. */
export interface Instant {
  wallMs: number;
  /** Since an arbitrary moment of this boot; goes on while the machine sleeps (CLOCK_BOOTTIME). */
  monoMs: number;
}

export interface Clock {
  now(): Instant;
  /** Calls once; returns the undo. */
  after(ms: number, call: () => void): () => void;
  /** Calls after what is under way now, before time moves. */
  soon(call: () => void): void;
}
