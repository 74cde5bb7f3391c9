/** Where a board stands while the newest system of its kind goes through its owner's boards, for people. */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Part } from '../../runtime/protocol/image.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { beginning } from '../../runtime/protocol/printable.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { fleetOf } from '../core/fleet.ts';
import { awayMs } from '../core/homing.ts';
import { newestFor } from '../core/images.ts';
import { systems, upkeeps } from '../core/tables.ts';
import type { Fleet } from '../core/touched.ts';
import type { Service, Work } from './events.ts';

/** As many of the boards that a wave waits for as a person reads. */
const NAMED = 4;

/** What a board has still to do before it has shown how the system does on it. */
const stillToDo = (work: Work, service: Service, part: Part, release: string, board: string, now: Instant): string => {
  if (awayMs(work, service, board, now) > 0) return `board ${board} is out of reach`;
  const said = systems.get(work, `${board}/${part}`);
  if (said?.update === null || said?.update === undefined || hex(said.update.release) !== release)
    return `board ${board} was not given it yet`;
  const { phase, detail } = said.update;
  // Kept, it has come home; whether it does well takes as long as the owner wants it to.
  return `board ${board}: ${phase === 'kept' ? 'kept, and watched' : phase}${detail === '' ? '' : ` (${detail})`}`;
};

const stateOf = ({ standing: { halted, awaited } }: Fleet): 'halted' | 'rolling' | 'done' => {
  if (halted !== null) return 'halted';
  return awaited.length === 0 ? 'done' : 'rolling';
};

/** Null: it waits for none, or there is nothing newer than what is on its card. */
export const fleetView = (work: Work, service: Service, board: string, part: Part, now: Instant) => {
  const [word, newest] = [upkeeps.get(work, board)?.doc, newestFor(work, board, part)];
  if (word?.rollout === undefined || newest === null) return null;
  const fleet = fleetOf(work, service, word, newest.release, newest.image);
  const { halted, awaited, open, of } = fleet.standing;
  const waits = awaited.flatMap((at) => fleet.boards[at]?.board ?? []);
  const named = waits.slice(0, NAMED).map((one) => stillToDo(work, service, part, newest.release, one, now));
  const why = halted ?? [...named, ...(waits.length > NAMED ? [`${waits.length - NAMED} more`] : [])].join('; ');
  return {
    release: newest.release,
    state: stateOf(fleet),
    wave: word.rollout.wave,
    /** From 1: waves that are given it. */
    open,
    of,
    trial: fleet.boards.find((one) => one.board === board)?.trial ?? 'old',
    why: beginning(why, LIMITS.textBytes / 4),
  };
};
