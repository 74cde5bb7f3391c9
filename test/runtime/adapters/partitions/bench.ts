/** What the checks of one engine share: a board of its own, a root, and lives of a runtime. */
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DeviceRoots } from '../../../../runtime/adapters/partitions/devices.ts';
import { boardName } from '../../../../runtime/adapters/partitions/names.ts';
import { until } from '../../../../runtime/adapters/partitions/run.ts';
import type { Counters, PartitionLimits, PartitionSpec, Probe } from '../../../../runtime/ports/partitions.ts';
import type { BoardNet } from './board-net.ts';
import { Life, remainsOf } from './driver.ts';
import { plantRoot } from './root.ts';

export interface Subject {
  name: string;
  tier: 'best' | 'dev';
  /** Who runs the runtime; `null` is whoever runs the test. */
  uid: number | null;
  /** A further suite over the same bench, for what only this engine promises. */
  more?: (bench: () => Bench) => void;
  /** A network other than the machine's own, opened for the bench. */
  net?: (directory: string) => Promise<BoardNet>;
  /** One that another bench opened, and closes. */
  shares?: BoardNet;
  /** Where devices are looked for. */
  devices?: (directory: string) => DeviceRoots;
}

const LIMITS: PartitionLimits = { memoryMib: 64, cpuMillis: 1_000, pids: 16, tmpMib: 1 };
const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/** A board's name of its own for each run: two test runs may share the machine. */
const freshId = (salt: number): string => {
  let seed = (process.pid * 7_919 + salt * 104_729) >>> 0;
  return Array.from({ length: 32 }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return LETTERS[seed >>> 27];
  }).join('');
};

/** A full log makes way for the next one while it is read. */
const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** By how much a machine is slower than a PC. */
const SLOWNESS = Number(process.env.LICHEN_SLOWNESS ?? 1);

let boards = 0;

export class Bench {
  readonly subject: Subject;
  readonly board: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'lichen-partitions-'));
  readonly dataPath = join(this.directory, 'data');
  readonly rootPath = join(this.directory, 'root');
  readonly #used = new Set<string>();
  #life: Life | null = null;
  #net: BoardNet | null = null;
  #devices: DeviceRoots | undefined;

  constructor(subject: Subject) {
    this.subject = subject;
    boards += 1;
    this.board = freshId(boards);
  }

  async open(): Promise<void> {
    mkdirSync(this.dataPath);
    mkdirSync(this.rootPath);
    chmodSync(this.directory, 0o755);
    await plantRoot(this.rootPath, existsSync('/usr/bin/perl'));
    if (this.subject.uid !== null) this.#give(this.directory, this.subject.uid);
    this.#net = this.subject.shares ?? (await this.subject.net?.(this.directory)) ?? null;
    this.#devices = this.subject.devices?.(this.directory);
    this.#life = await this.begin();
  }

  get net(): BoardNet {
    if (this.#net === null) throw new Error('the bench has no network of its own');
    return this.#net;
  }

  /** Runs it inside, and says what it said. */
  async inside(partition: string, args: string[], timeoutMs = 5_000 * SLOWNESS): Promise<{ ok: boolean; detail: string }> {
    const { ok, detail } = await this.life.do({ kind: 'probe', partition, probe: { kind: 'exec', args }, timeoutMs });
    return { ok, detail };
  }

  /** The life that most checks share. */
  get life(): Life {
    if (this.#life === null) throw new Error('the bench is not open');
    return this.#life;
  }

  begin(): Promise<Life> {
    const { uid, tier } = this.subject;
    const user = uid === null ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    const into = this.#net?.prefix ?? [];
    return Life.begin({
      board: this.board,
      dataPath: this.dataPath,
      tier,
      prefix: [...into, ...user],
      ...(this.#devices && { devices: this.#devices }),
    });
  }

  /** The shared life is killed as by a power cut of the runtime alone, and a next one begins. */
  async restart(meanwhile: () => Promise<void> = async () => undefined): Promise<Life> {
    await this.life.kill();
    await meanwhile();
    this.#life = await this.begin();
    return this.#life;
  }

  partition(): string {
    const partition = freshId(1_000 + boards * 100 + this.#used.size);
    this.#used.add(partition);
    return partition;
  }

  spec(
    partition: string,
    script: string,
    more: Partial<Omit<PartitionSpec, 'limits'>> & { limits?: Partial<PartitionLimits> } = {},
  ): PartitionSpec {
    return {
      partition,
      rootPath: this.rootPath,
      args: ['/bin/busybox', 'sh', '-c', script],
      env: { PATH: '/bin' },
      engine: 'none',
      network: null,
      devices: [],
      secrets: {},
      parameters: '{}',
      ...more,
      limits: { ...LIMITS, ...more.limits },
    };
  }

  data(partition: string, name = ''): string {
    return join(this.dataPath, 'partitions', partition, 'data', name);
  }

  /** What the workload wrote there; waits until it has. */
  async report(partition: string, name = 'report', limitMs = 60_000): Promise<string> {
    const written = (): boolean => (statSync(this.data(partition, name), { throwIfNoEntry: false })?.size ?? 0) > 0;
    expect(await until(written, limitMs * SLOWNESS), `${name} was written; log: ${this.log(partition)}`).toBe(true);
    return readFileSync(this.data(partition, name), 'utf8');
  }

  log(partition: string): string {
    const directories = [`/run/${boardName(this.board)}/logs`, join(this.dataPath, 'run/logs')].filter((path) => existsSync(path));
    const files = directories.flatMap((path) => readdirSync(path).map((name) => join(path, name)));
    return files
      .filter((path) => path.includes(`${partition}.raw`))
      .map((path) => textOf(path))
      .join('');
  }

  async counters(partition: string, life = this.life): Promise<Counters> {
    const { counters } = await life.do({ kind: 'sample', partitions: [partition] });
    const found = counters.get(partition);
    if (found === undefined) throw new Error(`no counters of ${partition}`);
    return found;
  }

  /** Asked again until it holds: a server needs a moment to listen. */
  async probe(partition: string, probe: Probe): Promise<string> {
    let detail = '';
    for (let tries = 0; tries < 40; tries += 1) {
      const probed = await this.life.do({ kind: 'probe', partition, probe, timeoutMs: 2_000 });
      if (probed.ok) return probed.detail;
      detail = probed.detail;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the probe never held: ${detail}; log: ${this.log(partition)}`);
  }

  async end(partition: string): Promise<Counters> {
    const { counters } = await this.life.do({ kind: 'stop', partition, graceMs: 50 });
    await this.life.do({ kind: 'remove', partition, data: true });
    return counters;
  }

  remains(): string[] {
    return remainsOf(this.board, this.dataPath, this.#used);
  }

  async close(): Promise<void> {
    try {
      if (this.#life === null) return;
      await this.life.do({ kind: 'survey' });
      for (const partition of this.#used) await this.life.do({ kind: 'remove', partition, data: true });
      await this.life.close();
    } finally {
      if (this.subject.shares === undefined) this.#net?.close();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #give(path: string, uid: number): void {
    chownSync(path, uid, uid);
    if (statSync(path).isDirectory()) for (const name of readdirSync(path)) this.#give(join(path, name), uid);
  }
}
