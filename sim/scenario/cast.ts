/** Everything in a scenario that has a name, so that each mention of one can be looked up or answered with the nearest. */
import { type Complaint, type Desk, unknownWord } from './problem.ts';
import type { BoardSpec, GatewaySpec, LinkSpec, WorkloadSpec } from './scenario.ts';
import type { Placed } from './shape.ts';

export type Kind = 'board' | 'gateway' | 'workload';

export interface Cast {
  desk: Desk;
  gateways: GatewaySpec[];
  boards: BoardSpec[];
  /** Boards by the name of their group, and each by its own. */
  groups: Map<string, BoardSpec[]>;
  workloads: WorkloadSpec[];
  /** Also those of workloads that could not be made. */
  workloadNames: string[];
  links: Map<string, LinkSpec>;
}

/** Everyone. */
const ALL = 'all';

const namesOf = (cast: Cast, kind: Kind): string[] => {
  if (kind === 'gateway') return cast.gateways.map(({ name }) => name);
  if (kind === 'workload') return cast.workloadNames;
  // Groups first: who mistypes a name rarely means one board of a thousand.
  return [...cast.groups.keys()];
};

const KINDS: readonly Kind[] = ['board', 'gateway', 'workload'];

const unknownName = (cast: Cast, kind: Kind, name: string, known: string[]): Complaint => {
  const other = KINDS.find((one) => namesOf(cast, one).includes(name));
  if (other === undefined || other === kind) return unknownWord(kind, name, known);
  return { ...unknownWord(kind, name, known), what: `"${name}" is a ${other}`, why: `a ${kind} is needed here` };
};

/** The names of those meant; boards one by one. An unknown one is told and left out. */
export const whoIs = (cast: Cast, kind: Kind, { value: name, at, sound }: Placed<string>): string[] => {
  if (!sound) return [];
  if (name === ALL) return kind === 'board' ? cast.boards.map((board) => board.name) : namesOf(cast, kind);
  const group = kind === 'board' ? cast.groups.get(name) : undefined;
  if (group !== undefined) return group.map((board) => board.name);
  const known = namesOf(cast, kind);
  if (kind !== 'board' && known.includes(name)) return [name];
  cast.desk.report(at, unknownName(cast, kind, name, [...known, ALL]));
  return [];
};

/** Each name once; the second one is told. */
export const refuseTwins = (desk: Desk, what: string, names: Placed<string>[]): void => {
  const seen = new Set<string>();
  for (const { value, at, sound } of names) {
    if (sound && seen.has(value))
      desk.report(at, { what: `two ${what} are called "${value}"`, next: 'Choose another name for one of them.' });
    seen.add(value);
  }
};
