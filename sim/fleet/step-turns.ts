/** How long steps take; what changes a partition waits for what was to change it before, as at the real door (runtime/adapters/partitions/door.ts). */
import type { PartitionStep } from '../../runtime/ports/partitions.ts';

const IN_TURN: ReadonlySet<PartitionStep['kind']> = new Set(['start', 'extend', 'connect', 'reload', 'stop', 'remove']);

const partitionOf = (step: PartitionStep): string | null =>
  step.kind === 'start' ? step.spec.partition : 'partition' in step ? step.partition : null;

const TAKES_MS: Partial<Record<PartitionStep['kind'], number>> = { start: 20, stop: 5, probe: 3 };

export class StepTurns {
  /** Until when a step of the partition is under way. */
  readonly #busyUntilMs = new Map<string, number>();

  /** When a step that is asked for now is done. */
  endOf(step: PartitionStep, nowMs: number): number {
    const takesMs = TAKES_MS[step.kind] ?? 0;
    const partition = IN_TURN.has(step.kind) ? partitionOf(step) : null;
    if (partition === null) return nowMs + takesMs;
    const endMs = Math.max(nowMs, this.#busyUntilMs.get(partition) ?? 0) + takesMs;
    this.#busyUntilMs.set(partition, endMs);
    return endMs;
  }

  /** Another runtime began. */
  forget(): void {
    this.#busyUntilMs.clear();
  }
}
