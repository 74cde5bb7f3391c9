/**
 * What a lease's registers cost. The cost of a slice is cost(end) − cost(start), each rounded down to the micro-unit:
 * it telescopes, so that thinned-out or repeated intermediate records cannot move a total by one unit.
 */
import type { Registers } from './nouns/board.ts';
import type { Rates } from './nouns/request.ts';

/** Common denominator of the units the rates are per: hour in ms, second in µs, MiB·hour in MiB·s, MiB in bytes. */
const UNIT = 18_000_000n * 1_048_576n;
const PER_HOUR_MS = UNIT / 3_600_000n;
const PER_SECOND_MICROS = UNIT / 1_000_000n;
const PER_HOUR_S = UNIT / 3_600n;
const PER_MIB_BYTES = UNIT / 1_048_576n;
const NANO_PER_MICRO = 1_000n;

/** Micro-units of the currency, rounded down in the tenant's favour. */
export const costMicro = (used: Registers, rates: Rates): bigint => {
  const scaled =
    used.wallMs * rates.wallHour * PER_HOUR_MS +
    used.cpuMicros * rates.cpuSecond * PER_SECOND_MICROS +
    used.memoryMibS * rates.memoryMibHour * PER_HOUR_S +
    (used.netInBytes + used.netOutBytes) * rates.netMib * PER_MIB_BYTES +
    used.diskBytes * rates.diskMib * PER_MIB_BYTES +
    used.diskMibS * rates.dataMibHour * PER_HOUR_S;
  return scaled / (UNIT * NANO_PER_MICRO);
};

export const ZERO: Registers = {
  wallMs: 0n,
  cpuMicros: 0n,
  memoryMibS: 0n,
  netInBytes: 0n,
  netOutBytes: 0n,
  diskBytes: 0n,
  diskMibS: 0n,
  energyMj: 0n,
};

/** Whether every rate is at or below the cap. */
export const within = (rates: Rates, cap: Rates): boolean =>
  rates.wallHour <= cap.wallHour &&
  rates.cpuSecond <= cap.cpuSecond &&
  rates.memoryMibHour <= cap.memoryMibHour &&
  rates.netMib <= cap.netMib &&
  rates.diskMib <= cap.diskMib &&
  rates.dataMibHour <= cap.dataMibHour;

/** ISO 4217's code for testing: slices in it are posted and never paid. */
export const NOT_PAYABLE = 'XTS';

/** Whether a lease in this currency may stand on what is in that one: what runs unprivileged is in XTS whatever was asked and offered. */
export const isPayableIn = (leased: string, currency: string): boolean => leased === currency || leased === NOT_PAYABLE;
