/** The engine of a board: crun under conmon, own cgroups and network. Needs root. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Counters, Exit, NetworkPolicy, PartitionSpec } from '../../ports/partitions.ts';
import { LichenError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { dataLimitOf } from '../../protocol/nouns/data.ts';
import { limitsIo } from '../../protocol/nouns/io.ts';
import type { Backend, Launched, Running } from './backend.ts';
import { ioMaxOf } from './card.ts';
import { PartitionCgroup, partitionsWithCgroups, WORKLOAD } from './cgroup.ts';
import type { Layout } from './cgroup-layout.ts';
import { configOf } from './config.ts';
import { type Created, createUnderConmon, crunMust } from './conmon.ts';
import { dataImage, heldIn, makeImage, withData } from './data-image.ts';
import { heldByProject, holdProject, releaseProject } from './data-project.ts';
import { type DeviceNode, type DeviceRoots, hiddenFrom, nodesOf } from './devices.ts';
import { parseExit } from './exits.ts';
import { asksAny } from './filter.ts';
import { givenPath } from './given.ts';
import { Links, NO_BYTES } from './link-bytes.ts';
import type { LogSource } from './log-tail.ts';
import { Meter } from './meter.ts';
import { COMMON_MOUNT_POINTS, plantMountPoint } from './mount-points.ts';
import { boardName, isId } from './names.ts';
import type { Network } from './network.ts';
import { type Bind, nodeBinds } from './node-engine.ts';
import { type AskedProbe, type ProgramProbe, probedProgram, probeNetwork } from './probe.ts';
import type { Probed } from './probed.ts';
import { run, toolPath, until } from './run.ts';
import { giveSecrets, SECRETS_POINT } from './secrets.ts';
import { isAlive, list, type ProcessId, readText, signal } from './state.ts';

/** How long the end of an instance waits for what it has not written yet. */
const SETTLE_LIMIT_MS = 10_000;

/** crun refuses a hybrid machine for as long as it sees the empty v2 tree; only crun itself is led into that view. */
const HIDE = 'umount "$0" && exec "$@"';

export interface CrunOptions {
  board: string;
  dataPath: string;
  nodePath: string;
  layout: Layout;
  enforced: { memory: boolean; pids: boolean };
  /** Whether the card counts by project; else `/data` with an end lies in an image. */
  projects: boolean;
  /** The disk that `/data` lies on, where the kernel limits how fast it is read and written; else null. */
  disk: string | null;
  /** `null` where network namespaces cannot be made. */
  network: Network | null;
  devices: DeviceRoots;
}

export const runPathOf = (board: string): string => `/run/${boardName(board)}`;

const plainCrun = (board: string): string[] => [toolPath('crun'), '--root', `${runPathOf(board)}/crun`];

export const crunCommand = (board: string, layout: Layout): string[] => {
  const crun = plainCrun(board);
  if (layout.hybridPath === null) return crun;
  return [toolPath('unshare'), '--mount', '--propagation', 'slave', 'sh', '-c', HIDE, layout.hybridPath, ...crun];
};

const limitOf = (name: string): number =>
  Number(new RegExp(`^${name}\\s+\\S+\\s+(\\d+)`, 'm').exec(readText('/proc/self/limits') ?? '')?.[1] ?? 1024);

const processIn = (configFile: string): object => {
  const config: unknown = JSON.parse(readText(configFile) ?? 'null');
  if (
    typeof config === 'object' &&
    config !== null &&
    'process' in config &&
    typeof config.process === 'object' &&
    config.process !== null
  ) {
    return config.process;
  }
  throw new LichenError('engine-failed', 'the configuration of the partition is gone');
};

export class CrunEngine implements Backend {
  readonly exitsPath: string;
  readonly logsPath: string;
  readonly runPath: string;
  readonly #options: CrunOptions;
  readonly #crun: string[];
  /** Whoever only lets a made container begin looks at no cgroup. */
  readonly #plainCrun: string[];
  readonly #meters = new Map<string, Meter>();
  readonly #links = new Links();
  #nodeBinds: Promise<Bind[]> | null = null;
  #probes = 0;

  constructor(options: CrunOptions) {
    this.#options = options;
    this.runPath = runPathOf(options.board);
    this.exitsPath = `${this.runPath}/exits`;
    this.logsPath = `${this.runPath}/logs`;
    this.#crun = crunCommand(options.board, options.layout);
    this.#plainCrun = plainCrun(options.board);
    for (const path of [this.exitsPath, this.logsPath, `${this.runPath}/crun`]) mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  async launch(spec: PartitionSpec, uid: number, created: (first: ProcessId) => Promise<void>): Promise<Launched> {
    const { partition } = spec;
    const { network } = this.#options;
    const cgroup = this.#cgroup(partition);
    cgroup.create();
    cgroup.limitCpu(spec.limits.cpuMillis);
    this.#limitIo(cgroup, spec.limits);
    this.#checkNetwork(spec.network);
    const nodes = spec.devices.flatMap((kind) => this.#nodesOf(kind));
    // Its network is wired while its container is made: nothing runs in there before both are whole.
    const namespace = Promise.withResolvers<void>();
    const wired = network === null ? Promise.resolve(null) : network.create(partition, spec.network, namespace.resolve);
    const settled = wired.catch(() => undefined);
    try {
      await this.#configure(spec, uid, cgroup, nodes);
      const crun = await this.#crunWithData(spec, uid);
      await Promise.race([namespace.promise, wired]);
      const made = await this.#create(spec, crun);
      cgroup.adoptReaper(made.reaper.pid);
      const address = await wired;
      this.#meters.get(partition)?.close();
      this.#meters.set(partition, this.#meterOf(partition));
      giveSecrets(spec, made.first, uid);
      await created(made.first);
      await crunMust(this.#plainCrun, 'start', partition);
      return { ...made, address };
    } finally {
      // What is undone next is not still being made.
      await settled;
    }
  }

  async #configure(spec: PartitionSpec, uid: number, cgroup: PartitionCgroup, nodes: DeviceNode[]): Promise<void> {
    const { partition } = spec;
    const { network, enforced } = this.#options;
    const binds = await this.#bindsOf(spec);
    const directory = this.#directory(partition);
    mkdirSync(`${directory}/bundle`, { recursive: true, mode: 0o700 });
    const config = configOf({
      spec,
      uid,
      dataPath: `${directory}/data`,
      givenPath: givenPath(directory),
      binds,
      cgroupsPath: `/${cgroup.path}/${WORKLOAD}`,
      networkPath: network === null ? null : network.file(partition),
      limits: { ...enforced, cgroupNamespace: readText('/proc/self/cgroup') !== null && readdirSync('/proc/self/ns').includes('cgroup') },
      own: { descriptorsMax: limitOf('Max open files'), oomScore: Number(readText('/proc/self/oom_score_adj') ?? 0) },
      architecture: process.arch,
      devices: nodes,
      hidden: hiddenFrom(this.#options.devices, spec.devices),
    });
    writeFileSync(`${directory}/bundle/config.json`, JSON.stringify(config), { mode: 0o600 });
  }

  #create({ partition, limits }: PartitionSpec, crun: string[]): Promise<Created> {
    const logPath = this.#rawLog(partition);
    rmSync(logPath, { force: true });
    return createUnderConmon({
      ...{ partition, directory: this.#directory(partition), runPath: this.runPath, exitsPath: this.exitsPath, crun },
      ...{ logPath, logBytesMax: ((limits.logKib ?? LIMITS.logKib) * 1024) / 2 },
    });
  }

  async connect(partition: string, policy: NetworkPolicy): Promise<void> {
    this.#checkNetwork(policy);
    await this.#options.network?.connect(partition, policy);
  }

  readExit(partition: string): Exit | null {
    return parseExit(readText(`${this.exitsPath}/${partition}`) ?? '', () => this.#cgroup(partition).memoryKills() > 0);
  }

  async kill({ partition, first, reaper }: Running): Promise<boolean> {
    const cgroup = this.#cgroup(partition);
    signal(first, 'SIGKILL');
    // What waits for the card at its rate ends no sooner than it has waited.
    this.#unlimitIo(cgroup);
    const empty = await cgroup.kill();
    // A reaper that nobody can name any more, of a start that was cut before it was written down.
    if (!isAlive(reaper)) await cgroup.endReaper();
    return empty;
  }

  async clear(partition: string): Promise<void> {
    rmSync(`${this.runPath}/crun/${partition}`, { recursive: true, force: true });
    // Exit file, pid file, socket, and what a reaper or a probe that was itself killed left of one.
    for (const directory of [this.exitsPath, this.runPath]) {
      for (const name of list(directory)) if (name.startsWith(partition)) rmSync(`${directory}/${name}`, { recursive: true, force: true });
    }
    await this.#cgroup(partition).removeWorkload();
  }

  async discard(partition: string): Promise<void> {
    this.#meters.get(partition)?.close();
    this.#meters.delete(partition);
    await this.clear(partition);
    rmSync(this.#rawLog(partition), { force: true });
    await this.#cgroup(partition).remove();
    await this.#options.network?.remove(partition);
  }

  async settle(partition: string): Promise<void> {
    const cgroup = this.#cgroup(partition);
    if (!this.#options.layout.io || cgroup.unwrittenBytes() === 0) return;
    this.#unlimitIo(cgroup);
    let over = false;
    void run('sync', ['-f', this.#directory(partition)]).finally(() => {
      over = true;
    });
    // Of a card that takes longer, the rest is not charged.
    await until(() => over, SETTLE_LIMIT_MS);
  }

  async releaseData(partition: string): Promise<void> {
    const data = `${this.#directory(partition)}/data`;
    const owner = statSync(data, { throwIfNoEntry: false })?.uid;
    // What cannot be taken back is one record of a project that has no files: no reason to keep the data.
    if (this.#options.projects && owner !== undefined) await releaseProject(data, owner).catch(() => undefined);
  }

  counters(partition: string): Counters | null {
    let meter = this.#meters.get(partition);
    if (meter === undefined) {
      if (!isId(partition) || !this.#cgroup(partition).exists()) return null;
      meter = this.#meterOf(partition);
      this.#meters.set(partition, meter);
    }
    return meter.read();
  }

  left(): string[] {
    const { layout, board, network } = this.#options;
    return [...new Set([...partitionsWithCgroups(layout, board), ...(network?.held() ?? [])])].filter(isId);
  }

  async probe(running: Running, probe: AskedProbe, timeoutMs: number): Promise<Probed> {
    if ('args' in probe) return this.#exec(running.partition, probe, timeoutMs);
    if (running.address === null) return { ok: false, detail: 'this board cannot give partitions a network' };
    return probeNetwork(running.address, probe, timeoutMs);
  }

  logSource(partition: string, reaper: ProcessId): LogSource {
    return {
      form: 'conmon',
      path: () => this.#rawLog(partition),
      // All that conmon's one thread ever wrote is the log and a few words beside it. Of the process the kernel would also
      // count what its children wrote, once they are reaped: crun, and in the end the workload.
      written: () =>
        isAlive(reaper)
          ? Number(/^wchar: (\d+)$/m.exec(readText(`/proc/${reaper.pid}/task/${reaper.pid}/io`) ?? '')?.[1] ?? Number.NaN)
          : null,
    };
  }

  close(): void {
    for (const meter of this.#meters.values()) meter.close();
    this.#meters.clear();
    this.#links.close();
    this.#options.network?.close();
    // crun 1.21 keeps compiled filters beside its containers; without any container they are all that is there.
    const crunPath = `${this.runPath}/crun`;
    if (list(crunPath).every((name) => name === '.cache')) rmSync(`${crunPath}/.cache`, { recursive: true, force: true });
    // Only when nothing is left in them: a running partition keeps its own.
    for (const path of ['exits', 'logs', 'crun', 'net', 'wired', '']) {
      try {
        rmdirSync(`${this.runPath}/${path}`);
      } catch {
        // In use, or gone.
      }
    }
  }

  /**
   * The program is in the workload's cgroup, namespaces and seccomp filter; its time is the tenant's. Its identity is
   * given in full: `crun exec` alone would run it as uid 0 with privileges to gain.
   */
  async #exec(partition: string, probe: ProgramProbe, timeoutMs: number): Promise<Probed> {
    const { args } = probe;
    this.#probes += 1; // several may be under way in one partition
    const name = `${this.runPath}/${partition}.probe${this.#probes}`;
    const [pidFile, processFile] = [`${name}.pid`, `${name}.json`];
    writeFileSync(processFile, JSON.stringify({ ...processIn(`${this.#directory(partition)}/bundle/config.json`), args }), { mode: 0o600 });
    const [file = 'crun', ...before] = this.#crun;
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      const pid = Number(readText(pidFile));
      // The program inside, not crun: an orphan in a pid namespace keeps its first process from ending until it is reaped.
      if (this.#cgroup(partition).processes().includes(pid)) process.kill(pid, 'SIGKILL');
    }, timeoutMs);
    try {
      const command = [...before, 'exec', '--pid-file', pidFile, '--process', processFile, partition];
      const ran = await run(file, command, { timeoutMs: timeoutMs + 2_000 });
      return probedProgram(probe, { ...ran, timedOut: timedOut || ran.timedOut }, timeoutMs);
    } finally {
      clearTimeout(timer);
      for (const path of [pidFile, processFile]) rmSync(path, { force: true });
    }
  }

  async #bindsOf(spec: PartitionSpec): Promise<Bind[]> {
    const own = Object.keys(spec.secrets).length === 0 ? [] : [SECRETS_POINT];
    for (const point of [...COMMON_MOUNT_POINTS, ...own]) plantMountPoint(spec.rootPath, point);
    const { network, nodePath } = this.#options;
    if (spec.engine === 'node') this.#nodeBinds ??= nodeBinds(nodePath);
    const node = spec.engine === 'node' ? await this.#nodeBinds : null;
    const binds = [...(node ?? []), ...(spec.network === null ? [] : (network?.binds(spec.partition) ?? []))];
    for (const { target } of binds) plantMountPoint(spec.rootPath, { target, kind: 'file' });
    return binds;
  }

  #limitIo(cgroup: PartitionCgroup, limits: PartitionSpec['limits']): void {
    const { disk } = this.#options;
    if (disk !== null) cgroup.limitIo(ioMaxOf(disk, limits));
    else if (limitsIo(limits)) throw new LichenError('not-offered', 'this board limits no reading and writing');
  }

  /** The limit was the instance's own; whoever waits for the rest is the board. */
  #unlimitIo(cgroup: PartitionCgroup): void {
    const { disk } = this.#options;
    if (disk !== null && cgroup.exists()) cgroup.limitIo(ioMaxOf(disk, {}));
  }

  #checkNetwork(policy: NetworkPolicy | null): void {
    if (this.#options.network === null && asksAny(policy))
      throw new LichenError('not-offered', 'this board cannot give partitions a network');
  }

  /** What was unplugged since it was offered is not there. */
  #nodesOf(kind: string): DeviceNode[] {
    const nodes = nodesOf(this.#options.devices, kind);
    if (nodes.length === 0 && kind !== '1wire') throw new LichenError('not-offered', `this board has no ${kind} now`);
    return nodes;
  }

  #meterOf(partition: string): Meter {
    const { layout, network, projects } = this.#options;
    const link = network?.link(partition) ?? null;
    const directory = this.#directory(partition);
    const image = dataImage(directory);
    const inImage = existsSync(image) ? () => heldIn(image) : () => 0n;
    return new Meter({
      ...{ layout, cgroup: this.#cgroup(partition) },
      passed: link === null ? () => NO_BYTES : () => this.#links.bytes(link),
      held: projects ? () => heldByProject(`${directory}/data`) ?? inImage() : inImage,
    });
  }

  #cgroup(partition: string): PartitionCgroup {
    return new PartitionCgroup(this.#options.layout, this.#options.board, partition);
  }

  /** As what makes the container sees it: its `/data` is bound from there. */
  async #crunWithData({ partition, limits }: PartitionSpec, uid: number): Promise<string[]> {
    const limit = dataLimitOf(limits);
    const [image, at] = [dataImage(this.#directory(partition)), `${this.#directory(partition)}/data`];
    if (limit !== null && this.#options.projects && !existsSync(image)) await holdProject(at, limit, uid);
    else if (limit !== null) await makeImage(image, limit, uid, at);
    // What an earlier release kept in one stays there, and keeps its end.
    return existsSync(image) ? withData(image, at, this.#crun) : this.#crun;
  }

  #rawLog(partition: string): string {
    return `${this.logsPath}/${partition}.raw`;
  }

  #directory(partition: string): string {
    return `${this.#options.dataPath}/partitions/${partition}`;
  }
}
