/** Faults that could hit nothing in this fleet: whoever wrote them down means something else. */
import { type Cast, whoIs } from './cast.ts';
import { type FaultKind, faultRow } from './faults.ts';
import type { BoardSpec } from './scenario.ts';
import type { Placed } from './shape.ts';
import { formatQuantity } from './units.ts';

interface Need {
  /** Whether it can befall it. */
  is(board: BoardSpec, all: BoardSpec[]): boolean;
  lacks: string;
  /** Where nobody could be named instead. */
  next: string;
}

const isBeside = (board: BoardSpec, other: BoardSpec): boolean =>
  other.lan !== null && other.lan === board.lan && other.name !== board.name;

const sharing: Need = {
  is: (board, all) => board.neighbours && all.some((other) => other.neighbours && isBeside(board, other)),
  lacks: 'shares nothing with another board of a lan',
  next: 'Give it and another board the same "lan:".',
};

const updated: Need = {
  is: ({ updates }) => updates !== null,
  lacks: 'keeps the system that it has',
  next: 'Give it "updates: { wave: 1 }".',
};

const NEEDS: Partial<Record<FaultKind, Need>> = {
  'sensor-fault': { is: ({ sensors }) => sensors.length > 0, lacks: 'has no sensor', next: 'Give it "sensors:".' },
  'lan-cut': { ...sharing, is: (board, all) => all.some((other) => isBeside(board, other)), lacks: 'is with no other board in a lan' },
  'false-neighbour': sharing,
  'mute-neighbour': sharing,
  'good-system': updated,
  'bad-system': updated,
  'interrupted-system': updated,
};

/** Gateways that there have to be. */
const GATEWAYS: Partial<Record<FaultKind, { least: number; why: string }>> = {
  'peer-cut': { least: 2, why: 'it has no peer' },
  'forked-log': { least: 3, why: 'it tells two peers two histories' },
};

const SHOWN_MOST = 8;

/** One of those that a row names, where it can befall nobody of them. */
export const refuseVain = (cast: Cast, kind: FaultKind, on: Placed<string>): void => {
  const { desk, boards, groups, gateways } = cast;
  const short = GATEWAYS[kind];
  if (short !== undefined && gateways.length > 0 && gateways.length < short.least)
    return desk.report(on.at, {
      ...{ what: `${kind} with ${gateways.length === 1 ? 'one gateway' : `${gateways.length} gateways`}`, why: short.why },
      next: `Write at least ${short.least} gateways.`,
    });
  const need = NEEDS[kind];
  if (need === undefined) return;
  const names = new Set(whoIs(cast, faultRow(kind).on, on));
  const can = (some: BoardSpec[]): boolean => some.some((board) => need.is(board, boards));
  if (names.size === 0 || can(boards.filter(({ name }) => names.has(name)))) return;
  const others = [...groups].flatMap(([name, group]) => (can(group) && (group.length > 1 || group[0]?.group === name) ? [name] : []));
  desk.report(on.at, {
    what: on.value === 'all' ? `no board for a ${kind}` : `"${on.value}" ${need.lacks}`,
    why: `a ${kind} would change nothing`,
    next: others.length === 0 ? need.next : `Name one of ${others.slice(0, SHOWN_MOST).join(', ')}.`,
  });
};

const COPIED_MS = 3_600_000;

/** A gateway whose disk was never copied has no older one. */
export const refuseEarly = ({ desk }: Cast, at: Placed<number>): void => {
  if (!at.sound || !(at.value <= COPIED_MS)) return;
  desk.report(at.at, {
    what: 'old-disk before there is an older disk',
    why: `the first copy is made after ${formatQuantity('ms', COPIED_MS)}`,
    next: `Let it happen after ${formatQuantity('ms', COPIED_MS)}.`,
  });
};
