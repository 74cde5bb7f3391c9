/**
 * A partition's network: its own namespace with one link to the board, one unique local address, and a filter inside
 * the namespace that lets it answer but not ask. The workload has no capability over its own namespace, so a filter
 * there binds it as well as one on the board would, and goes when the namespace goes.
 */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { addressOf, linkOf } from './names.ts';
import { must, run } from './run.ts';
import { list, readText } from './state.ts';

/** Connection tracking is per namespace; neighbour discovery must pass or no address is ever found (RFC 4861). */
const FILTER = `table inet lichen {
  chain out {
    type filter hook output priority 0; policy drop;
    oifname "lo" accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
`;

/** Runs in the new namespace, which is held by the time it ends. */
const WITHIN = 'printf %s "$0" | ip -6 -batch - && { [ -z "$1" ] || printf %s "$1" | nft -f -; }';

export interface NetworkOptions {
  board: string;
  /** Directory of the files that hold the namespaces. */
  directory: string;
  /** Whether nft is there to deny what a partition asks of the board. */
  filter: boolean;
}

export class Network {
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  file(partition: string): string {
    return `${this.#options.directory}/${partition}`;
  }

  link(partition: string): string {
    return linkOf(this.#options.board, partition);
  }

  held(): string[] {
    return list(this.#options.directory);
  }

  /**
   * Idempotent: a network that is whole is kept, with its counters; half of one is made anew. `nodad`: there is nobody
   * else on the link, and a second of "tentative" would fail the first promise. Forwarding stays as the board has it.
   */
  async create(partition: string): Promise<string> {
    const [file, link, address] = [this.file(partition), this.link(partition), addressOf(this.#options.board, partition)];
    if (readText(`/sys/class/net/${link}/operstate`)?.trim() === 'up' && this.#isMounted(file)) return address;
    await this.remove(partition);
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'w', 0o600));
    const within = [
      'link set lo up',
      `link add eth0 type veth peer name ${link} netns ${process.pid}`,
      `addr add ${address}/128 dev eth0 nodad`,
      'link set eth0 up',
      'route add fe80::1 dev eth0',
      'route add default via fe80::1 dev eth0',
    ];
    await must('unshare', [`--net=${file}`, 'sh', '-c', WITHIN, `${within.join('\n')}\n`, this.#options.filter ? FILTER : '']);
    const without = [`addr add fe80::1/64 dev ${link} nodad`, `link set ${link} up`, `route add ${address}/128 dev ${link}`];
    await must('ip', ['-6', '-batch', '-'], { input: `${without.join('\n')}\n` });
    return address;
  }

  /** Idempotent. The link is taken away first: a namespace dies a while after its last user, and its links with it. */
  async remove(partition: string): Promise<void> {
    const [file, link] = [this.file(partition), this.link(partition)];
    if (readText(`/sys/class/net/${link}/operstate`) !== null) await run('ip', ['link', 'del', link]);
    if (this.#isMounted(file)) await must('umount', [file]);
    rmSync(file, { force: true });
  }

  #isMounted(file: string): boolean {
    return (readText('/proc/self/mounts') ?? '').includes(` ${file} nsfs `);
  }
}
