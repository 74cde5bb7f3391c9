/** What is wrong with a scenario, where in its file, and what to write instead. */
import { nearest } from './nearest.ts';

export interface ScenarioProblem {
  /** Both count from 1. */
  line: number;
  column: number;
  what: string;
  why?: string;
  /** What to do next, a sentence. */
  next: string;
}

/** A problem before its place was looked up. */
export interface Complaint {
  what: string;
  why?: string;
  next: string;
}

/** Takes complaints at offsets into the text, and goes on: whoever mends a file wants to see all of them. */
export class Desk {
  readonly #found: { at: number; complaint: Complaint }[] = [];
  readonly #known = new Set<string>();

  report(at: number, complaint: Complaint): void {
    // A part that is used twice through an alias is wrong once.
    const key = `${at} ${complaint.what}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#found.push({ at, complaint });
  }

  get count(): number {
    return this.#found.length;
  }

  /** In the order of the file. */
  problems(place: (at: number) => { line: number; column: number }): ScenarioProblem[] {
    const sorted = [...this.#found].sort((a, b) => a.at - b.at);
    return sorted.map(({ at, complaint }) => ({ ...place(at), ...complaint }));
  }
}

const SHOWN_MAX = 24;

/** A word that is not one of those known; `of` is what it should have been. */
export const unknownWord = (of: string, word: string, known: readonly string[]): Complaint => {
  const meant = nearest(word, known);
  const shown =
    known.length > SHOWN_MAX ? `${known.slice(0, SHOWN_MAX).join(', ')} and ${known.length - SHOWN_MAX} more` : known.join(', ');
  const otherwise = known.length === 0 ? 'There is none to name here.' : `Known here: ${shown}.`;
  return { what: `unknown ${of} "${word}"`, next: meant === null ? otherwise : `Did you mean "${meant}"?` };
};

/** One line for a terminal. */
export const problemLine = (path: string, { line, column, what, why, next }: ScenarioProblem): string =>
  `${path}:${line}:${column}: ${what}${why === undefined ? '' : ` (${why})`}. ${next}`;
