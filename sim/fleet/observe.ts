/** What expectations look at, seen from outside: one function for each row of the table of observables. */

import { currentLease } from '../../gateway/core/leased.ts';
import { boards as boardRows, releases, stock } from '../../gateway/core/tables.ts';
import { liars, outbox } from '../../runtime/core/tables.ts';
import type { Tally } from '../oracle/physics.ts';
import type { Billed } from '../report/report.ts';
import type { Observable } from '../scenario/observables.ts';
import type { VirtualBoard } from './board.ts';
import type { Fleet } from './fleet.ts';
import type { VirtualGateway } from './gateway.ts';
import type { Greens } from './greens.ts';
import type { Seen } from './witness.ts';

export interface View {
  fleet: Fleet;
  seen: Seen;
  tally: Tally;
  greens: Greens;
  faults: Map<string, number>;
  /** Known in the end only. */
  billed: Billed[];
}

const sharesIn = (text: string | undefined): number => {
  const told: unknown = JSON.parse(text ?? '[]');
  return Array.isArray(told) ? told.length : 0;
};

type Look = (view: View, of: string) => number;

const sum = (of: Map<string, number>, key: string): number => {
  if (key !== '') return of.get(key) ?? 0;
  let total = 0;
  for (const value of of.values()) total += value;
  return total;
};

const own = ({ fleet }: View, of: string): VirtualBoard[] => fleet.boardsNamed(of).filter(({ at, id }) => at === id);
const count = (view: View, of: string, is: (board: VirtualBoard) => boolean): number => own(view, of).filter(is).length;
const most = (view: View, of: string, look: (board: VirtualBoard) => number): number => Math.max(0, ...own(view, of).map(look));

const names = ({ fleet }: View, of: string): string[] => (of === '' ? [...fleet.wishes.keys()] : [of]);

/** The terms of all replicas as the first gateway that runs knows them. */
const terms = (view: View, of: string): number[] => {
  const { fleet } = view;
  const gateway = fleet.gateways.find(({ running }) => running);
  if (gateway === undefined) return [];
  return gateway.read((rows) =>
    names(view, of).flatMap((name) => {
      const replicas = fleet.wishes.get(name)?.spec.replicas ?? 0;
      return Array.from({ length: replicas }, (_, i) => currentLease(rows, fleet.people.requestIdOf(name), i)?.doc.term ?? 0);
    }),
  );
};

const isQuarantined = ({ fleet }: View, board: VirtualBoard): boolean =>
  fleet.gateways.some((gateway) => gateway.running && gateway.read((rows) => boardRows.get(rows, board.id))?.quarantined === true);

const fullest = ({ fleet }: View, of: string, look: (gateway: VirtualGateway) => number): number =>
  Math.max(0, ...(of === '' ? fleet.gateways : [fleet.gatewayNamed(of)]).map(look));

/** By board, in bytes. */
const kib = (view: View, of: string, bytes: ReadonlyMap<string, number>): number =>
  Math.round(own(view, of).reduce((total, { at }) => total + (bytes.get(at) ?? 0), 0) / 1024);

const LOOK: Record<Observable, Look> = {
  running: ({ seen }, of) => sum(seen.running, of),
  green: ({ greens }, of) => greens.count(of),
  served: ({ fleet }, of) =>
    fleet.boards
      .flatMap(({ kernel }) => kernel.programs)
      .filter(({ rootPath }) => of === '' || fleet.workloadOf(rootPath) === of)
      .reduce((total, { shares }) => total + sharesIn(shares), 0),
  leased: (view, of) => terms(view, of).filter((term) => term > 0).length,
  linked: (view, of) => count(view, of, ({ linkedTo }) => linkedTo !== null),
  'homed-at': (view, of) => {
    const at = of === '' ? null : view.fleet.gatewayNamed(of).id;
    return count(view, '', ({ linkedTo }) => (at === null ? linkedTo !== null : linkedTo === at));
  },
  powered: (view, of) => count(view, of, ({ on, hung }) => on || hung),
  hung: (view, of) => count(view, of, ({ hung }) => hung),
  resets: (view, of) => own(view, of).reduce((total, { resets }) => total + resets, 0),
  system: (view, of) => Math.min(...own(view, of).map(({ slots }) => slots?.sequence ?? 1)),
  trials: (view, of) => own(view, of).reduce((total, { slots }) => total + (slots?.trials ?? 0), 0),
  outbox: (view, of) => own(view, of).reduce((total, board) => total + board.read((rows) => outbox.all(rows)).length, 0),
  'card-used': (view, of) => most(view, of, ({ card }) => card.usedPermille),
  'card-refusals': (view, of) => own(view, of).reduce((total, { card }) => total + card.refusals, 0),
  'card-worn': (view, of) => most(view, of, ({ card }) => card.wornPermille),
  battery: (view, of) => Math.min(1000, ...own(view, of).map(({ power }) => power.chargedPermille(view.fleet.clock.nowMs))),
  celsius: (view, of) => most(view, of, ({ thermal }) => Math.round(thermal.celsius(view.fleet.clock.nowMs))),
  throttled: (view, of) => count(view, of, ({ thermal }) => thermal.throttled(view.fleet.clock.nowMs)),
  quarantined: (view, of) => count(view, of, (board) => isQuarantined(view, board)),
  amnesia: ({ tally }) => tally.amnesia,
  spoilt: ({ seen }, of) => sum(seen.spoilt, of),
  restarts: ({ seen }, of) => sum(seen.restarts, of),
  moves: (view, of) => terms(view, of).reduce((total, term) => total + Math.max(0, term - 1), 0),
  rehomes: (view, of) => own(view, of).reduce((total, { rehomes }) => total + rehomes, 0),
  forks: ({ seen, fleet }, of) => [...seen.forks].filter((id) => of === '' || fleet.gatewayNamed(of).id === id).length,
  kept: (view, of) =>
    fullest(view, of, (gateway) => gateway.read((rows) => releases.all(rows).filter(({ value }) => value.gone !== true).length)),
  'content-used': (view, of) =>
    fullest(view, of, (gateway) =>
      gateway.read((rows) => Math.round(((stock.get(rows, 'all')?.bytes ?? 0) * 1000) / gateway.spec.contentBytes)),
    ),
  liars: ({ fleet }, of) => {
    const named = fleet.boards.flatMap((board) => board.read((rows) => liars.all(rows)).map(({ value: { name } }) => name));
    return new Set(named.filter((name) => of === '' || name === of)).size;
  },
  fetched: (view, of) => kib(view, of, view.seen.fetched),
  lent: (view, of) => kib(view, of, view.seen.lent),
  faults: ({ faults }, of) => sum(faults, of),
  refusals: ({ seen }) => seen.refusals,
  records: ({ tally }) => tally.recordsSigned,
  billed: ({ billed }, of) => {
    let total = 0n;
    for (const { workload, chargedMicro } of billed) if (of === '' || of === workload) total += chargedMicro;
    return Number(total);
  },
};

export const look = (view: View, see: Observable, of: string): number => LOOK[see](view, of);
