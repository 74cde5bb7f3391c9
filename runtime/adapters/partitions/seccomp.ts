/**
 * What a workload may ask of the kernel: an allow-list in the shape of moby's default profile
 * (github.com/moby/profiles, seccomp/default.json) for a process without capabilities, less what hurts here:
 * `ptrace` and `process_vm_*` (a traced first process makes crun 1.8 spin outside its cgroup), io_uring (outside most
 * accounting and a steady source of escapes), new user namespaces, key rings, mounts, and 32-bit system calls.
 */
interface Rule {
  names: string[];
  action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

export interface Seccomp {
  defaultAction: 'SCMP_ACT_ERRNO';
  defaultErrnoRet: number;
  architectures: string[];
  syscalls: Rule[];
}

const EPERM = 1;
const ENOSYS = 38;

const words = (text: string): string[] => text.trim().split(/\s+/);

/** By purpose; within each, alphabetically. */
const ALLOWED: Record<string, string[]> = {
  files: words(`
    access cachestat chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr
    fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init
    inotify_init1 inotify_rm_watch lchown lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek
    lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64
    pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile
    setxattr setxattrat splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat
    utime utimensat utimes vmsplice write writev`),
  waiting: words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
    io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit poll ppoll pselect6 select signalfd signalfd4`),
  network: words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto
    setsockopt shutdown socketpair`),
  memory: words(`
    brk get_mempolicy madvise map_shadow_stack membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap mseal
    msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages`),
  processes: words(`
    alarm arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getitimer
    getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid get_robust_list
    get_thread_area ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pause
    pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq sched_getaffinity sched_getattr sched_getparam
    sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr
    sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsuid setgid setgroups setitimer setpgid setpriority
    setregid setresgid setresuid setreuid setrlimit setsid setuid set_robust_list set_thread_area set_tid_address sysinfo times
    uname vfork wait4 waitid`),
  signals: words(`
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
    sigaltstack tgkill tkill`),
  time: words(`
    clock_getres clock_gettime clock_nanosleep getrandom gettimeofday nanosleep time timer_create timer_delete timer_getoverrun
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`),
  sharing: words(`
    futex futex_requeue futex_wait futex_waitv futex_wake mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
    msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget`),
};

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (getifaddrs needs it; without CAP_NET_ADMIN it only reads). */
const SOCKET_FAMILIES = [1, 2, 10, 16];

/**
 * FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR by type and number, the low 16 bits of a request: with them the owner of a file says which
 * project it is of, so whose end of `/data` it is counted against, or nobody's (data-project.ts).
 */
const IOCTL_REFUSED = [0x6602, 0x5820];
const IOCTL_BITS = 16;

/** All numbers but these, as masks and what is left under them: libseccomp knows `allowed if`, and no `but not if`. */
const allBut = (refused: number[], bit = IOCTL_BITS - 1, mask = 0, at = 0): { mask: number; at: number }[] => {
  if (refused.length === 0) return [{ mask, at }];
  if (bit < 0) return [];
  const wider = mask | (1 << bit);
  return [at, at | (1 << bit)].flatMap((side) =>
    allBut(
      refused.filter((one) => (one & wider) === side),
      bit - 1,
      wider,
      side,
    ),
  );
};

/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: `clone` may set none of them. */
const NAMESPACE_FLAGS = 0x7e02_0000;

/** PER_LINUX and the question which one is set. */
const PERSONALITIES = [0, 0xffff_ffff];

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

const only = (name: string, value: number): Rule => ({
  names: [name],
  action: 'SCMP_ACT_ALLOW',
  args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
});

/** Names that an architecture lacks are skipped by crun, so one table serves both. */
export const seccompFor = (architecture: NodeJS.Architecture): Seccomp => {
  const name = ARCHITECTURES[architecture];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: name === undefined ? [] : [name],
    syscalls: [
      { names: Object.values(ALLOWED).flat(), action: 'SCMP_ACT_ALLOW' },
      ...SOCKET_FAMILIES.map((family) => only('socket', family)),
      ...allBut(IOCTL_REFUSED).map(
        ({ mask, at }): Rule => ({
          names: ['ioctl'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 1, value: mask, valueTwo: at, op: 'SCMP_CMP_MASKED_EQ' }],
        }),
      ),
      ...PERSONALITIES.map((persona) => only('personality', persona)),
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      // Its flags lie behind a pointer that seccomp cannot follow; the C library falls back to clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    ],
  };
};
