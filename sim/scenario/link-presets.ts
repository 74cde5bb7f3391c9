/** Ways between machines, as people know them. Figures are of an ordinary day; bad days are faults. */
import type { LinkSpec } from './scenario.ts';

type Preset = LinkSpec & { says: string };

export const LINKS = {
  ethernet: { latencyMs: 1, jitterMs: 1, lossPermille: 0, bytesPerS: 12_500_000, says: 'a cable of 100 Mbit/s to a gateway in the house' },
  // IEEE 802.11n in a house: half of what the card claims, and retries show as jitter.
  wifi: { latencyMs: 4, jitterMs: 8, lossPermille: 2, bytesPerS: 2_500_000, says: 'Wi-Fi of a house, 20 Mbit/s' },
  'village-wifi': {
    latencyMs: 25,
    jitterMs: 120,
    lossPermille: 30,
    bytesPerS: 125_000,
    says: 'one access point for a village, at the edge of its reach, 1 Mbit/s',
  },
  // Loss is hidden by the radio's own retries, which cost time instead (3GPP TS 36.322).
  lte: { latencyMs: 45, jitterMs: 40, lossPermille: 5, bytesPerS: 1_250_000, says: 'a mobile network, 10 Mbit/s' },
  // 35,786 km up and down, twice, at the speed of light are 480 ms; a request and its answer take two of these.
  satellite: { latencyMs: 300, jitterMs: 40, lossPermille: 10, bytesPerS: 64_000, says: 'a geostationary satellite, 512 kbit/s' },
  internet: {
    latencyMs: 15,
    jitterMs: 10,
    lossPermille: 1,
    bytesPerS: 12_500_000,
    says: 'between data centres or good connections, 100 Mbit/s',
  },
} as const satisfies Record<string, Preset>;

export type LinkPreset = keyof typeof LINKS;

const isPreset = (word: string): word is LinkPreset => Object.hasOwn(LINKS, word);
export const LINK_PRESETS: readonly LinkPreset[] = Object.keys(LINKS).filter(isPreset);

export const presetLink = (preset: string): LinkSpec | null => {
  if (!isPreset(preset)) return null;
  const { latencyMs, jitterMs, lossPermille, bytesPerS } = LINKS[preset];
  return { latencyMs, jitterMs, lossPermille, bytesPerS };
};
