/**
 * The engine of a developer's machine: the same roots and the same steps without root's powers. It isolates by
 * namespaces and holds no limit, so nothing that it meters is payable.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Counters, Exit, NetworkPolicy, PartitionSpec } from '../../ports/partitions.ts';
import { LichenError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { dataLimitOf } from '../../protocol/nouns/data.ts';
import { limitsIo } from '../../protocol/nouns/io.ts';
import { writeDurably } from '../disk.ts';
import type { Backend, Launched, Running } from './backend.ts';
import { ASK, INSIDE, REAPER } from './dev-script.ts';
import { exitOf, spentIn } from './exits.ts';
import { asksAny } from './filter.ts';
import { givenPath } from './given.ts';
import type { LogSource } from './log-tail.ts';
import { COMMON_MOUNT_POINTS, plantMountPoint } from './mount-points.ts';
import { addressOf } from './names.ts';
import { type Bind, nodeBinds } from './node-engine.ts';
import { type AskedProbe, probedProgram } from './probe.ts';
import type { Probed } from './probed.ts';
import { ProcessTree } from './process-tree.ts';
import { run, TOOL_ENV, until } from './run.ts';
import { identify, isAlive, list, type ProcessId, processOf, readState, readText, signal } from './state.ts';

const START_LIMIT_MS = 20_000;
const KILL_LIMIT_MS = 10_000;
const WRITERS_LIMIT_MS = 2_000;
const SYNC_FD = 3;
const REAPER_NAME = 'lichen-reaper';
/** Status of what was killed by SIGKILL, also of `timeout --signal=KILL` when the time was over. */
const KILLED = 137;
/** What a workload is inside its own user namespace; outside it is whoever runs the runtime. */
const INNER_ID = 1000;

/** The variables that make a program of the board load a tenant's code before the root is closed behind it. */
const LOADER_VARIABLE = /^LD_|^GLIBC_TUNABLES$/;

export interface DevOptions {
  board: string;
  dataPath: string;
  nodePath: string;
  /** Whether namespaces come from a new user namespace (anyone) or from being root. */
  root: boolean;
  /** Whether `ip` is there to bring the loopback link up. */
  loopback: boolean;
}

/** The namespaces of every instance; a user namespace first, unless root needs none. */
export const namespaceFlags = (root: boolean): string[] => [
  ...(root ? [] : ['--user', '--map-root-user']),
  '--pid',
  '--fork',
  '--kill-child',
  '--mount',
  '--net',
  '--ipc',
  '--uts',
  '--propagation',
  'private',
];

interface Told {
  reaper: ProcessId;
  first: ProcessId;
}

export class DevEngine implements Backend {
  readonly exitsPath: string;
  readonly logsPath: string;
  /** The program begins before anybody is told which it is. */
  readonly runPath = null;
  readonly #options: DevOptions;
  /** What is known of the reapers; `counters` may not read files of state at every tick. */
  readonly #reapers = new Map<string, ProcessId>();
  readonly #highest = new Map<string, bigint>();
  /** unshare of util-linux 2.38 answers status 1 where its child was killed: what we killed ourselves we know better. */
  readonly #killed = new Set<string>();
  #tree: ProcessTree | null = null;
  #nodeBinds: Promise<Bind[]> | null = null;

  constructor(options: DevOptions) {
    this.#options = options;
    this.exitsPath = `${options.dataPath}/run/exits`;
    this.logsPath = `${options.dataPath}/run/logs`;
    for (const path of [this.exitsPath, this.logsPath]) mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  /** Nothing passes, so what asks for nothing has it all. */
  async connect(_partition: string, policy: NetworkPolicy | null): Promise<void> {
    if (asksAny(policy)) throw new LichenError('not-offered', 'the dev engine connects nothing; run the instance on a board');
  }

  async launch(spec: PartitionSpec, uid: number): Promise<Launched> {
    const { partition } = spec;
    const directory = this.#directory(partition);
    if (Object.keys(spec.secrets).length > 0)
      throw new LichenError('not-offered', 'the dev engine keeps no secrets; run the instance on a board');
    if (dataLimitOf(spec.limits) !== null)
      throw new LichenError('not-offered', 'the dev engine holds no /data to a limit; run the instance on a board');
    if (limitsIo(spec.limits))
      throw new LichenError('not-offered', 'the dev engine limits no reading and writing; run the instance on a board');
    const loader = Object.keys(spec.env).find((name) => LOADER_VARIABLE.test(name));
    if (loader !== undefined)
      throw new LichenError('not-offered', `the dev engine does not pass ${loader} on; run the instance on a board`);
    if (spec.devices.length > 0) throw new LichenError('not-offered', 'the dev engine gives no devices; run the instance on a board');
    await this.connect(partition, spec.network);
    const binds = await this.#bindsOf(spec);
    const at = `${directory}/root`;
    mkdirSync(at, { recursive: true });
    this.#forgetLog(partition);
    const { board, root, loopback } = this.#options;
    const command = [
      'sh',
      '-c',
      REAPER,
      REAPER_NAME,
      `${this.exitsPath}/${partition}`,
      this.#rawLog(partition),
      String(this.#partBytes(spec.limits.logKib)),
      'unshare',
      ...namespaceFlags(root),
      '--',
      'sh',
      '-c',
      INSIDE,
      'lichen-inside',
      spec.rootPath,
      at,
      `${directory}/data`,
      givenPath(directory),
      String(spec.limits.tmpMib),
      loopback ? addressOf(board, partition) : '',
      binds.map(({ source, target }) => `${source}:${target}`).join('\n'),
      '/usr/bin/env',
      '-i',
      ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      ...this.#closed(at, uid),
      ...spec.args,
    ];
    const { first, reaper } = await this.#spawn(command, partition);
    this.#reapers.set(partition, reaper);
    return { first, reaper, address: null };
  }

  readExit(partition: string): Exit | null {
    const status = readText(`${this.exitsPath}/${partition}`)?.split('\n')[0] ?? '';
    if (!/^\d+$/.test(status)) return null;
    return this.#killed.has(partition) ? exitOf(KILLED, false) : exitOf(Number(status), false);
  }

  /** The first process is the init of its pid namespace: the kernel ends everyone else with it. */
  async kill({ partition, first, reaper }: Running): Promise<boolean> {
    if (isAlive(first)) this.#killed.add(partition);
    signal(first, 'SIGKILL');
    const gone = await until(() => !isAlive(first), KILL_LIMIT_MS);
    if (first === null && !isAlive(reaper)) this.#killByName(partition);
    return gone;
  }

  async clear(partition: string): Promise<void> {
    const exitFile = `${this.exitsPath}/${partition}`;
    const ended = readText(exitFile);
    if (ended !== null) writeDurably(`${this.#directory(partition)}/spent`, String(this.#spentBefore(partition) + spentIn(ended)));
    this.#forget(partition);
    rmSync(exitFile, { force: true });
  }

  async discard(partition: string): Promise<void> {
    await this.#writersGone(partition);
    this.#forget(partition);
    for (const path of [`${this.exitsPath}/${partition}`, `${this.#directory(partition)}/spent`]) rmSync(path, { force: true });
    this.#forgetLog(partition);
  }

  /** What is written is not counted. */
  async settle(): Promise<void> {}

  /** Nothing held them to an end. */
  async releaseData(): Promise<void> {}

  logSource(partition: string): LogSource {
    return {
      form: 'plain',
      path: () => {
        const part = this.#logParts(partition).at(-1);
        return part === undefined ? null : `${this.#rawLog(partition)}.${part}`;
      },
      // Every part but the newest is full.
      written: () => {
        const parts = this.#logParts(partition);
        const [part, before] = [parts.at(-1), parts.at(-2)];
        if (part === undefined) return null;
        const sizeOf = (number: number): number => statSync(`${this.#rawLog(partition)}.${number}`, { throwIfNoEntry: false })?.size ?? 0;
        return (before === undefined ? 0 : sizeOf(before) * part) + sizeOf(part);
      },
    };
  }

  /** An estimate: ticks of 10 ms, resident pages counted once a process, no network and no disk. */
  counters(partition: string): Counters | null {
    const ended = readText(`${this.exitsPath}/${partition}`);
    const reaper = ended === null ? this.#reaperOf(partition) : null;
    if (ended === null && reaper === null) return null;
    const now = reaper === null ? { cpuMicros: spentIn(ended ?? ''), memoryBytes: 0n, pids: 0 } : this.#scan().usageBelow(reaper.pid);
    const total = this.#spentBefore(partition) + now.cpuMicros;
    // The two ways of counting differ by some ticks; a register never goes back.
    const before = this.#highest.get(partition) ?? 0n;
    const cpuMicros = total > before ? total : before;
    this.#highest.set(partition, cpuMicros);
    return { ...now, cpuMicros, netInBytes: 0n, netOutBytes: 0n, diskWrittenBytes: 0n, dataBytes: 0n };
  }

  /** Without cgroups it is the reapers' command lines that carry a partition's name. */
  left(): string[] {
    return [...new Set(this.#reapersByName().map(({ partition }) => partition))];
  }

  async probe(running: Running, probe: AskedProbe, timeoutMs: number): Promise<Probed> {
    const { partition, first } = running;
    const holder = first === null ? null : new ProcessTree().parentOf(first.pid);
    if (holder === null) return { ok: false, detail: 'the instance is not running' };
    const { root, nodePath, board, loopback } = this.#options;
    const user = root ? [] : ['--preserve-credentials', '--user'];
    if ('args' in probe) {
      const at = `${this.#directory(partition)}/root`;
      const uid = statSync(`${this.#directory(partition)}/data`).uid;
      const enter = [
        ...user,
        '--mount',
        '--net',
        '--ipc',
        '--uts',
        `--pid=/proc/${holder}/ns/pid_for_children`,
        '--target',
        String(holder),
        '--',
      ];
      // nsenter forks to enter the pid namespace; who must end at the limit is its child, so the limit is kept inside.
      const limit = ['timeout', '--signal=KILL', `${timeoutMs / 1_000}s`];
      const ran = await run('nsenter', [...enter, ...limit, '/usr/bin/env', '-i', ...this.#closed(at, uid), ...probe.args], {
        timeoutMs: timeoutMs + 1_000,
      });
      return probedProgram(probe, { ...ran, timedOut: ran.timedOut || ran.code === null || ran.code === KILLED }, timeoutMs);
    }
    if (!loopback) return { ok: false, detail: 'ip is not installed, so the instance has no network' };
    const asked = JSON.stringify({ address: addressOf(board, partition), probe, timeoutMs });
    const ran = await run('nsenter', [...user, '--net', '--target', String(holder), '--', nodePath, '-e', ASK, asked], {
      timeoutMs: timeoutMs + 2_000,
    });
    return { ok: ran.code === 0, detail: ran.stdout.trim() || ran.stderr.trim().slice(-200) || 'no answer' };
  }

  close(): void {
    this.#tree = null;
  }

  /** Into the root, without a way back: no new privileges, an id that is nobody's, and no right to change the root again. */
  #closed(at: string, uid: number): string[] {
    const identity = this.#options.root
      ? ['--setuid', String(uid), '--setgid', String(uid)]
      : ['--user', `--map-user=${INNER_ID}`, `--map-group=${INNER_ID}`];
    return ['/usr/bin/setpriv', '--no-new-privs', '/usr/bin/unshare', ...identity, `--root=${at}`, '--wd=/'];
  }

  #spawn(command: string[], partition: string): Promise<Told> {
    return new Promise((resolve, reject) => {
      const [file = '', ...args] = command;
      const child = spawn(file, args, { cwd: '/', detached: true, env: TOOL_ENV, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
      const sync = child.stdio[SYNC_FD];
      let said = '';
      const timer = setTimeout(
        () => end(new LichenError('engine-failed', `the start took more than ${START_LIMIT_MS} ms`)),
        START_LIMIT_MS,
      );
      const end = (error: LichenError | null): void => {
        clearTimeout(timer);
        sync?.destroy();
        child.unref();
        // Their own lines of /proc/self/stat: an instance may be over before this is read.
        const told = (who: string): ProcessId | null => processOf(new RegExp(`^${who} (.*)$`, 'm').exec(said)?.[1] ?? '');
        const [reaper, first] = [told('reaper'), told('first')];
        if (error !== null) reject(error);
        else if (reaper === null || first === null) reject(new LichenError('engine-failed', this.#lastWords(partition)));
        else resolve({ reaper, first });
      };
      child.on('error', (error) => end(new LichenError('engine-failed', error.message)));
      sync?.on('error', () => undefined);
      sync?.on('close', () => end(null));
      sync?.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        if (/^first .*\n/m.test(said)) end(null);
      });
    });
  }

  #lastWords(partition: string): string {
    const log = readText(`${this.#rawLog(partition)}.0`)?.trim() ?? '';
    return log === '' ? 'the root could not be closed' : log.slice(-500);
  }

  async #bindsOf(spec: PartitionSpec): Promise<Bind[]> {
    for (const point of COMMON_MOUNT_POINTS) plantMountPoint(spec.rootPath, point);
    if (spec.engine === 'none') return [];
    this.#nodeBinds ??= nodeBinds(this.#options.nodePath);
    const binds = await this.#nodeBinds;
    for (const { target } of binds) plantMountPoint(spec.rootPath, { target, kind: 'file' });
    return binds;
  }

  /** The reaper of an instance, and its shells that have the same command line. */
  #reapersByName(): { pid: number; partition: string }[] {
    return list('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const command = (readText(`/proc/${name}/cmdline`) ?? '').split('\0');
        const exitFile = command[command.indexOf(REAPER_NAME) + 1];
        if (!command.includes(REAPER_NAME) || exitFile === undefined || dirname(exitFile) !== this.exitsPath) return [];
        return [{ pid: Number(name), partition: basename(exitFile) }];
      });
  }

  /** The shell that keeps the log ends after the reaper, and writes until then: a log forgotten before it would be back. */
  async #writersGone(partition: string): Promise<void> {
    const gone = await until(() => !this.left().includes(partition), WRITERS_LIMIT_MS);
    if (!gone) this.#killByName(partition);
  }

  /** Of a start that was cut before anyone was told a number. */
  #killByName(partition: string): void {
    const tree = new ProcessTree();
    const families = this.#reapersByName()
      .filter((one) => one.partition === partition)
      .map(({ pid }) => tree.family(pid));
    for (const pid of new Set(families.flat())) signal(identify(pid), 'SIGKILL');
  }

  #forget(partition: string): void {
    this.#reapers.delete(partition);
    this.#highest.delete(partition);
    this.#killed.delete(partition);
  }

  #spentBefore(partition: string): bigint {
    const text = readText(`${this.#directory(partition)}/spent`) ?? '';
    return /^\d+$/.test(text) ? BigInt(text) : 0n;
  }

  #reaperOf(partition: string): ProcessId | null {
    const known = this.#reapers.get(partition) ?? readState(this.#directory(partition))?.reaper ?? null;
    if (known === null || !isAlive(known)) return null;
    this.#reapers.set(partition, known);
    return known;
  }

  /** One pass over /proc serves all partitions of one tick. */
  #scan(): ProcessTree {
    if (this.#tree === null) {
      this.#tree = new ProcessTree();
      queueMicrotask(() => {
        this.#tree = null;
      });
    }
    return this.#tree;
  }

  #rawLog(partition: string): string {
    return `${this.logsPath}/${partition}.raw`;
  }

  #partBytes(kib: number | undefined): number {
    return ((kib ?? LIMITS.logKib) * 1024) / 2;
  }

  /** Numbers of the files, the newest last. */
  #logParts(partition: string): number[] {
    const prefix = `${partition}.raw.`;
    return list(this.logsPath)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  }

  #forgetLog(partition: string): void {
    for (const part of this.#logParts(partition)) rmSync(`${this.#rawLog(partition)}.${part}`, { force: true });
  }

  #directory(partition: string): string {
    return `${this.#options.dataPath}/partitions/${partition}`;
  }
}
