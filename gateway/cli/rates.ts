/** Rates on the command line: money per unit, exact to the nano-unit of the currency. */
import type { Rates } from '../../runtime/protocol/nouns/request.ts';
import { misused, money, pairs } from './words.ts';

export const RATE_NAMES = ['wallHour', 'cpuSecond', 'memoryMibHour', 'netMib', 'diskMib', 'dataMibHour'] as const;
const NANO_DECIMALS = 9;

/** `cpuSecond=20n wallHour=0.002`; what is not named keeps its value of `otherwise`. */
export const ratesOf = (texts: string[], flag: string, otherwise: Rates): Rates => {
  const given = pairs(texts, flag);
  const stranger = Object.keys(given).find((key) => !RATE_NAMES.some((name) => name === key));
  if (stranger !== undefined) misused(`${flag} knows ${RATE_NAMES.join(', ')}, not "${stranger}"`);
  const rates = { ...otherwise };
  for (const name of RATE_NAMES) {
    const text = given[name];
    if (text !== undefined) rates[name] = money(text, NANO_DECIMALS, `${flag} ${name}`);
  }
  return rates;
};
