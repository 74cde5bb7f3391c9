/** How far a request's release has come through its waves, for people: what it waits for, and what they can do. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Request, Wave } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { stillWanted } from '../core/holding.ts';
import { awayMs } from '../core/homing.ts';
import { currentLease } from '../core/leased.ts';
import type { Standing } from '../core/rollout.ts';
import { reports } from '../core/tables.ts';
import { progressOf } from '../core/waves.ts';
import type { Service, Work } from './events.ts';

/** As many of the replicas that a wave waits for as a person reads. */
const NAMED = 4;

/** What a replica has still to do before it has shown how the release does on it. */
const stillToDo = (work: Work, service: Service, id: string, index: number, now: Instant): string => {
  const held = currentLease(work, id, index);
  if (held === null || held.closed || !stillWanted(work, held)) return `replica ${index} has no board`;
  const { board, lease } = held.doc;
  if (awayMs(work, service, board, now) > 0) return `replica ${index}: board ${board} is out of reach`;
  const said = reports.get(work, lease);
  const how = said === null ? 'is on trial' : `${said.state}, promise ${said.promise}${said.detail === '' ? '' : `: ${said.detail}`}`;
  return `replica ${index} ${how}`;
};

/** `blank`: all of the waves before are through, and to the next one nobody belongs. */
const stateOf = ({ halted, awaited, blank }: Standing): 'halted' | 'blank' | 'rolling' | 'done' => {
  if (halted !== null) return 'halted';
  if (awaited.length > 0) return 'rolling';
  return blank === null ? 'done' : 'blank';
};

const isOf = (wave: Wave | undefined): string => (wave?.kind === 'label' ? `: no replica is on a board with label ${wave.label}` : '');

const whyOf = (work: Work, service: Service, id: string, request: Request, standing: Standing, now: Instant): string => {
  const { awaited, halted, blank } = standing;
  if (halted !== null) return halted;
  if (awaited.length === 0 && blank !== null)
    return `wave ${blank + 1} takes in nobody${isOf(request.rollout?.waves[blank])}`.slice(0, LIMITS.textBytes / 4);
  const named = awaited.slice(0, NAMED).map((index) => stillToDo(work, service, id, index, now));
  return [...named, ...(awaited.length > NAMED ? [`${awaited.length - NAMED} more`] : [])].join('; ').slice(0, LIMITS.textBytes / 4);
};

const NEXT = {
  halted: (name: string) =>
    `all are back at the release before; \`lichen request rollback ${name}\` leaves it at that, another release begins anew`,
  blank: (name: string) =>
    `give a board that one is on the label (\`lichen board bind --label\`), or name other waves: \`lichen request set ${name} --release HEX --wave\``,
  rolling: (name: string) => `nothing to do; \`lichen request rollback ${name}\` calls it off`,
  done: () => '',
};

/** Null: it has no waves. */
export const rolloutView = (work: Work, service: Service, id: string, request: Request, now: Instant) => {
  const progress = progressOf(work, id, request);
  if (progress === null || request.rollout === undefined) return null;
  const { standing, members } = progress;
  const state = stateOf(standing);
  return {
    plan: request.rollout,
    state: state === 'blank' ? ('rolling' as const) : state,
    /** From 1. */
    wave: Math.max(1, standing.open),
    of: standing.of,
    why: whyOf(work, service, id, request, standing, now),
    next: NEXT[state](request.name),
    replicas: members.map(({ index, trial, why }, at) => ({ index, wave: (standing.waves[at] ?? 0) + 1, trial, why })),
  };
};
