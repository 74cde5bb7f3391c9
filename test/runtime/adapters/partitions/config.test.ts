import { describe, expect, it } from 'vitest';
import { type ConfigInput, configOf } from '../../../../runtime/adapters/partitions/config.ts';
import { seccompFor } from '../../../../runtime/adapters/partitions/seccomp.ts';

const INPUT: ConfigInput = {
  spec: {
    partition: 'p'.repeat(32),
    rootPath: '/planted/root',
    args: ['/bin/app'],
    env: { A: 'b=c' },
    engine: 'none',
    limits: { memoryMib: 64, cpuMillis: 500, pids: 32, tmpMib: 4 },
    network: null,
    devices: [],
    secrets: {},
    parameters: '{}',
  },
  uid: 0x7000_0001,
  dataPath: '/board/data',
  givenPath: '/board/given',
  binds: [{ source: '/opt/node', target: '/usr/bin/node' }],
  cgroupsPath: '/lichen-b/p/c',
  networkPath: '/run/lichen-b/net/p',
  limits: { memory: true, pids: true, cgroupNamespace: true },
  own: { descriptorsMax: 1024, oomScore: 0 },
  architecture: 'x64',
  devices: [],
  hidden: [],
};

describe('the OCI configuration', () => {
  it('gives no power: capabilities, privileges, uid, working directory', () => {
    const none: string[] = [];
    expect(configOf(INPUT)).toMatchObject({
      root: { path: '/planted/root', readonly: true },
      process: {
        cwd: '/',
        noNewPrivileges: true,
        terminal: false,
        user: { uid: 0x7000_0001, gid: 0x7000_0001 },
        env: ['A=b=c'],
        capabilities: { bounding: none, effective: none, inheritable: none, permitted: none, ambient: none },
      },
    });
  });

  it('limits memory and swap together, and asks for no limit that the kernel lacks', () => {
    const resources = (limits: ConfigInput['limits']): unknown =>
      (configOf({ ...INPUT, limits }) as { linux: { resources: unknown } }).linux.resources;
    const devices = [{ allow: false, access: 'rwm' }];
    expect(resources(INPUT.limits)).toEqual({ devices, memory: { limit: 67_108_864, swap: 67_108_864 }, pids: { limit: 32 } });
    expect(resources({ memory: false, pids: false, cgroupNamespace: true })).toEqual({ devices });
  });

  it('raises nothing above what this process may', () => {
    expect(configOf({ ...INPUT, own: { descriptorsMax: 512, oomScore: 500 } })).toMatchObject({
      process: { oomScoreAdj: 500, rlimits: expect.arrayContaining([{ type: 'RLIMIT_NOFILE', soft: 512, hard: 512 }]) },
    });
  });

  it('binds nothing writable but /data, and nothing with set-uid or devices', () => {
    const { mounts } = configOf(INPUT) as { mounts: { destination: string; type: string; options: string[] }[] };
    for (const { destination, type, options } of mounts) {
      expect(options, destination).toContain('nosuid');
      if (destination !== '/dev') expect(options, destination).toContain('nodev');
      if (type === 'bind' && destination !== '/data') expect(options, destination).toContain('ro');
    }
  });

  it('isolates every name space, with an empty network where none can be made', () => {
    const spaces = (input: ConfigInput): unknown => (configOf(input) as { linux: { namespaces: unknown } }).linux.namespaces;
    expect(spaces(INPUT)).toEqual([
      ...['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      { type: 'network', path: '/run/lichen-b/net/p' },
    ]);
    expect(spaces({ ...INPUT, networkPath: null })).toContainEqual({ type: 'network' });
  });
});

describe('the system call table', () => {
  const allowed = new Set(
    seccompFor('arm64')
      .syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
      .flatMap(({ names }) => names),
  );

  it('allows nothing that reaches into other processes, the kernel or new name spaces', () => {
    for (const name of [
      'ptrace',
      'process_vm_readv',
      'process_vm_writev',
      'pidfd_getfd',
      'kcmp',
      'io_uring_setup',
      'io_uring_enter',
      'io_uring_register',
      'unshare',
      'setns',
      'mount',
      'umount2',
      'pivot_root',
      'chroot',
      'move_mount',
      'open_tree',
      'fsopen',
      'mount_setattr',
      'keyctl',
      'add_key',
      'request_key',
      'bpf',
      'perf_event_open',
      'userfaultfd',
      'init_module',
      'finit_module',
      'kexec_load',
      'reboot',
      'swapon',
      'open_by_handle_at',
      'settimeofday',
      'clock_settime',
      'clone',
      'clone3',
      'socket',
      'personality',
      'quotactl',
      'acct',
      'syslog',
    ]) {
      expect(allowed.has(name), name).toBe(false);
    }
  });

  it('lets devices be controlled, and no file be given to the project of another', () => {
    const rules = seccompFor('x64').syscalls.filter(({ names }) => names.includes('ioctl'));
    const allowed = (request: number): boolean =>
      rules.some(({ args }) => args?.every(({ value, valueTwo }) => (request & value) === valueTwo) === true);
    // TCGETS, FIONBIO, FIONREAD, FICLONE, FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, I2C_SLAVE
    for (const request of [0x5401, 0x5421, 0x541b, 0x40049409, 0x80086601, 0x801c581f, 0x0703]) expect(allowed(request)).toBe(true);
    // FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR, also with bits above that the kernel does not look at
    for (const request of [0x40086602, 0x401c5820, 0x40046602, 0x6602, 0x5820]) expect(allowed(request)).toBe(false);
    for (let low = 0; low < 0x10000; low++) if (!allowed(low)) expect([0x6602, 0x5820]).toContain(low);
  });

  it('names each call once and knows both architectures of boards', () => {
    const names = seccompFor('x64')
      .syscalls.filter(({ args }) => args === undefined)
      .flatMap((rule) => rule.names);
    expect(names.length).toBe(new Set(names).size);
    expect([seccompFor('x64'), seccompFor('arm64')].map(({ architectures }) => architectures)).toEqual([
      ['SCMP_ARCH_X86_64'],
      ['SCMP_ARCH_AARCH64'],
    ]);
  });
});
