/** What becomes of each write to a board's card, and at which of them its power goes. */
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Commit } from '../../runtime/turn/store.ts';
import type { Card } from '../hardware/card.ts';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import { bytesOf, type Disk, type Fate } from '../world/store.ts';

interface WritesOptions {
  clock: VirtualClock;
  chance: Chance;
  card: Card;
  disk: Disk;
  /** Whoever writes hears nothing any more. */
  ends(): void;
}

export class Writes {
  readonly #options: WritesOptions;
  /** The power goes in the middle of the n-th write from now on; 0: it does not. */
  cut: { left: number; of: 'any' | 'file'; act: () => void } | null = null;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  survives(of: 'row' | 'file'): boolean {
    const { cut } = this;
    if (cut === null || (cut.of === 'file' && of === 'row') || --cut.left > 0) return true;
    this.cut = null;
    // The power is gone before this event is over.
    this.#options.clock.soon(cut.act);
    this.#options.ends();
    return false;
  }

  fate(commit: Commit): Fate {
    const { clock, chance, card, disk } = this.#options;
    const bytes = bytesOf(commit);
    let grows = 0;
    for (const [key, value] of commit.writes) grows += (value?.length ?? 0) - (disk.get(key).value?.length ?? 0);
    const { refused, ms } = card.commit(clock.nowMs, bytes, grows);
    if (refused !== null)
      return { kind: 'refused', error: new LichenError('storage-full', refused === 'worn' ? 'the card is worn out' : 'no space left') };
    // Either side of the write: before it is durable, or after and before anybody hears of it.
    if (!this.survives('row')) return { kind: chance.bool(500) ? 'lost' : 'unanswered' };
    return { kind: 'durable', afterMs: ms };
  }
}
