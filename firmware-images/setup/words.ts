/** What the files on a card may say, whoever wrote them. */
import type { Setup } from '../../runtime/adapters/setup.ts';
import type { Network } from './wifi.ts';

export interface Words {
  setup: Setup;
  country?: string | undefined;
  wifi?: Network[] | undefined;
  /** Said, and of no use here. */
  ignored: string[];
}

/** Names of what they say, for people. */
export const namesOf = ({ setup, country, wifi }: Words): string[] => [
  ...Object.keys(setup),
  ...(country === undefined ? [] : ['country']),
  ...(wifi === undefined ? [] : ['wifi']),
];

/** What the later says goes before what the earlier said. */
export const joined = (all: Words[]): Words =>
  all.reduce(
    (sum, one) => ({
      setup: { ...sum.setup, ...one.setup },
      country: one.country ?? sum.country,
      wifi: one.wifi ?? sum.wifi,
      ignored: [...sum.ignored, ...one.ignored],
    }),
    { setup: {}, ignored: [] },
  );
