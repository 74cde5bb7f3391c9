/**
 * The board's door to its kernel: partitions are prepared, started, stopped, metered and probed through it.
 *
 * One verb, `perform`, takes a step as data and answers with one event, so that the agent's turn can plan steps
 * without waiting and the simulator can stand a virtual kernel behind the same door.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';

/**
 * What the kernel lets this board enforce, found by trying.
 * `full`: root, cgroup v2, every limit. `reduced`: root on cgroup v1 or without some limit. `dev`: unprivileged;
 * nothing it does is payable (its slices are posted in `XTS`).
 */
export type Tier = 'full' | 'reduced' | 'dev';

/**
 * What a promise asks of an instance: `http` wants a 2xx, `tcp` an accepted connection, `exec` an exit status 0 inside,
 * `file` a file that was written to of late, `value` and `reading` a first number between the two in a file or from a program.
 */
export type Probe =
  | { kind: 'http'; port: number; path: string }
  | { kind: 'tcp'; port: number }
  | { kind: 'exec'; args: string[] }
  | { kind: 'file'; path: string; maxAgeMs: number }
  | { kind: 'value'; path: string; min: string; max: string }
  | { kind: 'reading'; args: string[]; min: string; max: string };

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';
export type ReloadSignal = 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

export interface PartitionLimits {
  memoryMib: number;
  cpuMillis: number;
  pids: number;
  /** Size of the private `/tmp`. */
  tmpMib: number;
  /** `/data` holds so much and no more; with none of the two, it has no end of its own. */
  dataMib?: number | undefined;
  dataInodes?: number | undefined;
  /** Of what the instance says, how much is kept; default `LIMITS.logKib`. */
  logKib?: number | undefined;
  /** Descriptors of each process; default and most `LIMITS.openFiles`. */
  openFiles?: number | undefined;
  /** Of the card that `/data` lies on, in a second: KiB, and operations each way. */
  readKibPerS?: number | undefined;
  writeKibPerS?: number | undefined;
  ioOpsPerS?: number | undefined;
}

/** What passes between an instance and the world; all else is denied. It may change while the instance runs. */
export interface NetworkPolicy {
  /** `to`: `internet`, an address or network, or a DNS name (runtime/protocol/address.ts). */
  outbound: { to: string; port: number; protocol: 'tcp' | 'udp' }[];
  /** Whether the board's resolvers may be asked. */
  dns: boolean;
  /** Whether a DNS name may lead to addresses of the owner's network. */
  lan: boolean;
  /** Each leads to a partition of this board, under a name of the instance's own. */
  links: { name: string; partition: string; port: number; protocol: 'tcp' | 'udp' }[];
  /** Port of the board → port of the instance. */
  publish: { outside: number; inside: number; protocol: 'tcp' | 'udp' }[];
}

/**
 * What becomes of `/data` as a former release left it, before a start: it is taken (once), given back, or dropped. Each does
 * nothing where it was done before.
 */
export type KeptData = 'take' | 'return' | 'drop';

/** Everything the engine needs to run one instance; nothing in it comes from outside unparsed. */
export interface PartitionSpec {
  /** Stable id, 32 characters of [a-z2-7]; names of cgroup, network namespace and uid derive from board + this. */
  partition: string;
  /** Directory of the read-only root, planted by the files door. */
  rootPath: string;
  /** Program and arguments inside the root; `args[0]` is an absolute path there. */
  args: string[];
  env: Record<string, string>;
  /** `node`: the board's own Node is bound read-only at `/usr/bin/node`, so that a release need not carry it. */
  engine: 'none' | 'node';
  limits: PartitionLimits;
  /** Null: its release asks for none, and no name of others is known inside. */
  network: NetworkPolicy | null;
  /** Name → content of files below /run/secrets: in memory, for its user alone, and nowhere else. */
  secrets: Record<string, Bytes>;
  /** Granted kinds (runtime/protocol/nouns/reach.ts): their nodes are there and may be opened, no others. */
  devices: string[];
  /** JSON; the instance reads it at `/run/lichen/parameters.json`. */
  parameters: string;
  /** JSON; whom a shared instance serves, at `/run/lichen/shares.json`. Without it, there is no such file. */
  shares?: string | undefined;
  /** Without it, what is kept stays as it is. Error: `storage-full`, when there is no room to take it. */
  kept?: KeptData | undefined;
  /**
   * What is started is no program but a hook of its release, which ends by itself. `after` always finds `/data` as it was when
   * one was first begun since a program was: they are copied before, and put back as they were should one be begun again, or a
   * program without `hooked`. Error: `storage-full`.
   */
  hook?: 'before' | 'after' | undefined;
  /** The hook that was begun last has ended well: what it found before it is kept for the way back, if nothing is yet, or goes. */
  hooked?: boolean | undefined;
}

/** Cumulative counters as the kernel holds them; they start at 0 when the partition's cgroup is made. */
export interface Counters {
  cpuMicros: bigint;
  /** In use now, bytes. */
  memoryBytes: bigint;
  /** As the instance sees it: in = received by the instance. */
  netInBytes: bigint;
  netOutBytes: bigint;
  diskWrittenBytes: bigint;
  /** What `/data` takes of the card now, where it has an end; else 0. */
  dataBytes: bigint;
  /** Processes inside now; 0 means that `cpuMicros` is final. */
  pids: number;
}

export interface Exit {
  code: number | null;
  signal: string | null;
  oomKilled: boolean;
}

/** A partition that an earlier life of the runtime left behind: still running, or over with its exit known. */
export interface Found {
  partition: string;
  running: boolean;
  exit: Exit | null;
  /** At which it is reached while it runs, if it has one. */
  address: string | null;
  /** When it is killed, should it still run; null: never. */
  deadlineMonoMs: number | null;
}

/**
 * A part of a log. Positions count bytes of its text since the partition was made. Each line begins with a moment in UTC, a
 * blank, `o` or `e` for the stream or `!` for a word of the board, and a blank, or `+` when the line goes on in the next one
 * of its stream; whatever a terminal would obey is spelled out.
 */
export interface LogSpan {
  from: number;
  next: number;
  /** Bytes before `from` that were asked for and are kept no more. */
  missed: number;
  text: string;
}

export type PartitionStep =
  | { kind: 'survey' }
  /** At `deadlineMonoMs` (CLOCK_BOOTTIME) it is killed by whoever is not the runtime, which may hang or be gone; null: never. */
  | { kind: 'start'; spec: PartitionSpec; deadlineMonoMs: number | null }
  /** Puts the deadline of what was started with one off; one that is not later changes nothing. */
  | { kind: 'extend'; partition: string; deadlineMonoMs: number }
  /** From now on that passes, and what was let pass before and is not in it does not. */
  | { kind: 'connect'; partition: string; network: NetworkPolicy }
  /** Ends every process; cgroup and counters stay until `remove`. `signal` asks its first process to end; without it, SIGTERM. */
  | { kind: 'stop'; partition: string; graceMs: number; signal?: StopSignal }
  /** Gives what runs other parameters and shares, whole, and tells its first process. */
  | { kind: 'reload'; partition: string; parameters: string; shares?: string | undefined; signal: ReloadSignal }
  /** What does the instance say in `/run/lichen/out`? Links are not followed there. */
  | { kind: 'look'; partition: string }
  /**
   * Takes away cgroup, network namespace and everything but `/data`; with `data` also that, unless a partition that has none
   * is to have it (`heir`). Idempotent.
   */
  | { kind: 'remove'; partition: string; data: boolean; heir?: string }
  /** What is kept of its `/data` for the way back is not needed any more. It may run. */
  | { kind: 'drop'; partition: string }
  | { kind: 'sample'; partitions: string[] }
  | { kind: 'probe'; partition: string; probe: Probe; timeoutMs: number }
  /**
   * Reads what the instance has said, from a position of its log on (null: the last `tailBytes`). Nothing there yet is waited
   * for, at most so long. `tag` comes back as it is.
   */
  | { kind: 'log'; partition: string; from: number | null; tailBytes: number; waitMs: number; tag: string };

/** `atMonoMs`: when it happened, by CLOCK_BOOTTIME; whoever hung hears of it late. Without it, it happened now. */
export type PartitionEvent =
  | { kind: 'surveyed'; found: Found[] }
  | { kind: 'started'; partition: string; address: string | null }
  | { kind: 'extended'; partition: string }
  | { kind: 'connected'; partition: string }
  /**
   * Counters are read after the cgroup is empty: they are final. Also answers a stop of what had ended already. `said`: of a
   * hook its last line, at most `LIMITS.lastLineChars` of it; empty: it said nothing.
   */
  | { kind: 'stopped'; partition: string; exit: Exit; counters: Counters; said?: string; atMonoMs?: number }
  | { kind: 'removed'; partition: string }
  | { kind: 'dropped'; partition: string }
  | { kind: 'reloaded'; partition: string }
  /** The texts of `connection.json` and `shares.json`, null when there is none; `holds`: whether there is a `hold`. */
  | { kind: 'looked'; partition: string; connection: string | null; shares: string | null; holds: boolean }
  /** A partition missing from the map has no cgroup (never started, or removed). */
  | { kind: 'sampled'; counters: Map<string, Counters>; atMonoMs?: number }
  | { kind: 'probed'; partition: string; ok: boolean; detail: string }
  | ({ kind: 'logged'; partition: string; tag: string } & LogSpan)
  /** Unasked: the instance's first process ended. */
  | { kind: 'exited'; partition: string; exit: Exit; atMonoMs?: number }
  | { kind: 'refused'; step: PartitionStep['kind']; partition: string | null; error: LichenError };

/** What is enforced and metered here; printed by status and offered to gateways. What is false is not offered. */
export interface Enforcement {
  tier: Tier;
  engine: string;
  memory: boolean;
  cpu: boolean;
  pids: boolean;
  network: boolean;
  disk: boolean;
  /** What has to be over at a moment is killed then, whatever becomes of the runtime. */
  deadline: boolean;
  /** Of the words of reach.ts, those that can be given here and be kept from whoever was not given them. */
  grants: string[];
  /** Whether reading and writing of the card can be held to so much in a second. */
  io: boolean;
  /** Whether `/data` can be held to bytes and inodes. */
  quota: boolean;
  /** Whether files can be given that no card and no neighbour sees. */
  secrets: boolean;
  /** Whether ports of the board lead to instances. */
  publishes: boolean;
  /** Why the tier is not higher, one sentence per lack, each ending with what to do. */
  lacks: string[];
}

export interface Partitions {
  readonly enforcement: Enforcement;
  /** Answers exactly once per call, never before it returned; `sample` answers without waiting on processes. */
  perform(step: PartitionStep, answer: (event: PartitionEvent) => void): void;
  /** Unasked events (`exited`). */
  watch(listener: (event: PartitionEvent) => void): void;
  /** Lets go of descriptors; running instances go on. */
  close(): void;
}
