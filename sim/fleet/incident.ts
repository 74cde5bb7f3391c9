/** What a fault or a deed has before it when it happens, and what it tells. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { CardFault } from '../oracle/physics.ts';
import type { Incident } from '../scenario/scenario.ts';
import type { VirtualBoard } from './board.ts';
import type { Fleet } from './fleet.ts';

export type Undo = () => void;
export const NOTHING: Undo = () => {};

/** Facts that only whoever did it can tell the judge. */
export interface Confession {
  cardFault(board: VirtualBoard, what: CardFault): void;
  forgot(gateway: string, backToMs: number | null): void;
  dead(gateway: string): void;
  lies(gateway: string, to: string): void;
  /** All that it has closed so far, by its word. */
  stated(gateway: string, statements: Bytes[]): void;
}

export interface Scene {
  fleet: Fleet;
  incident: Incident;
  confess: Confession;
  /** It has found something to befall. Once is as good as often. */
  hit(): void;
}

export const number = ({ incident }: Scene, name: string): number => Number(incident.with[name] ?? 0);
export const word = ({ incident }: Scene, name: string): string => String(incident.with[name] ?? '');
export const POWER_CYCLE_MS = 10_000;
