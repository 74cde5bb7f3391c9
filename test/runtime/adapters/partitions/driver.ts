/** Drives a life (life.ts) from a test, and says what a machine still holds of one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DeviceRoots } from '../../../../runtime/adapters/partitions/devices.ts';
import { boardName, linkOf } from '../../../../runtime/adapters/partitions/names.ts';
import type { Enforcement, PartitionEvent, PartitionStep } from '../../../../runtime/ports/partitions.ts';
import { fromLine, toLine } from './lines.ts';

type Answer<Kind extends PartitionEvent['kind']> = Extract<PartitionEvent, { kind: Kind }>;

const ANSWER_OF = {
  survey: 'surveyed',
  start: 'started',
  extend: 'extended',
  connect: 'connected',
  stop: 'stopped',
  remove: 'removed',
  drop: 'dropped',
  sample: 'sampled',
  probe: 'probed',
  log: 'logged',
  reload: 'reloaded',
  look: 'looked',
} as const satisfies Record<PartitionStep['kind'], PartitionEvent['kind']>;

/** A line of life.ts. */
interface Said {
  id?: number;
  event?: PartitionEvent;
  early?: boolean;
  cores?: number;
  unasked?: PartitionEvent;
  log?: string;
}

export interface LifeOptions {
  board: string;
  dataPath: string;
  tier: 'best' | 'dev';
  /** A program and arguments before Node's, such as one that gives up root. */
  prefix: string[];
  devices?: DeviceRoots;
  /** How often names are looked up anew; as a runtime does it, were a test to wait for that. */
  namesMs?: number;
}

/** A descriptor that every life inherits, as from a careless parent: above the first gap, where libuv stops marking what it inherited. */
export const STRAY = 200;

export class Life {
  readonly enforcement: Enforcement;
  readonly unasked: PartitionEvent[] = [];
  /** Kinds of all events, answers and unasked, in the order in which they came. */
  readonly order: string[] = [];
  readonly logged: string[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (event: PartitionEvent) => void>();
  readonly #watchers = new Set<() => void>();
  readonly #watching = new Map<number, (cores: number) => void>();
  #id = 0;

  private constructor(child: ChildProcess, enforcement: Enforcement, lines: ReturnType<typeof createInterface>) {
    this.#child = child;
    this.enforcement = enforcement;
    lines.on('line', (line) => this.#take(fromLine<Said>(line)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  static async begin({ board, dataPath, tier, prefix, devices, namesMs = 300 }: LifeOptions): Promise<Life> {
    const life = fileURLToPath(new URL('life.ts', import.meta.url));
    const [file = '', ...args] = [
      ...prefix,
      process.execPath,
      life,
      board,
      dataPath,
      process.execPath,
      tier,
      JSON.stringify(devices ?? null),
      String(namesMs),
    ];
    const stray = openSync('/dev/null', 'r');
    const between = Array.from({ length: STRAY - 3 }, () => 'ignore' as const);
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit', ...between, stray] });
    closeSync(stray);
    if (child.stdout === null) throw new Error('a life has no voice');
    const lines = createInterface({ input: child.stdout });
    const first = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      child.once('exit', (code) => reject(new Error(`the life ended with status ${code} before it opened`)));
    });
    const { enforcement, refused } = fromLine<{ enforcement: Enforcement; refused?: { code: string; detail: string } }>(first);
    if (refused !== undefined) throw new Error(`${refused.code}: ${refused.detail}`);
    return new Life(child, enforcement, lines);
  }

  /** Answers the event of the step; a refusal is thrown. */
  async do<Kind extends PartitionStep['kind']>(step: Extract<PartitionStep, { kind: Kind }>): Promise<Answer<(typeof ANSWER_OF)[Kind]>> {
    const event = await this.ask(step);
    if (event.kind === 'refused') throw event.error;
    if (event.kind !== ANSWER_OF[step.kind]) throw new Error(`${step.kind} was answered by ${event.kind}`);
    return event as Answer<(typeof ANSWER_OF)[Kind]>;
  }

  ask(step: PartitionStep): Promise<PartitionEvent> {
    this.#id += 1;
    const id = this.#id;
    this.#child.stdin?.write(`${toLine({ id, step })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Lets it take samples by itself, nobody asking and nobody listening; answers how many cores that took, with all else it does. */
  watch(partitions: string[], everyMs: number, times: number): Promise<number> {
    this.#id += 1;
    const id = this.#id;
    this.#child.stdin?.write(`${toLine({ id, watch: { partitions, everyMs, times } })}\n`);
    return new Promise((resolve) => this.#watching.set(id, resolve));
  }

  /** The unasked end of an instance; waits for it. */
  async exited(partition: string): Promise<Answer<'exited'>> {
    for (;;) {
      const event = this.unasked.find((one) => one.kind === 'exited' && one.partition === partition);
      if (event?.kind === 'exited') return event;
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** Stops it where it stands, or lets it go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  kill(): Promise<void> {
    return this.#end(() => this.#child.kill('SIGKILL'));
  }

  close(): Promise<void> {
    return this.#end(() => this.#child.stdin?.end());
  }

  #end(how: () => void): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once('exit', () => resolve());
      how();
    });
  }

  #take(said: Said): void {
    if (said.log !== undefined) this.logged.push(said.log);
    const came = said.unasked ?? said.event;
    if (came !== undefined) this.order.push(came.kind);
    if (said.unasked !== undefined) this.unasked.push(said.unasked);
    if (said.id !== undefined && said.event !== undefined) {
      if (said.early === true) throw new Error(`${said.event.kind} came before perform returned`);
      const answer = this.#waiting.get(said.id);
      if (answer === undefined) throw new Error(`${said.event.kind} came twice`);
      this.#waiting.delete(said.id);
      answer(said.event);
    }
    if (said.id !== undefined && said.cores !== undefined) this.#watching.get(said.id)?.(said.cores);
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Everything the machine still holds of a board, a line each; empty when all is gone. A zombie waits only for pid 1. */
export const remainsOf = (board: string, dataPath: string, partitions: Iterable<string>): string[] => {
  const name = boardName(board);
  const remains: string[] = [];
  for (const tree of existsSync('/sys/fs/cgroup') ? ['.', ...readdirSync('/sys/fs/cgroup')] : []) {
    if (existsSync(`/sys/fs/cgroup/${tree}/${name}`)) remains.push(`cgroup ${tree}/${name}`);
  }
  for (const line of textOf('/proc/self/mounts').split('\n'))
    if (line.includes(name) || line.includes(dataPath)) remains.push(`mount ${line}`);
  for (const partition of partitions) if (existsSync(`/pidfile-${partition}`)) remains.push(`/pidfile-${partition}`);
  for (const partition of partitions) if (existsSync(`/sys/class/net/${linkOf(board, partition)}`)) remains.push(`link of ${partition}`);
  if (existsSync(`/run/${name}`))
    remains.push(...['', ...readdirSync(`/run/${name}`, { recursive: true })].map((path) => `/run/${name}/${path}`));
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const command = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    const isLife = command.includes('life.ts') || Number(pid) === process.pid;
    if (!isLife && (command.includes(dataPath) || textOf(`/proc/${pid}/cgroup`).includes(name))) {
      if (!/^State:\s+Z/m.test(textOf(`/proc/${pid}/status`))) remains.push(`process ${pid} ${command}`);
    }
  }
  return remains;
};
