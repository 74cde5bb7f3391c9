/**
 * What is in a battery over time: pure. Between two changes of load it is known in closed form, since the panel gives a
 * sine. A day falls into at most five stretches in each of which the charge only rises or only falls, so that the moment
 * at which it is empty, or full enough again, is found by halving and never missed.
 */
import { type Daylight, givesAt, harvestMj, type Sun } from './sun.ts';

export interface Cell {
  capacityMj: number;
  /** With so much in it, a controller that has disconnected the board connects it again. */
  restartMj: number;
  sun: Sun | null;
}

/** The sums are since the beginning. Always: stored = stored at first + harvested − spent − spilled. */
export interface Charge {
  atMs: number;
  /** The controller gives power to the board. */
  isFed: boolean;
  storedMj: number;
  harvestedMj: number;
  spentMj: number;
  /** What the panel could have given to a full battery. */
  spilledMj: number;
}

const DARK: Daylight = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, peakW: 0 };

const takenW = ({ isFed }: Charge, loadW: number): number => (isFed ? loadW : 0);

const daylightOf = ({ sun }: Cell, { atMs }: Charge): Daylight => sun?.at(atMs) ?? DARK;

/** At a later moment of the same stretch. */
const within = (cell: Cell, charge: Charge, daylight: Daylight, loadW: number, atMs: number): Charge => {
  const harvestedMj = harvestMj(daylight, charge.atMs, atMs);
  const spentMj = takenW(charge, loadW) * (atMs - charge.atMs);
  const sum = charge.storedMj + harvestedMj - spentMj;
  const spilledMj = Math.max(0, sum - cell.capacityMj);
  // Less than nothing is not taken: it falls short by what the last millisecond was not fed.
  const lackedMj = Math.max(0, -sum);
  return {
    atMs,
    isFed: charge.isFed,
    storedMj: Math.min(cell.capacityMj, Math.max(0, sum)),
    harvestedMj: charge.harvestedMj + harvestedMj,
    spentMj: charge.spentMj + spentMj - lackedMj,
    spilledMj: charge.spilledMj + spilledMj,
  };
};

/** At this moment, which must not be after that of `nextTurn`. */
export const chargeAt = (cell: Cell, charge: Charge, loadW: number, atMs: number): Charge =>
  atMs <= charge.atMs ? charge : within(cell, charge, daylightOf(cell, charge), loadW, atMs);

/** At the end of the stretch, or where the board loses or gets its power if that is earlier; null: nothing turns any more. */
export const nextTurn = (cell: Cell, charge: Charge, loadW: number): Charge | null => {
  const daylight = daylightOf(cell, charge);
  const takes = takenW(charge, loadW);
  if (cell.sun === null) {
    if (takes === 0) return null;
    const emptyMs = Math.max(charge.atMs + 1, Math.ceil(charge.atMs + charge.storedMj / takes));
    return { ...within(cell, charge, daylight, loadW, emptyMs), isFed: false };
  }
  const endMs = givesAt(daylight, takes, charge.atMs) ?? daylight.toMs;
  const isOver = (atMs: number): boolean => {
    const sum = charge.storedMj + harvestMj(daylight, charge.atMs, atMs) - takes * (atMs - charge.atMs);
    return charge.isFed ? takes > 0 && sum <= 0 : sum >= cell.restartMj;
  };
  if (!isOver(endMs)) return within(cell, charge, daylight, loadW, endMs);
  let before = charge.atMs;
  let after = endMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (isOver(middle)) after = middle;
    else before = middle;
  }
  return { ...within(cell, charge, daylight, loadW, after), isFed: !charge.isFed };
};
