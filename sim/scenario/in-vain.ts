/** Faults that could hit nothing in this fleet: whoever wrote them down means something else. */
import { heeds, SENSOR_FAULTS } from '../hardware/sensor.ts';
import { type Cast, whoIs } from './cast.ts';
import { type FaultKind, faultRow } from './faults.ts';
import type { BoardSpec, ReadSpec } from './scenario.ts';
import type { Placed } from './shape.ts';
import { formatQuantity } from './units.ts';

type Around = Pick<Cast, 'boards' | 'workloads'>;
/** The further words of a row. */
type Extra = Record<string, number | string | null>;

interface Need {
  /** Whether it can befall it. */
  is(board: BoardSpec, all: Around, extra: Extra): boolean;
  lacks: string;
  /** Where nobody could be named instead. */
  next: string;
}

const isBeside = (board: BoardSpec, other: BoardSpec): boolean =>
  other.lan !== null && other.lan === board.lan && other.name !== board.name;

const sharing: Need = {
  is: (board, { boards }) => board.neighbours && boards.some((other) => other.neighbours && isBeside(board, other)),
  lacks: 'shares nothing with another board of a lan',
  next: 'Give it and another board the same "lan:".',
};

const readsAny = ({ sensors }: BoardSpec, { workloads }: Around, is: (read: ReadSpec) => boolean): boolean =>
  workloads.some(({ reads }) => reads.some((read) => is(read) && sensors.some(({ name }) => name === read.sensor)));

const hasSensor: Need = { is: ({ sensors }) => sensors.length > 0, lacks: 'has no sensor', next: 'Give it "sensors:".' };
const isRead: Need = {
  is: (board, all) => readsAny(board, all, () => true),
  lacks: 'has no sensor that any workload reads',
  next: 'Let one read it ("reads:").',
};
/** Who only wants it to be there does not know a wrong value from a right one. */
const isHeeded: Need = {
  is: (board, all, { how }) =>
    readsAny(board, all, (read) => how === null || SENSOR_FAULTS.some((known) => known === how && heeds(read, known))),
  lacks: 'has no sensor of which any workload would notice that',
  next: 'Say what is a fair reading: "reads: { sensor: …, least: …, most: …, same: 20min }".',
};

const updated: Need = {
  is: ({ updates }) => updates !== null,
  lacks: 'keeps the system that it has',
  next: 'Give it "updates: { wave: 1 }".',
};

/** The first that it lacks is told. */
const NEEDS: Partial<Record<FaultKind, Need[]>> = {
  'sensor-fault': [hasSensor, isRead, isHeeded],
  'lan-cut': [
    { ...sharing, is: (board, { boards }) => boards.some((other) => isBeside(board, other)), lacks: 'is with no other board in a lan' },
  ],
  'false-neighbour': [sharing],
  'mute-neighbour': [sharing],
  'good-system': [updated],
  'bad-system': [updated],
  'interrupted-system': [updated],
};

/** Gateways that there have to be. */
const GATEWAYS: Partial<Record<FaultKind, { least: number; why: string }>> = {
  'peer-cut': { least: 2, why: 'it has no peer' },
  'forked-log': { least: 3, why: 'it tells two peers two histories' },
};

const SHOWN_MOST = 8;

/** One of those that a row names, where it can befall nobody of them. */
export const refuseVain = (cast: Cast, kind: FaultKind, on: Placed<string>, extra: Extra): void => {
  const { desk, boards, groups, gateways } = cast;
  const short = GATEWAYS[kind];
  if (short !== undefined && gateways.length > 0 && gateways.length < short.least)
    return desk.report(on.at, {
      ...{ what: `${kind} with ${gateways.length === 1 ? 'one gateway' : `${gateways.length} gateways`}`, why: short.why },
      next: `Write at least ${short.least} gateways.`,
    });
  const needs = NEEDS[kind];
  if (needs === undefined) return;
  const names = new Set(whoIs(cast, faultRow(kind).on, on));
  const named = boards.filter(({ name }) => names.has(name));
  const can = (need: Need, some: BoardSpec[]): boolean => some.some((board) => need.is(board, cast, extra));
  const lacking = names.size === 0 ? undefined : needs.find((need) => !can(need, named));
  if (lacking === undefined) return;
  const canAll = (some: BoardSpec[]): boolean => some.some((board) => needs.every((need) => need.is(board, cast, extra)));
  const others = [...groups].flatMap(([name, group]) => (canAll(group) && (group.length > 1 || group[0]?.group === name) ? [name] : []));
  desk.report(on.at, {
    what: on.value === 'all' ? `no board for a ${kind}` : `"${on.value}" ${lacking.lacks}`,
    why: `a ${kind} would change nothing`,
    next: others.length === 0 ? lacking.next : `Name one of ${others.slice(0, SHOWN_MOST).join(', ')}.`,
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
