/** Others on a board's network, as a test wants them: each says what it has, and gives what the test says. */
import type { NeighboursEvent, NeighboursStep, Shared } from '../../runtime/ports/neighbours.ts';
import { fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { ManualClock } from './world.ts';

interface FakeNeighbour {
  whole: boolean;
  /** Undefined: it does not answer. */
  gives(key: string): Uint8Array | null | undefined;
  /** Chunks that it was asked for. */
  readonly asked: string[];
}

/** Each answers within this. */
const WAY_MS = 2;

export class FakeLan {
  readonly steps: NeighboursStep[] = [];
  readonly neighbours = new Map<string, FakeNeighbour>();
  /** As it was told last. */
  shared: Shared[] = [];

  add(id: string, whole: boolean, gives: FakeNeighbour['gives']): FakeNeighbour {
    const one: FakeNeighbour = { whole, gives, asked: [] };
    this.neighbours.set(id, one);
    return one;
  }

  perform(step: NeighboursStep, clock: ManualClock, say: (event: NeighboursEvent) => void): void {
    this.steps.push(step);
    if (step.kind === 'share') this.shared = step.releases;
    if (step.kind === 'look') {
      const isShared = this.shared.some(({ release }) => hex(release) === hex(step.release));
      for (const [neighbour, { whole }] of isShared ? this.neighbours : [])
        clock.after(WAY_MS, () => say({ kind: 'neighbour-seen', release: step.release, neighbour, whole }));
    }
    if (step.kind === 'take') this.#take(step, clock, say);
  }

  #take(step: Extract<NeighboursStep, { kind: 'take' }>, clock: ManualClock, say: (event: NeighboursEvent) => void): void {
    const { release, neighbour, pieces } = step;
    const one = this.neighbours.get(neighbour);
    if (one === undefined) {
      clock.after(WAY_MS, () => say({ kind: 'neighbour-lost', neighbour, error: new LichenError('unavailable', 'gone') }));
      return;
    }
    for (const { chunk } of pieces) {
      const key = hex(chunk[0]);
      one.asked.push(key);
      const bytes = one.gives(key);
      if (bytes !== undefined) clock.after(WAY_MS, () => say({ kind: 'neighbour-gave', release, neighbour, hash: fromHex(key), bytes }));
    }
  }
}
