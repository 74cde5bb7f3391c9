/** Drives floor.sh: the same container, made by nothing but a shell. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Layout } from '../../../runtime/adapters/partitions/cgroup-layout.ts';
import { TOOL_ENV, toolPath } from '../../../runtime/adapters/partitions/run.ts';

export interface FloorOptions {
  layout: Layout;
  /** Of a partition that the runtime has started. */
  configFile: string;
  /** Everything of the floor goes in here. */
  directory: string;
}

const NAME = 'floor7777777';
const GROUP = 'lichen-floor';
const ADDRESS = 'fd4c:6963:6865::f';
const SCRIPT = join(import.meta.dirname, 'floor.sh');

/** The runtime's own configuration, with the floor's names in it. What is bound from beside the instance is bound from here. */
const configOf = (configFile: string, data: string, network: string): string => {
  const config = JSON.parse(readFileSync(configFile, 'utf8'));
  let binds = 0;
  for (const mount of config.mounts) {
    if (mount.type !== 'bind' || mount.destination === '/data' || !existsSync(mount.source)) continue;
    const copy = join(data, '..', `bind-${++binds}`);
    cpSync(mount.source, copy, { recursive: true });
    mount.source = copy;
  }
  config.linux.cgroupsPath = `/${GROUP}/c`;
  for (const namespace of config.linux.namespaces) if (namespace.type === 'network') namespace.path = network;
  for (const mount of config.mounts) if (mount.destination === '/data') mount.source = data;
  return JSON.stringify(config);
};

export class Floor {
  readonly data: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor({ layout, configFile, directory }: FloorOptions) {
    const [bundle, run, crun] = [join(directory, 'bundle'), join(directory, 'run'), join(directory, 'crun')];
    this.data = join(directory, 'data');
    for (const path of [bundle, join(run, 'exits'), crun]) mkdirSync(path, { recursive: true });
    mkdirSync(this.data, { mode: 0o777 });
    writeFileSync(join(bundle, 'config.json'), configOf(configFile, this.data, join(run, 'net')));
    const words = [NAME, bundle, run, GROUP, layout.trees.join(' '), layout.controllers.get('cpu') ?? '', ADDRESS];
    const shell = ['sh', SCRIPT, ...words, toolPath('crun'), '--root', crun];
    // As the runtime does for crun alone; the whole loop lives in that view, which costs it nothing a start.
    const hidden = ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', 'umount "$0" && exec "$@"', layout.hybridPath ?? ''];
    const [file = '', ...args] = layout.hybridPath === null ? ['unshare', '--mount', ...shell] : [...hidden, ...shell];
    this.#child = spawn(file, args, { env: TOOL_ENV, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  }

  async do(what: 'start' | 'stop'): Promise<void> {
    this.#child.stdin?.write(`${what}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true || value !== `${what} done`) throw new Error(`the floor did not ${what}`);
  }

  async close(directory: string): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}
