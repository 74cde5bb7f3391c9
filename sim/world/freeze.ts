/** A process that hangs: whatever it does begins with a call of its clock, and those are kept back until it goes on. */
import type { Clock } from '../../runtime/turn/clock.ts';

export interface Freezer {
  clock(of: Clock): Clock;
  /** What is returned lets it go on, and do all that it has missed. `tell`: whether it does anything. */
  freeze(tell: (goesOn: boolean) => void): () => void;
}

/** One life of one process. */
export const freezer = (alive: () => boolean): Freezer => {
  let missed: (() => void)[] | null = null;
  const whenAwake = (call: () => void): void => {
    if (missed === null) call();
    else missed.push(call);
  };
  return {
    clock: (of) => ({
      now: () => of.now(),
      after: (ms, call) => of.after(ms, () => whenAwake(call)),
      soon: (call) => of.soon(() => whenAwake(call)),
    }),
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
