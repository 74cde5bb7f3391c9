import type { Board } from './board.ts';
import { genericAmd64 } from './generic-amd64.ts';

export const BOARDS: readonly Board[] = [genericAmd64];
