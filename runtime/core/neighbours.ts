/**
 * Which board of a network asks the gateway for which piece, worked out by each of them alike (rendezvous hashing): so what all
 * of them fetch at once comes over their common link once, and nobody has to decide or to be told.
 */

export interface Member {
  id: string;
  /** It has all of the release. */
  whole: boolean;
}

export interface Parts {
  /** What this board asks its gateway for, in the order of `pieces`. */
  own: string[];
  /** Neighbour → what is left to it: it has that, or asks its gateway for it. */
  owed: Map<string, string[]>;
  /** Neighbour → what is this board's to ask for, and was that one's before this board came: it may have it already. */
  tried: Map<string, string[]>;
}

/** The first eight digits of a hash, of which one is as likely as another. */
const word = (id: string): number => Number.parseInt(id.slice(0, 8), 16);

/** A bijection that spreads: of two words that differ in one bit the results differ in half of theirs (MurmurHash3's last step). */
const spread = (value: number): number => {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

interface Candidate {
  id: string;
  word: number;
}

/** The one whose piece it is, and whose it would be without that one. */
const firstTwo = (piece: string, among: readonly Candidate[]): [string, string] => {
  const own = word(piece);
  let [first, second]: [string, string] = ['', ''];
  let [most, next] = [-1, -1];
  for (const { id, word: other } of among) {
    const weight = spread(own ^ other);
    if (weight > most) {
      [second, next] = [first, most];
      [first, most] = [id, weight];
    } else if (weight > next) [second, next] = [id, weight];
  }
  return [first, second];
};

const candidates = (ids: readonly string[]): Candidate[] => [...ids].sort().map((id) => ({ id, word: word(id) }));

const add = (to: Map<string, string[]>, id: string, piece: string): void => {
  const known = to.get(id);
  if (known === undefined) to.set(id, [piece]);
  else known.push(piece);
};

/** Whose it is now. */
export const ownerOf = (piece: string, me: string, others: readonly Member[]): string => {
  const wholes = others.flatMap(({ id, whole }) => (whole ? [id] : []));
  return firstTwo(piece, candidates(wholes.length > 0 ? wholes : [me, ...others.map(({ id }) => id)]))[0];
};

/** Ids are hex digits, at least eight. Of pieces that a whole one has, none is left to anybody else. */
export const shareOut = (pieces: Iterable<string>, me: string, others: readonly Member[]): Parts => {
  if (others.length === 0) return { own: [...pieces], owed: new Map(), tried: new Map() };
  const wholes = candidates(others.flatMap(({ id, whole }) => (whole ? [id] : [])));
  const all = candidates([me, ...others.map(({ id }) => id)]);
  const parts: Parts = { own: [], owed: new Map(), tried: new Map() };
  for (const piece of pieces) {
    const [first, second] = firstTwo(piece, wholes.length > 0 ? wholes : all);
    if (first !== me) add(parts.owed, first, piece);
    else if (second !== '') add(parts.tried, second, piece);
    else parts.own.push(piece);
  }
  return parts;
};
