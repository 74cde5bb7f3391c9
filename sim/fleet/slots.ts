/** The two slots of a virtual board: driven by its runtime, started by what starts the machine, and looked at by whoever judges. */
import type { SlotsContentEvent, SlotsEvent, SlotsStep } from '../../runtime/ports/slots.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import { SlotCard, type SlotCardOptions } from '../hardware/slots.ts';
import type { SystemStart } from '../oracle/physics.ts';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { SystemIll, Systems } from './systems.ts';

/** Of what was not synced, this much of a thousand had reached the card when the power went. */
const SURVIVES_PERMILLE = 500;

export interface BoardSlotsOptions {
  clock: VirtualClock;
  crypto: Crypto;
  chance: Chance;
  systems: Systems;
  image: string;
  /** The machine starts anew: its runtime has asked for it. */
  startsAnew(): void;
  started(start: SystemStart): void;
  /** Its runtime has asked for it, and it is durable. */
  told(what: 'armed' | 'kept' | 'left'): void;
}

export class BoardSlots {
  readonly #options: BoardSlotsOptions;
  readonly #card: SlotCard;
  /** Starts of a system on trial. */
  trials = 0;
  #starts = 0;

  /** With `of`, from a copy of that board's card. */
  constructor(options: BoardSlotsOptions, of: BoardSlots | null) {
    const { clock, crypto, systems, image, startsAnew } = options;
    const after = (ms: number, call: () => void): void => void clock.at(clock.nowMs + ms, call);
    const card: SlotCardOptions = { crypto, root: systems.first(image), after, restart: startsAnew };
    this.#options = options;
    this.#card = of === null ? new SlotCard(card) : of.#card.copy(card);
  }

  /** Number of the system that was last started. */
  get sequence(): number {
    return this.#options.systems.sequenceOf(this.#card.system.release);
  }

  /** The machine starts; what is bad of the system. */
  start(): SystemIll | null {
    const { systems, image, started } = this.#options;
    this.#card.boot();
    this.#starts++;
    const { system, state } = this.#card;
    if (state.trial) this.trials++;
    started({ release: system.release, isWhole: systems.isWhole(image, system), onTrial: state.trial });
    return systems.illOf(system.release);
  }

  /** The machine stands still. In order: all that was written is on the card. */
  halt(inOrder: boolean): void {
    const chance = this.#options.chance.fork(`halt ${this.#starts}`);
    this.#card.powerCut(() => inOrder || chance.bool(SURVIVES_PERMILLE));
  }

  /** At the n-th change from now on. Returns its end. */
  cutAt(change: number, act: () => void): () => void {
    const card = this.#card;
    const at = card.deeds + change;
    card.cutAt = at;
    card.cut = act;
    return () => {
      if (card.cutAt === at) card.cutAt = 0;
    };
  }

  perform(step: SlotsStep, answer: (event: SlotsEvent | SlotsContentEvent) => void): void {
    const { told } = this.#options;
    this.#card.perform(step, (event) => {
      if (event.kind === 'armed') told('armed');
      if (event.kind === 'slot-kept') told('kept');
      if (event.kind === 'slot-left') told('left');
      answer(event);
    });
  }

  piece(piece: NeighbourPiece): Bytes | null {
    return this.#card.piece(piece);
  }
}
