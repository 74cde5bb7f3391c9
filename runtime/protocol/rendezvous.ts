/** Rendezvous (highest random weight) hashing, Thaler & Ravishankar 1998: who serves what, agreed on without talking. */
import { compare, utf8 } from './bytes.ts';
import type { Crypto } from './crypto.ts';

/** `candidates` in the order in which they are to be tried for `subject`; the same everywhere. */
export const rendezvous = <T extends string>(crypto: Crypto, subject: string, candidates: readonly T[]): T[] =>
  candidates
    .map((candidate) => ({ candidate, weight: crypto.sha256(utf8(`${subject}\n${candidate}`)) }))
    .sort((a, b) => compare(b.weight, a.weight))
    .map(({ candidate }) => candidate);
