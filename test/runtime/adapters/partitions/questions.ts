/**
 * What programs that look for ways out of a container ask, in words of our own, and what a partition answers. Whose they are:
 * amicontained (github.com/genuinetools/amicontained), deepce (github.com/stealthcopter/deepce), and the checks that runtimetest of
 * github.com/opencontainers/runtime-tools makes inside a container. `ask` is run inside and says the answer.
 */
export interface Question {
  by: 'amicontained' | 'deepce' | 'runtimetest';
  question: string;
  answer: string;
  ask: string;
}

/** Says `yes` or `no`. */
const holds = (condition: string): string => `if ${condition}; then echo yes; else echo no; fi`;
const list = (command: string): string => `found=$(${command}); echo \${found:-none}`;

const AMICONTAINED: Omit<Question, 'by'>[] = [
  {
    question: 'Which container runtime?',
    answer: 'none',
    ask: list(
      `{ cat /proc/self/cgroup; echo "$container"; cat /run/systemd/container; ls -d /proc/vz; } 2> /dev/null | grep -oE 'docker|rkt|nspawn|lxc|openvz|/proc/vz'`,
    ),
  },
  { question: "Is it in the host's pid namespace?", answer: 'no', ask: holds('grep -qv busybox /proc/1/comm') },
  {
    question: 'Is it in a user namespace?',
    answer: 'no',
    ask: holds('[ "$(tr -s " " < /proc/self/uid_map)" != " 0 0 4294967295" ]'),
  },
  {
    question: 'Which capabilities: effective, permitted, inheritable, bounding, ambient?',
    answer: 'none',
    ask: list(`grep -E '^Cap' /proc/self/status | grep -vE '\\s0{16}$'`),
  },
  {
    question: 'Is its root another than the host’s?',
    answer: 'yes',
    ask: holds('[ "$(stat -c %d:%i /proc/1/root/)" = "$(stat -c %d:%i /)" ] && [ ! -e /home ]'),
  },
  {
    question: 'How are system calls filtered?',
    answer: 'filtering',
    ask: `[ "$(grep -c '^Seccomp:.2$' /proc/self/status)" = 1 ] && echo filtering`,
  },
  { question: 'Can privileges be gained?', answer: 'no', ask: holds(`! grep -q '^NoNewPrivs:.1$' /proc/self/status`) },
  { question: 'Is there a docker.sock?', answer: 'no', ask: holds('[ -e /var/run/docker.sock ] || [ -e /run/docker.sock ]') },
];

const DEEPCE: Omit<Question, 'by'>[] = [
  { question: 'Is the user root?', answer: 'no', ask: holds('[ "$(id -u)" = 0 ]') },
  {
    question: 'Is it in a group of docker, lxd, root, sudo or wheel?',
    answer: 'no',
    ask: holds(`id | grep -qE 'docker|lxd|\\(root\\)|sudo|wheel|=0[^0-9]'`),
  },
  { question: 'Is a docker.sock mounted?', answer: 'no', ask: holds('grep -q docker.sock /proc/self/mountinfo') },
  {
    question: 'Which tools of containers are installed?',
    answer: 'none',
    ask: list('for name in docker lxc rkt kubectl crun runc; do command -v $name; done'),
  },
  { question: 'Does an SSH service run?', answer: 'no', ask: holds('ps | grep -v grep | grep -q sshd') },
  { question: 'Privileged mode: which disks are seen?', answer: 'none', ask: list('fdisk -l 2> /dev/null') },
  { question: 'Which block devices are in /dev?', answer: 'none', ask: list('find /dev -type b') },
  {
    question: 'Which mounts beside those of every container?',
    answer: '/data /run/lichen /run/lichen/out',
    ask: list(`cut -d' ' -f5 /proc/self/mountinfo | grep -vE '^/$|^/(proc|sys|dev)(/|$)|^/tmp$' | sort | tr '\\n' ' ' | sed 's/ $//'`),
  },
  {
    question: 'Which variables look like secrets?',
    answer: 'none',
    ask: list(`{ env; cat /proc/[0-9]*/environ; } 2> /dev/null | tr '\\0' '\\n' | grep -iE '^[^=]*(pass|secret|key)'`),
  },
  { question: 'Which files lie in the root?', answer: 'none', ask: list('find / -maxdepth 1 -type f') },
  { question: 'Which home directories?', answer: 'none', ask: list('ls -A /home /root 2> /dev/null') },
  { question: 'Which hashes are in the shadow file?', answer: 'none', ask: list('cat /etc/shadow 2> /dev/null') },
  { question: 'Is there a release_agent to write to?', answer: 'no', ask: holds('ls /s*/fs/c*/*/r* /s*/fs/c*/r* > /dev/null 2>&1') },
];

const RUNTIMETEST: Omit<Question, 'by'>[] = [
  { question: 'Is the root filesystem read-only?', answer: 'yes', ask: holds('! touch /bin/x 2> /dev/null && ! touch /x 2> /dev/null') },
  {
    question: 'Does it begin in the directory and with the user of the configuration?',
    answer: 'yes',
    ask: holds('[ "$PWD" = / ] && [ "$(id -u)" = "$(id -g)" ]'),
  },
  {
    question: 'Which of /proc, /sys, /dev and /dev/shm are not mounted as what they are?',
    answer: 'none',
    ask: list(
      `for pair in /proc:proc /sys:sysfs /dev:tmpfs /dev/shm:tmpfs; do grep -q " \${pair%:*} \${pair#*:} " /proc/mounts || echo $pair; done`,
    ),
  },
  {
    question: 'Which of the links /dev/fd, stdin, stdout and stderr are missing?',
    answer: 'none',
    ask: list('for name in fd stdin stdout stderr; do [ -L /dev/$name ] || echo $name; done'),
  },
  {
    question: 'Which of the devices null, zero, full, random, urandom and tty are missing?',
    answer: 'none',
    ask: list('for name in null zero full random urandom tty; do [ -c /dev/$name ] || echo $name; done'),
  },
  {
    question: 'Which other devices are there?',
    answer: 'none',
    ask: list(`find /dev -type c | grep -vE '^/dev/(null|zero|full|random|urandom|tty)$'`),
  },
  {
    question: 'Which masked paths can be read?',
    answer: 'none',
    ask: list(
      'for at in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats; do [ ! -e $at ] || [ -z "$(head -c 1 $at 2> /dev/null | tr "\\0" x)" ] || echo $at; done; ls /proc/acpi /proc/scsi /sys/firmware /sys/fs/cgroup 2> /dev/null | grep -v :',
    ),
  },
  {
    question: 'Which read-only paths can be written?',
    answer: 'none',
    ask: list(
      'for at in /proc/bus /proc/fs /proc/irq /proc/sys; do touch $at/x 2> /dev/null && echo $at; done; (echo h > /proc/sysrq-trigger) 2> /dev/null && echo sysrq',
    ),
  },
  {
    question: 'Is it the first to go when the board has no memory left?',
    answer: 'yes',
    ask: holds('[ "$(cat /proc/self/oom_score_adj)" -ge 200 ]'),
  },
  { question: 'Does it leave core files?', answer: 'no', ask: holds('[ "$(ulimit -c)" != 0 ]') },
];

export const QUESTIONS: Question[] = [
  ...AMICONTAINED.map((one): Question => ({ by: 'amicontained', ...one })),
  ...DEEPCE.map((one): Question => ({ by: 'deepce', ...one })),
  ...RUNTIMETEST.map((one): Question => ({ by: 'runtimetest', ...one })),
];
