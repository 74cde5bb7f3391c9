/** The port over a supervisor: a step in, one event out, in order for each partition. */
import type { Enforcement, PartitionEvent, PartitionStep, Partitions } from '../../ports/partitions.ts';
import { asLichenError, LichenError } from '../../protocol/errors.ts';
import { bootMs } from './deadman.ts';
import { isId } from './names.ts';
import type { Supervisor } from './supervisor.ts';

/** Work on one partition follows its turn; a survey waits for all and lets nothing pass. */
class Turns {
  readonly #tails = new Map<string, Promise<unknown>>();
  #all: Promise<unknown> = Promise.resolve();

  one<T>(partition: string, work: () => Promise<T>): Promise<T> {
    const before = Promise.all([this.#all, this.#tails.get(partition)]);
    const turn = before.then(work);
    const tail = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(partition) === tail) this.#tails.delete(partition);
      });
    this.#tails.set(partition, tail);
    return turn;
  }

  all<T>(work: () => Promise<T>): Promise<T> {
    const turn = Promise.all([this.#all, ...this.#tails.values()]).then(work);
    this.#all = turn.catch(() => undefined);
    return turn;
  }
}

const checked = (step: PartitionStep): void => {
  const partition = partitionOf(step);
  if (partition !== null && !isId(partition))
    throw new LichenError('internal', `${JSON.stringify(partition)} is not the id of a partition`);
  if (step.kind !== 'start') return;
  const { args, rootPath, limits } = step.spec;
  if (!args[0]?.startsWith('/') || !rootPath.startsWith('/')) throw new LichenError('internal', 'program and root are absolute paths');
  for (const [name, value] of Object.entries(limits)) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1))
      throw new LichenError('internal', `the limit ${name} is not a positive integer`);
  }
};

const partitionOf = (step: PartitionStep): string | null => {
  if (step.kind === 'start') return step.spec.partition;
  return 'partition' in step ? step.partition : null;
};

export class Door implements Partitions {
  readonly enforcement: Enforcement;
  readonly #supervisor: Supervisor;
  readonly #listeners: ((event: PartitionEvent) => void)[];
  readonly #turns = new Turns();

  constructor(enforcement: Enforcement, supervisor: Supervisor, listeners: ((event: PartitionEvent) => void)[]) {
    this.enforcement = enforcement;
    this.#supervisor = supervisor;
    this.#listeners = listeners;
  }

  perform(step: PartitionStep, answer: (event: PartitionEvent) => void): void {
    this.#do(step)
      .catch(
        (thrown: unknown): PartitionEvent => ({
          kind: 'refused',
          step: step.kind,
          partition: partitionOf(step),
          error: asLichenError(thrown),
        }),
      )
      // Outside of the promise: what the listener throws is not an answer of ours.
      .then((event) => setImmediate(() => this.#answer(event, answer)));
  }

  #answer(event: PartitionEvent, answer: (event: PartitionEvent) => void): void {
    answer(event);
    if (event.kind === 'started') this.#supervisor.follow(event.partition);
    if (event.kind === 'surveyed') for (const { partition } of event.found) this.#supervisor.follow(partition);
  }

  watch(listener: (event: PartitionEvent) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#supervisor.close();
  }

  async #do(step: PartitionStep): Promise<PartitionEvent> {
    checked(step);
    const supervisor = this.#supervisor;
    switch (step.kind) {
      case 'survey':
        return { kind: 'surveyed', found: await this.#turns.all(() => supervisor.survey()) };
      case 'start': {
        const { partition } = step.spec;
        return {
          kind: 'started',
          partition,
          address: await this.#turns.one(partition, () => supervisor.start(step.spec, step.deadlineMonoMs)),
        };
      }
      case 'extend': {
        const { partition, deadlineMonoMs } = step;
        await this.#turns.one(partition, () => supervisor.extend(partition, deadlineMonoMs));
        return { kind: 'extended', partition };
      }
      case 'connect': {
        const { partition, network } = step;
        await this.#turns.one(partition, () => supervisor.connect(partition, network));
        return { kind: 'connected', partition };
      }
      case 'stop': {
        const { partition, graceMs, signal = 'SIGTERM' } = step;
        const stopped = await this.#turns.one(partition, () => supervisor.stop(partition, graceMs, signal));
        return { kind: 'stopped', partition, ...stopped, atMonoMs: bootMs() };
      }
      case 'remove': {
        const { partition, data, heir } = step;
        await this.#turns.one(partition, () => supervisor.remove(partition, data, heir));
        return { kind: 'removed', partition };
      }
      case 'drop': {
        const { partition } = step;
        await this.#turns.one(partition, () => supervisor.drop(partition));
        return { kind: 'dropped', partition };
      }
      case 'reload': {
        const { partition, signal } = step;
        await this.#turns.one(partition, async () => supervisor.reload(partition, step, signal));
        return { kind: 'reloaded', partition };
      }
      case 'look': {
        const { partition } = step;
        return { kind: 'looked', partition, ...supervisor.look(partition) };
      }
      case 'sample': {
        const read = step.partitions.filter(isId).map((partition) => [partition, supervisor.counters(partition)] as const);
        return {
          kind: 'sampled',
          counters: new Map(read.flatMap(([partition, counters]) => (counters === null ? [] : [[partition, counters]]))),
          atMonoMs: bootMs(),
        };
      }
      case 'probe': {
        const { partition, probe, timeoutMs } = step;
        return { kind: 'probed', partition, ...(await supervisor.probe(partition, probe, timeoutMs)) };
      }
      case 'log': {
        const { partition, from, tailBytes, waitMs, tag } = step;
        return { kind: 'logged', partition, tag, ...(await supervisor.log(partition, from, tailBytes, waitMs)) };
      }
    }
  }
}
