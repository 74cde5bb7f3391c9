/** Every quantity of a scenario is written with its unit: which words there are, what they are worth, and back again. */

interface UnitRow {
  /** What it measures, for people. */
  of: string;
  /** Worth of each word in the unit of the field, the smallest first. */
  words: Record<string, number>;
  /** What people write instead, and what they should. */
  meant?: Record<string, string>;
  example: string;
  /** `whole`: must come out as whole units; `down`: is rounded down to them; `real`: need not. */
  comes: 'whole' | 'down' | 'real';
  /** `1h30min` is one quantity. */
  chains?: true;
}

const BINARY = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const DECIMAL = { kB: 1000, MB: 1000 ** 2, GB: 1000 ** 3 };

export const UNITS = {
  ms: {
    of: 'a time',
    words: { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 },
    meant: {
      ...{ m: 'min', mins: 'min', minute: 'min', minutes: 'min', sec: 's', secs: 's', second: 's', seconds: 's' },
      ...{ hr: 'h', hrs: 'h', hour: 'h', hours: 'h', day: 'd', days: 'd', millis: 'ms', msec: 'ms' },
    },
    example: '10min',
    comes: 'whole',
    chains: true,
  },
  mib: {
    of: 'an amount of memory',
    words: { MiB: 1, GiB: 1024 },
    meant: { MB: 'MiB', GB: 'GiB', M: 'MiB', G: 'GiB' },
    example: '64MiB',
    comes: 'whole',
  },
  // Cards are sold in GB; what is not a whole MiB of them is not used.
  storageMib: {
    of: 'the size of a card',
    words: { MiB: 1, MB: 1e6 / BINARY.MiB, GiB: 1024, GB: 1e9 / BINARY.MiB, TB: 1e12 / BINARY.MiB },
    meant: { M: 'MiB', G: 'GB' },
    example: '16GB',
    comes: 'down',
  },
  bytes: {
    of: 'a number of bytes',
    words: { B: 1, ...DECIMAL, ...BINARY },
    meant: { K: 'KiB', M: 'MiB' },
    example: '64KiB',
    comes: 'whole',
  },
  bytesPerS: {
    of: 'a rate',
    words: {
      ...{ 'B/s': 1, 'kB/s': 1000, 'KiB/s': 1024, 'MB/s': 1e6, 'MiB/s': 1024 ** 2 },
      ...{ 'bit/s': 1 / 8, 'kbit/s': 125, 'Mbit/s': 125_000, 'Gbit/s': 125_000_000 },
    },
    meant: { kbps: 'kbit/s', Mbps: 'Mbit/s', Gbps: 'Gbit/s', bps: 'bit/s' },
    example: '20kB/s',
    comes: 'whole',
  },
  cpuMillis: {
    of: 'a share of processors',
    words: { m: 1, core: 1000, cores: 1000 },
    meant: { millis: 'm', cpu: 'cores', cpus: 'cores' },
    example: '120m',
    comes: 'whole',
  },
  permille: { of: 'a share', words: { '‰': 1, '%': 10 }, meant: { percent: '%', permille: '‰' }, example: '5%', comes: 'whole' },
  ppm: { of: 'a drift', words: { ppm: 1 }, example: '20ppm', comes: 'whole' },
  celsius: { of: 'a temperature', words: { C: 1, '°C': 1 }, meant: { '°': '°C', celsius: '°C' }, example: '60°C', comes: 'whole' },
  wattHours: { of: 'an amount of energy', words: { mWh: 0.001, Wh: 1, kWh: 1000 }, example: '20Wh', comes: 'real' },
  watts: { of: 'a power', words: { mW: 0.001, W: 1 }, example: '10W', comes: 'real' },
  micro: { of: 'an amount of money', words: { unit: 1e6, units: 1e6 }, example: '0.5 units', comes: 'whole' },
} as const satisfies Record<string, UnitRow>;

export type UnitName = keyof typeof UNITS;

const rowOf = (unit: UnitName): UnitRow => UNITS[unit];

export interface Misread {
  what: string;
  why?: string;
  next: string;
}

export const isMisread = (read: number | Misread): read is Misread => typeof read !== 'number';

const NUMBER = '[0-9]+(?:\\.[0-9]+)?';
const PIECE = new RegExp(`(${NUMBER})\\s*([^\\s0-9.-][^\\s0-9]*)\\s*`, 'y');

const wordsOf = (unit: UnitName): string[] => Object.keys(rowOf(unit).words);
const example = (unit: UnitName): string => `Write a number with ${list(wordsOf(unit))}, such as ${rowOf(unit).example}.`;
const list = (words: string[]): string => (words.length > 1 ? `one of ${words.join(', ')}` : (words[0] ?? ''));

/** What else such a word could be a unit of. */
const elsewhere = (word: string): string | undefined => Object.values<UnitRow>(UNITS).find(({ words }) => Object.hasOwn(words, word))?.of;

const wrongWord = (unit: UnitName, text: string, word: string): Misread => {
  const { of, words, meant = {} } = rowOf(unit);
  const folded = Object.keys(words).find((known) => known.toLowerCase() === word.toLowerCase());
  const better = Object.hasOwn(meant, word) ? meant[word] : folded;
  const other = elsewhere(word);
  return {
    what: `"${text}" is not ${of}`,
    why: other === undefined ? `"${word}" is no unit of it` : `"${word}" is a unit of ${other}`,
    next: better === undefined ? example(unit) : `Write "${text.replace(word, better)}".`,
  };
};

/** The pieces of `1h30min`, or null when the text is none. */
const piecesOf = (text: string): { number: string; word: string }[] | null => {
  const found: { number: string; word: string }[] = [];
  PIECE.lastIndex = 0;
  for (let at = 0; at < text.length; at = PIECE.lastIndex) {
    PIECE.lastIndex = at;
    const [, number, word] = PIECE.exec(text) ?? [];
    if (number === undefined || word === undefined) return null;
    found.push({ number, word });
  }
  return found;
};

/** Nothing needs no unit. */
const ZERO = /^-?0+(\.0+)?$/;

export const parseQuantity = (unit: UnitName, written: string): number | Misread => {
  const text = written.trim();
  if (ZERO.test(text)) return 0;
  const { of, words, comes, chains } = rowOf(unit);
  const sign = text.startsWith('-') ? -1 : 1;
  const pieces = piecesOf(sign < 0 ? text.slice(1) : text);
  if (new RegExp(`^-?${NUMBER}$`).test(text)) return { what: `"${text}" has no unit`, why: `${of} is needed here`, next: example(unit) };
  if (pieces === null || pieces.length === 0 || (pieces.length > 1 && chains !== true))
    return { what: `"${text}" is not ${of}`, next: example(unit) };
  let total = 0;
  let above = Number.POSITIVE_INFINITY;
  for (const { number, word } of pieces) {
    const worth = Object.hasOwn(words, word) ? words[word] : undefined;
    if (worth === undefined) return wrongWord(unit, text, word);
    if (worth >= above)
      return { what: `"${text}" is not ${of}`, why: 'its parts go from the largest to the smallest', next: example(unit) };
    above = worth;
    total += Number(number) * worth;
  }
  if (comes === 'real') return sign * total;
  const near = Math.round(total);
  // Fractions such as 1.1 are not exact in binary; what is further off is really finer than the unit.
  const isWhole = Math.abs(total - near) <= 1e-9 * Math.max(1, total);
  if (!isWhole && comes === 'whole') {
    return {
      what: `"${text}" is too fine`,
      why: `it has to come out as whole ${smallest(unit)}`,
      next: `Write ${formatQuantity(unit, sign * near)}.`,
    };
  }
  const value = isWhole ? near : Math.floor(total);
  if (!Number.isSafeInteger(value)) return { what: `"${text}" is too large`, next: example(unit) };
  return sign * value === 0 ? 0 : sign * value;
};

const smallest = (unit: UnitName): string =>
  unit === 'micro' ? 'millionths' : (Object.entries(rowOf(unit).words).find(([, worth]) => worth === 1)?.[0] ?? unit);

/** As a person would write it; `parseQuantity` gives the value back. */
export const formatQuantity = (unit: UnitName, value: number): string => {
  if (value === 0) return `0${unit === 'ms' ? 's' : (Object.keys(rowOf(unit).words)[0] ?? '')}`;
  if (value < 0) return `-${formatQuantity(unit, -value)}`;
  const { comes, chains } = rowOf(unit);
  const words = Object.entries<number>(rowOf(unit).words).sort(([, a], [, b]) => b - a);
  if (chains === true) return chained(words, value);
  // The largest word that leaves a short number; the last one always does.
  for (const [word, worth] of words) {
    const count = value / worth;
    if (count >= 1 && Number.isInteger(count)) return `${count}${suffix(unit, word, count)}`;
  }
  const [word, worth] = comes === 'real' ? (words.find(([, each]) => each === 1) ?? ['', 1]) : (words.at(-1) ?? ['', 1]);
  return `${value / worth}${suffix(unit, word, value / worth)}`;
};

/** Of words that are worth the same, the first is for one and the last for several. */
const suffix = (unit: UnitName, word: string, count: number): string => {
  const { words } = rowOf(unit);
  const alike = Object.keys(words).filter((other) => words[other] === words[word]);
  const chosen = (count === 1 ? alike[0] : alike.at(-1)) ?? word;
  return /^(core|unit)/.test(chosen) ? ` ${chosen}` : chosen;
};

const chained = (words: [string, number][], value: number): string => {
  let left = value;
  let out = '';
  for (const [word, worth] of words) {
    const count = Math.floor(left / worth);
    left -= count * worth;
    if (count > 0) out += `${count}${word}`;
  }
  return out;
};

/** For a JSON schema: what `parseQuantity` takes, as far as a pattern can say. */
export const patternOf = (unit: UnitName): string => {
  const words = wordsOf(unit)
    .sort((a, b) => b.length - a.length)
    .join('|');
  const piece = `${NUMBER}\\s*(?:${words})`;
  return rowOf(unit).chains === true ? `-?${piece}(?:\\s*${piece})*` : `-?${piece}`;
};

const DOTS = '..';

/** `1min..20min`, or one quantity for both ends. */
export const parseRange = (unit: UnitName, text: string): { least: number; most: number } | Misread => {
  const [from = '', to, ...more] = text.split(DOTS);
  if (more.length > 0) return { what: `"${text}" is not a range`, next: `Write it as 1min${DOTS}20min.` };
  const least = parseQuantity(unit, from);
  const most = to === undefined ? least : parseQuantity(unit, to);
  if (isMisread(least)) return least;
  if (isMisread(most)) return most;
  return least <= most ? { least, most } : { what: `"${text}" goes down`, next: `Write ${to?.trim()}${DOTS}${from.trim()}.` };
};
