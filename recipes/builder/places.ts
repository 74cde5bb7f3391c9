/** YAML into a value that remembers where in the file each part stands, so that a refusal can point at it. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';

/** Keys and indexes from the top of the document down. */
export type Place = (string | number)[];

export interface Complaint {
  place: Place;
  says: string;
  /** Points at the key of the last step and not at its value. */
  atKey?: boolean;
}

export interface Placed {
  value: unknown;
  /** Refuses with `bad-recipe`, one line `file:line:column: …` for each complaint. */
  complain(complaints: Complaint[]): never;
}

/** Aliases that a document may resolve to; without a bound a few lines grow into gigabytes ("billion laughs"). */
const ALIASES_MAX = 16;

const offsetOf = (node: Node | null): number | undefined => node?.range?.[0];

/** Byte offset of a place, or of the nearest thing around it that is in the file. */
const locate = (top: Node | null, { place, atKey }: Complaint, resolve: (node: Node) => Node | undefined): number => {
  let node = top;
  let offset = offsetOf(top) ?? 0;
  for (const [depth, step] of place.entries()) {
    const here = isAlias(node) ? (resolve(node) ?? null) : node;
    let next: unknown = null;
    if (isMap<Node, Node | null>(here)) {
      const pair = here.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      if (atKey === true && depth === place.length - 1) return offsetOf(pair.key) ?? offset;
      next = pair.value;
      offset = offsetOf(pair.value) ?? offsetOf(pair.key) ?? offset;
    } else if (isSeq<Node>(here) && typeof step === 'number') {
      next = here.items[step] ?? null;
    }
    if (!isMap(next) && !isSeq(next) && !isScalar(next) && !isAlias(next)) break;
    node = next;
    offset = offsetOf(node) ?? offset;
  }
  return offset;
};

/** `name`: how messages call the file. Errors: `too-large`, `bad-recipe`. */
export const parsePlaced = (text: string, name: string): Placed => {
  if (text.length > LIMITS.manifestBytes)
    refuse('too-large', `${name} has ${text.length} characters, at most ${LIMITS.manifestBytes} are read`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  // A warning (an unknown tag, say) means that the value is not what was written.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) refuse('bad-recipe', faults.map((fault) => `${at(fault.pos[0])}: ${fault.message}`).join('\n'));
  const complain = (complaints: Complaint[]): never => {
    const resolve = (node: Node) => (isAlias(node) ? node.resolve(document) : node);
    const placed = complaints.map((one) => ({ says: one.says, offset: locate(document.contents, one, resolve) }));
    placed.sort((a, b) => a.offset - b.offset);
    return refuse('bad-recipe', placed.map(({ says, offset }) => `${at(offset)}: ${says}`).join('\n'));
  };
  try {
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX }), complain };
  } catch (error) {
    return complain([{ place: [], says: error instanceof Error ? error.message : 'cannot be read' }]);
  }
};
