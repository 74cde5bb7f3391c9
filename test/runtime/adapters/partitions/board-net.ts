/**
 * A network of its own that stands for a board's: a namespace that forwards, joined by one link to a second one, the
 * world. Nothing of the machine's own network is touched, and all of it ends with the two processes that hold it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../../../../runtime/adapters/partitions/run.ts';

/** A sysfs shows the links of the namespace in which it was mounted; cgroups lie below it and are put back. */
const HOLD = `
  set -e
  mkdir -p "$0/cg" && mount --rbind /sys/fs/cgroup "$0/cg"
  mount -t sysfs sysfs /sys && mount --rbind "$0/cg" /sys/fs/cgroup && umount -l "$0/cg"
  cp /etc/hosts "$0/hosts" && mount --bind "$0/hosts" /etc/hosts
  ip link set lo up
  echo 1 > /proc/sys/net/ipv4/ip_forward
  echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
  echo ready; read -r end
`;
const WORLD = 'ip link set lo up; echo ready; read -r end';

export const BOARD = { lan: '10.9.9.1', v4: '192.0.2.1', v6: '2001:db8::1' };
/** `other` is a second address of the world's on the Internet. */
export const OUTSIDE = { lan: '10.9.9.2', v4: '192.0.2.2', other: '192.0.2.3', v6: '2001:db8::2' };

const holding = async (command: string[]): Promise<ChildProcess> => {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`${file} ended with status ${code}`)));
  });
  return child;
};

export class Who {
  readonly heard: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    let rest = '';
    child.stdout?.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.heard.push(...lines);
    });
  }

  static async in(pid: number, port: number): Promise<Who> {
    const script = fileURLToPath(new URL('who.ts', import.meta.url));
    const child = spawn('nsenter', ['-t', String(pid), '-n', process.execPath, script, String(port)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const who = new Who(child);
    if (!(await until(() => who.heard.includes('ready'), 10_000))) throw new Error('nobody listens');
    return who;
  }

  close(): void {
    this.#child.stdin?.end();
  }
}

export class BoardNet {
  readonly #board: ChildProcess;
  readonly #world: ChildProcess;

  private constructor(board: ChildProcess, world: ChildProcess) {
    this.#board = board;
    this.#world = world;
  }

  static async open(directory: string): Promise<BoardNet> {
    const board = await holding(['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', HOLD, directory]);
    const world = await holding(['unshare', '--net', 'sh', '-c', WORLD]);
    const net = new BoardNet(board, world);
    net.onBoard(['ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'out0', 'netns', String(world.pid)]);
    const batch = (device: string, addresses: string[]): string =>
      [...addresses.map((address) => `addr add ${address} dev ${device} nodad`), `link set ${device} up`].join('\n');
    net.onBoard(['ip', '-batch', '-'], batch('up0', [`${BOARD.lan}/24`, `${BOARD.v4}/24`, `${BOARD.v6}/64`]));
    net.outside(['ip', '-batch', '-'], batch('out0', [`${OUTSIDE.lan}/24`, `${OUTSIDE.v4}/24`, `${OUTSIDE.other}/24`, `${OUTSIDE.v6}/64`]));
    return net;
  }

  get boardPid(): number {
    return this.#board.pid ?? 0;
  }

  get worldPid(): number {
    return this.#world.pid ?? 0;
  }

  /** What leads a runtime into it. */
  get prefix(): string[] {
    return ['nsenter', '-t', String(this.boardPid), '-n', '-m', '--'];
  }

  onBoard(command: string[], input = ''): string {
    return this.#in(this.boardPid, ['-n', '-m'], command, input);
  }

  outside(command: string[], input = ''): string {
    return this.#in(this.worldPid, ['-n'], command, input);
  }

  close(): void {
    for (const child of [this.#board, this.#world]) child.stdin?.end('end\n');
  }

  #in(pid: number, spaces: string[], command: string[], input: string): string {
    const ran = spawnSync('nsenter', ['-t', String(pid), ...spaces, '--', ...command], { input, encoding: 'utf8', timeout: 10_000 });
    if (ran.status !== 0) throw new Error(`${command.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  }
}
