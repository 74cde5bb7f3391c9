import { refuse } from '../../runtime/protocol/errors.ts';
import type { Board } from './board.ts';
import { genericAmd64 } from './generic-amd64.ts';
import { genericArm64 } from './generic-arm64.ts';
import { pi } from './pi.ts';

export const BOARDS: readonly Board[] = [genericAmd64, genericArm64, pi];

export const namesOf = ({ name, also = [] }: Board): string[] => [name, ...also];

/** By its own name, or by that of a machine that it is for. Error: `bad-usage`. */
export const boardNamed = (name: string): Board =>
  BOARDS.find((board) => namesOf(board).includes(name)) ??
  refuse('bad-usage', `there is no board "${name}"; there are ${BOARDS.flatMap(namesOf).join(', ')}`);
