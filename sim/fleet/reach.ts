/** Who can reach whom as things are: programs that use the network, and the judge, are to know. */
import { ROUND_TRIPS } from '../net/message-boards.ts';
import type { Roads } from '../net/paths.ts';
import type { VirtualBoard } from './board.ts';
import type { VirtualGateway } from './gateway.ts';
import type { Witness } from './witness.ts';

/** A board is twice as patient each time that nobody answers: with its third dial it waits so many times as long. */
const GROWN = 4;

interface ReachOptions {
  roads: Roads;
  witness: Witness;
  gateways: readonly VirtualGateway[];
  boards: readonly VirtualBoard[];
  boardAt(at: string): VirtualBoard | undefined;
  patienceMs: number;
}

export class Reach {
  readonly #around: ReachOptions;

  constructor(around: ReachOptions) {
    this.#around = around;
  }

  readonly #reachable = new Map<string, boolean>();

  all(): void {
    for (const { at } of this.#around.boards) this.look(at);
  }

  /** A session that is there goes on; one that is to begin would not in the time that the board gives it. */
  #isTooLate(at: string): boolean {
    return 2 * ROUND_TRIPS * this.#around.roads.troubleOf(at).lateMs >= GROWN * this.#around.patienceMs;
  }

  /** Pairs of gateways between which nothing passes, by both ids. */
  readonly #apart = new Set<string>();

  /** Gateways to and from which nothing passes. */
  readonly #cutOff = new Set<string>();

  #cut(at: string): void {
    const { deaf, mute } = this.#around.roads.troubleOf(at);
    const isCutOff = deaf && mute;
    if (isCutOff === this.#cutOff.has(at)) return;
    if (isCutOff) this.#cutOff.add(at);
    else this.#cutOff.delete(at);
    this.#around.witness.cutOff(at, isCutOff);
  }

  #peer(at: string): void {
    for (const { id } of this.#around.gateways) {
      if (id === at) continue;
      const pair = [at, id].sort().join(' ');
      const can = this.#around.roads.passes(at, id) && this.#around.roads.passes(id, at);
      if (can !== this.#apart.has(pair)) continue;
      if (can) this.#apart.delete(pair);
      else this.#apart.add(pair);
      this.#around.witness.peered(at, id, can);
    }
  }

  /** What passes has changed: programs that reach the network, and the judge, are to know. */
  look(at: string): void {
    const board = this.#around.boardAt(at);
    if (board === undefined) {
      if (this.#around.gateways.some(({ id }) => id === at)) {
        this.#cut(at);
        this.#peer(at);
        this.all();
      }
      return;
    }
    const { deaf, mute, captive } = this.#around.roads.troubleOf(at);
    const online = !deaf && !mute && !captive;
    if (online !== board.online) {
      board.kernel.changed();
      board.online = online;
    }
    const can = this.#around.roads.reachable(at) && (board.linkedTo !== null || !this.#isTooLate(at));
    if (this.#reachable.get(at) === can) return;
    this.#reachable.set(at, can);
    this.#around.witness.reachable(board, can);
  }
}
