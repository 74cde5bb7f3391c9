/** Where this kernel's controllers are mounted: one unified tree (v2), or one tree a controller (v1, also hybrid). */
import { readText } from './state.ts';

export const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

export interface Layout {
  version: 1 | 2;
  /** v1 with an empty v2 tree beside it, which crun refuses until it is out of sight. */
  hybridPath: string | null;
  /** Where each controller's tree begins; a missing one is not enforced on this kernel. */
  controllers: ReadonlyMap<Controller, string>;
  /** `io.stat` counts bytes written, writeback included (v2 only). */
  io: boolean;
  /** Every tree in which the OCI runtime makes a group: those above and the ones nobody here asks for. */
  trees: readonly string[];
}

interface Mount {
  path: string;
  type: string;
  options: string[];
}

const mountsIn = (text: string): Mount[] =>
  text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length >= 4)
    .map(([, path = '', type = '', options = '']) => ({ path, type, options: options.split(',') }));

/** `null` without cgroups. `mounts` is /proc/mounts; `controllersOf` gives a v2 tree's `cgroup.controllers`. */
export const layoutIn = (mounts: string, controllersOf: (tree: string) => string): Layout | null => {
  const groups = mountsIn(mounts).filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  const unified = groups.find(({ type }) => type === 'cgroup2');
  const old = groups.filter(({ type }) => type === 'cgroup');
  if (old.length === 0) {
    if (unified === undefined) return null;
    const offered = controllersOf(unified.path).trim().split(/\s+/);
    const controllers = new Map<Controller, string>();
    for (const name of ['cpu', 'memory', 'pids'] as const) if (offered.includes(name)) controllers.set(name, unified.path);
    // `cpu.stat` counts time in every v2 group, with or without the cpu controller.
    controllers.set('cpuacct', unified.path);
    return { version: 2, hybridPath: null, controllers, io: offered.includes('io'), trees: [unified.path] };
  }
  const controllers = new Map<Controller, string>();
  for (const name of CONTROLLERS) {
    const mount = old.find(({ options }) => options.includes(name));
    if (mount !== undefined) controllers.set(name, mount.path);
  }
  return { version: 1, hybridPath: unified?.path ?? null, controllers, io: false, trees: old.map(({ path }) => path) };
};

export const findLayout = (): Layout | null =>
  layoutIn(readText('/proc/mounts') ?? '', (tree) => readText(`${tree}/cgroup.controllers`) ?? '');
