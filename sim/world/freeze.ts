/** A process that hangs: whatever it does begins with a call of its clock, and those are kept back until it goes on. */
export interface Freezer {
  /** For its clock: calls now, once it goes on, or never any more. */
  does(call: () => void): void;
  /** What is returned lets it go on, and do all that it has missed. `tell`: whether it does anything. */
  freeze(tell: (goesOn: boolean) => void): () => void;
}

/** One life of one process. */
export const freezer = (alive: () => boolean): Freezer => {
  let missed: (() => void)[] | null = null;
  return {
    does: (call) => {
      if (!alive()) return;
      if (missed === null) call();
      else missed.push(call);
    },
    freeze: (tell) => {
      if (!alive() || missed !== null) return () => {};
      const calls: (() => void)[] = [];
      missed = calls;
      tell(false);
      return () => {
        missed = null;
        if (alive()) tell(true);
        for (const call of calls) if (alive()) call();
      };
    },
  };
};
