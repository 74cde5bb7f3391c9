import type { Board } from './board.ts';
import { genericAmd64 } from './generic-amd64.ts';
import { genericArm64 } from './generic-arm64.ts';
import { pi } from './pi.ts';

export const BOARDS: readonly Board[] = [genericAmd64, genericArm64, pi];
