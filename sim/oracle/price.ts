/** What use costs, by docs/spec/metering.md ("Money") and by no one else's arithmetic: every rate over the unit it is per. */
import type { Rates } from '../../runtime/protocol/nouns/request.ts';
import type { Use } from './glance.ts';

const HOUR_MS = 3_600_000n;
const SECOND_MICROS = 1_000_000n;
const HOUR_S = 3_600n;
const MIB = 1_048_576n;
/** A multiple of all four units. */
const COMMON = HOUR_MS * SECOND_MICROS * HOUR_S * MIB;
const NANO_IN_MICRO = 1_000n;

/** Micro-units, rounded down once. */
export const priceMicro = (use: Use, rates: Rates): bigint => {
  const parts: [amount: bigint, rate: bigint, unit: bigint][] = [
    [use.wallMs, rates.wallHour, HOUR_MS],
    [use.cpuMicros, rates.cpuSecond, SECOND_MICROS],
    [use.memoryMibS, rates.memoryMibHour, HOUR_S],
    [use.netInBytes + use.netOutBytes, rates.netMib, MIB],
    [use.diskBytes, rates.diskMib, MIB],
    [use.diskMibS, rates.dataMibHour, HOUR_S],
  ];
  let nano = 0n;
  for (const [amount, rate, unit] of parts) nano += amount * rate * (COMMON / unit);
  return nano / (COMMON * NANO_IN_MICRO);
};
