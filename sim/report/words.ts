/** How simulated moments, durations, money and ids are said to people. */

const pad = (value: number): string => String(value).padStart(2, '0');

/** A moment of a run: `04:15:07`, from the second day on `2d 04:15:07`. Milliseconds only where they are not zero. */
export const moment = (atMs: number): string => {
  const seconds = Math.floor(atMs / 1000);
  const days = Math.floor(seconds / 86_400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(pad).join(':');
  const rest = atMs % 1000;
  return `${days > 0 ? `${days}d ` : ''}${clock}${rest > 0 ? `.${String(rest).padStart(3, '0')}` : ''}`;
};

const UNITS: [name: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** The two greatest units that are not zero: `2 d 3 h`, `15 min`, `1.5 s`, `0 ms`. */
export const duration = (ms: number): string => {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  const first = UNITS.findIndex(([, unit]) => ms >= unit);
  const parts: string[] = [];
  let rest = ms;
  for (const [name, unit] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
};

/** Micro-units of a currency as units: all decimals that matter, and at least two. */
export const amount = (micro: bigint): string => {
  const digits = (micro < 0n ? -micro : micro).toString().padStart(7, '0');
  const fraction = digits.slice(-6).replace(/0+$/, '').padEnd(2, '0');
  return `${micro < 0n ? '−' : ''}${digits.slice(0, -6)}.${fraction}`;
};

/** 32 letters of base32, or hex. */
const ID = /\b(?:[a-z2-7]{32}|[0-9a-f]{32,128})\b/g;

/** The name that stands behind each id, or enough of it to tell it from its neighbours. */
export const withNames = (text: string, names: Record<string, string>): string =>
  text.replace(ID, (id) => (Object.hasOwn(names, id) ? (names[id] ?? id) : `${id.slice(0, 8)}…`));
