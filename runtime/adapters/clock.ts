/** The clock door on the machine's clocks. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../turn/clock.ts';

/**
 * CLOCK_BOOTTIME counts sleep, hrtime (CLOCK_MONOTONIC) does not; /proc/uptime is the former, in hundredths. The
 * difference at the start is kept, and a sleep later on shows as a jump of it when it is read again.
 */
const bootOffsetMs = (): number => {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Math.max(0, Math.round(uptime * 1000 - Number(process.hrtime.bigint() / 1_000_000n)));
};

export const openClock = (): Clock => {
  let offset = bootOffsetMs();
  let readAt = 0;
  return {
    now: () => {
      const mono = Number(process.hrtime.bigint() / 1_000_000n);
      if (mono - readAt > 10_000) {
        offset = Math.max(offset, bootOffsetMs() - 20);
        readAt = mono;
      }
      return { wallMs: Date.now(), monoMs: mono + offset };
    },
    after: (ms, call) => {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
    soon: (call) => void setImmediate(call),
  };
};

/** Changes at every boot of the kernel; durations may be compared within one only. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
