/** The word that was probably meant. */

/** Levenshtein's distance: letters inserted, left out or exchanged. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + (letter === b[j] ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};

/** The nearest of `words`, `null` when none is within half of the word's own length. */
export const nearest = (word: string, words: string[]): string | null => {
  const lower = word.toLowerCase();
  const ranked = words.map((candidate) => ({ candidate, far: distance(lower, candidate.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.far - b.far);
  return best !== undefined && best.far <= Math.max(1, Math.floor(word.length / 2)) ? best.candidate : null;
};
