/** What an engine must be able to do; `supervisor.ts` keeps the books around it, the same for every engine. */
import type { Counters, Exit, NetworkPolicy, PartitionSpec } from '../../ports/partitions.ts';
import type { LogSource } from './log-tail.ts';
import type { AskedProbe } from './probe.ts';
import type { Probed } from './probed.ts';
import type { ProcessId } from './state.ts';

export interface Launched {
  /** The instance's first process, as the board sees it. */
  first: ProcessId;
  reaper: ProcessId;
  address: string | null;
}

/** A running instance, as far as a probe or a kill must know it. */
export interface Running {
  partition: string;
  first: ProcessId | null;
  reaper: ProcessId | null;
  address: string | null;
}

export interface Backend {
  /** Directory in which the reapers write exit files, each named by its partition. */
  readonly exitsPath: string;
  /** Where the logs are, in memory if the machine lets it. */
  readonly logsPath: string;
  /** For what need not outlive the boot; null where nothing can be watched from outside before it begins. */
  readonly runPath: string | null;
  /**
   * The partition's directory with `data` exists; whatever an earlier start left has been cleared. Nothing of the instance
   * runs before `made` is through.
   */
  launch(spec: PartitionSpec, uid: number, made: (first: ProcessId) => Promise<void>): Promise<Launched>;
  /** Of one that runs. */
  connect(partition: string, policy: NetworkPolicy): Promise<void>;
  /** `null` while there is no exit file. */
  readExit(partition: string): Exit | null;
  /** SIGKILL to everything inside; `false` when something would not die. */
  kill(running: Running): Promise<boolean>;
  /** Clears what stands in the way of a start: the old exit file and the runtime's records. Counters stay. */
  clear(partition: string): Promise<void>;
  /** Takes away cgroup, namespaces and counters. Idempotent. */
  discard(partition: string): Promise<void>;
  /** All of it has ended: what it wrote and the kernel has not yet is written, and counted. */
  settle(partition: string): Promise<void>;
  /** Its data are about to go: what held them to an end lets go of them. */
  releaseData(partition: string): Promise<void>;
  /** Synchronous; `null` when the kernel holds nothing of it. */
  counters(partition: string): Counters | null;
  /** Partitions of which the kernel still holds something, known or not. */
  left(): string[];
  /** Where this reaper writes what the instance says. */
  logSource(partition: string, reaper: ProcessId): LogSource;
  probe(running: Running, probe: AskedProbe, timeoutMs: number): Promise<Probed>;
  close(): void;
}
