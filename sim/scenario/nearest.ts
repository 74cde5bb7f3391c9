/** The word that was probably meant. */

/** Optimal string alignment: letters inserted, left out, exchanged, or two neighbours swapped. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : change;
      next.push(Math.min(change, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
};

/** Some names are typed in full, some by their beginning; no more of a word than this is looked at. */
const LETTERS_MAX = 64;

/** The nearest of `words`, `null` when none is within half of the word's own length. Ties go to the first. */
export const nearest = (word: string, words: Iterable<string>): string | null => {
  const asked = word.toLowerCase().slice(0, LETTERS_MAX);
  let best: string | null = null;
  let far = Math.max(1, Math.floor(asked.length / 2)) + 1;
  for (const candidate of words) {
    const known = candidate.toLowerCase().slice(0, LETTERS_MAX);
    if (Math.abs(known.length - asked.length) >= far) continue;
    const away = distance(asked, known);
    if (away < far) [best, far] = [candidate, away];
  }
  return best;
};
