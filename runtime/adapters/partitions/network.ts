/**
 * A partition's network: its own namespace with one link to the board, one unique local address, and a filter inside
 * the namespace. Two partitions that are linked have a pair of interfaces of their own, so that nothing of the machine
 * forwards for them; what goes out or comes in through a published port passes the board, if that forwards at all.
 */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import type { NetworkPolicy } from '../../ports/partitions.ts';
import { destinationOf } from '../../protocol/address.ts';
import { LichenError } from '../../protocol/errors.ts';
import {
  asksOut,
  boardTable,
  type Families,
  hostsText,
  type Inside,
  insideTable,
  type LinkEnd,
  resolvText,
  type Wiring,
} from './filter.ts';
import { address4Of, addressOf, boardName, linkOf, pairOf } from './names.ts';
import type { Bind } from './node-engine.ts';
import { boardResolvers, type Lookup, Names, namesIn, systemLookup } from './resolve.ts';
import { must, run } from './run.ts';
import { list, readText } from './state.ts';
import { Wirings } from './wirings.ts';

/** Runs in the new namespace, and says when that has its file and when it has its link: others go on from there meanwhile. */
const WITHIN = `
set -e
echo there
printf %s "$0" | ip -6 -batch -
[ -z "$1" ] || printf %s "$1" | ip -4 -batch -
echo linked
[ -z "$2" ] || printf %s "$2" | nft -f -
`;

export interface NetworkOptions {
  board: string;
  /** Of the board, volatile. */
  runPath: string;
  /** Whether nft is there to deny anything. */
  filter: boolean;
  /** What the board forwards. */
  families: Families;
  lookup?: Lookup;
  /** Between two questions for the same DNS name. */
  namesMs?: number;
}

const lines = (batch: string[]): string => `${batch.join('\n')}\n`;

export class Network {
  readonly #options: NetworkOptions;
  readonly #directory: string;
  readonly #wirings: Wirings;
  readonly #names: Names;
  #hasTable: boolean;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#directory = `${options.runPath}/net`;
    this.#wirings = new Wirings(`${options.runPath}/wired`);
    this.#hasTable = this.#wirings.all().length > 0;
    this.#names = new Names(options.lookup ?? systemLookup, () => this.#next(() => this.#applyAll()), options.namesMs);
    for (const [partition] of this.#wirings.all()) this.#names.remember(namesIn(readText(this.#wirings.file(partition, 'hosts')) ?? ''));
  }

  file(partition: string): string {
    return `${this.#directory}/${partition}`;
  }

  link(partition: string): string {
    return linkOf(this.#options.board, partition);
  }

  held(): string[] {
    return list(this.#directory);
  }

  /** What a partition that has a policy knows by name. */
  binds(partition: string): Bind[] {
    return (['hosts', 'resolv.conf'] as const).map((name) => ({ source: this.#wirings.file(partition, name), target: `/etc/${name}` }));
  }

  close(): void {
    this.#names.close();
  }

  /** What it could not keep from others it does not give. Error: `not-offered`. */
  #check(policy: NetworkPolicy | null): void {
    const { filter, families } = this.#options;
    if (policy === null) return;
    if (policy.links.length > 0 && !filter) throw new LichenError('not-offered', 'links need nftables on this board');
    if (asksOut(policy) && !(filter && (families.v4 || families.v6)))
      throw new LichenError(
        'not-offered',
        'nothing passes between instances and the world: this board does not forward, or has no nftables',
      );
  }

  /**
   * Idempotent: a network that is whole is kept, with its counters; half of one is made anew. `there` is called as soon as the
   * namespace can be entered and its files can be bound, though neither says anything yet.
   */
  create(partition: string, policy: NetworkPolicy | null, there: () => void = () => undefined): Promise<string> {
    return this.#next(async () => {
      this.#check(policy);
      const before = this.#wirings.get(partition);
      const isWhole =
        readText(`/sys/class/net/${this.link(partition)}/operstate`)?.trim() === 'up' && this.#isMounted(this.file(partition));
      const isKept = isWhole && before !== undefined && (policy === null || !this.#options.families.v4 || before.address4 !== null);
      const enter = (): void => {
        this.#wirings.open(partition);
        there();
      };
      if (isKept) enter();
      const wiring = isKept ? { ...before, policy } : await this.#make(partition, policy, enter);
      await this.#rewire(partition, wiring, before);
      return wiring.address;
    });
  }

  /** What passes from now on; what was let pass and is in it, too, is not interrupted. */
  connect(partition: string, policy: NetworkPolicy): Promise<void> {
    return this.#next(async () => {
      this.#check(policy);
      const before = this.#wirings.get(partition);
      if (before !== undefined) await this.#rewire(partition, { ...before, policy }, before);
    });
  }

  /** Idempotent. */
  remove(partition: string): Promise<void> {
    return this.#next(async () => {
      await this.#unmake(partition);
      await this.#applyBoard();
    });
  }

  /** `nodad`: there is nobody else on the link, and a second of "tentative" would fail the first promise. */
  async #make(partition: string, policy: NetworkPolicy | null, enter: () => void): Promise<Wiring> {
    const { board, filter, families } = this.#options;
    const [file, link, address] = [this.file(partition), this.link(partition), addressOf(board, partition)];
    await this.#unmake(partition);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'w', 0o600));
    const address4 = policy !== null && families.v4 ? await this.#free4(partition) : null;
    const wiring: Wiring = { link, address, address4, policy, pairs: [] };
    const batch = [
      'link set lo up',
      `link add eth0 type veth peer name ${link} netns ${process.pid}`,
      // One that the kernel makes is tentative for a second, and until then nobody finds the way out for IPv4.
      'link set eth0 addrgenmode none',
      `addr add ${address}/128 dev eth0 nodad`,
      'link set eth0 up',
      'addr add fe80::2/64 dev eth0 nodad',
      'route add default via fe80::1 dev eth0',
    ];
    // The board's end needs no IPv4 address for this (RFC 5549).
    const batch4 = address4 === null ? [] : [`addr add ${address4}/32 dev eth0`, 'route add default via inet6 fe80::1 dev eth0'];
    const table = filter ? insideTable(this.#insideOf(partition, { ...wiring, policy: null })) : '';
    const batches = [lines(batch), batch4.length === 0 ? '' : lines(batch4), table];
    const [there, linked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const heard = (words: string): void => {
      if (words.includes('there\n')) there.resolve();
      if (words.includes('linked\n')) linked.resolve();
    };
    const within = must('unshare', [`--net=${file}`, 'sh', '-c', WITHIN, ...batches], { heard });
    await Promise.race([there.promise, within]);
    enter();
    await Promise.race([linked.promise, within]);
    const both = [within, this.#lead(link, address, address4)];
    // What went wrong is told when neither is still at it: it is undone next.
    await Promise.allSettled(both);
    await Promise.all(both);
    return wiring;
  }

  /** The board's end of the link, and its ways there. */
  async #lead(link: string, address: string, address4: string | null): Promise<void> {
    const batch = [`addr add fe80::1/64 dev ${link} nodad`, `link set ${link} up`, `route add ${address}/128 dev ${link}`];
    await must('ip', ['-6', '-batch', '-'], { input: lines(batch) });
    if (address4 !== null) await must('ip', ['-4', 'route', 'add', `${address4}/32`, 'dev', link]);
  }

  /**
   * Links are taken away first: a namespace dies a while after its last user, and its links with it. Until then the other end
   * of a pair would pass for one that is whole.
   */
  async #unmake(partition: string): Promise<void> {
    const [file, link] = [this.file(partition), this.link(partition)];
    if (readText(`/sys/class/net/${link}/operstate`) !== null) await run('ip', ['link', 'del', link]);
    if (this.#isMounted(file)) {
      for (const device of this.#wirings.get(partition)?.pairs ?? []) await run('nsenter', [`--net=${file}`, 'ip', 'link', 'del', device]);
      await must('umount', [file]);
    }
    rmSync(file, { force: true });
    this.#wirings.remove(partition);
  }

  async #rewire(partition: string, wiring: Wiring, before: Wiring | undefined): Promise<void> {
    this.#wirings.put(partition, wiring);
    await this.#names.want(this.#namesWanted());
    const peers = [wiring, before].flatMap((one) => one?.policy?.links.map((link) => link.partition) ?? []);
    // Those that link to it may have been there before it was.
    const linking = this.#wirings
      .all()
      .flatMap(([other, { policy }]) => (policy?.links.some((link) => link.partition === partition) ? [other] : []));
    for (const other of new Set([...peers, ...linking])) await this.#pair(partition, other);
    // Who never had a policy got all of its filter with its namespace.
    const own = wiring.policy === null && (before?.policy ?? null) === null ? [] : [partition];
    for (const other of new Set([...own, ...peers])) await this.#apply(other);
    await this.#applyBoard();
  }

  /** One that cannot be wired keeps no other from it. Throws what went wrong first. */
  async #applyAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const [partition] of this.#wirings.all()) await this.#apply(partition).catch((thrown: unknown) => failures.push(thrown));
    if (failures.length > 0) throw failures[0];
  }

  async #apply(partition: string): Promise<void> {
    const wiring = this.#wirings.get(partition);
    // Of one that was cut down half, its file may be left.
    if (wiring === undefined || !this.#isMounted(this.file(partition))) return;
    const inside = this.#insideOf(partition, wiring);
    const named = new Map(wiring.policy?.links.map(({ name, partition: other }) => [name, addressOf(this.#options.board, other)]));
    this.#wirings.write(partition, 'hosts', hostsText(inside, named));
    this.#wirings.write(partition, 'resolv.conf', resolvText(inside));
    if (this.#options.filter) await must('nsenter', [`--net=${this.file(partition)}`, 'nft', '-f', '-'], { input: insideTable(inside) });
  }

  /**
   * Where the machine passes packets on, whoever is on its network could send some to a partition: so it is there from the
   * first partition to the last. Elsewhere nothing is in the machine's own tables.
   */
  async #applyBoard(): Promise<void> {
    const { board, filter, families } = this.#options;
    const wirings = this.#wirings.all().map(([, wiring]) => wiring);
    const isWanted = filter && (families.v4 || families.v6) && wirings.length > 0;
    const name = boardName(board);
    if (isWanted) await must('nft', ['-f', '-'], { input: boardTable(name, wirings, families) });
    else if (filter && (families.v4 || families.v6) && this.#hasTable)
      await must('nft', ['-f', '-'], { input: `add table inet ${name}\ndelete table inet ${name}\n` });
    this.#hasTable = isWanted;
  }

  #insideOf(partition: string, wiring: Wiring): Inside {
    const { families } = this.#options;
    const to = wiring.policy?.links.map((link) => this.#end(partition, link.partition, link)) ?? [];
    const from = this.#wirings
      .all()
      .flatMap(([other, { policy }]) =>
        (policy?.links ?? []).filter((link) => link.partition === partition).map((link) => this.#end(partition, other, link)),
      );
    return {
      wiring,
      families,
      names: this.#names.known,
      former: this.#names.former,
      resolvers: wiring.policy?.dns === true ? boardResolvers() : [],
      to,
      from,
    };
  }

  #end(self: string, other: string, { port, protocol }: Pick<LinkEnd, 'port' | 'protocol'>): LinkEnd {
    const { board } = this.#options;
    return { device: pairOf(board, self, other), address: addressOf(board, other), port, protocol };
  }

  #namesWanted(): Set<string> {
    const rules = this.#wirings.all().flatMap(([, { policy }]) => policy?.outbound ?? []);
    return new Set(rules.map(({ to }) => to).filter((to) => destinationOf(to)?.kind === 'name'));
  }

  /** A pair of interfaces between two partitions; it goes with either of them. */
  async #pair(one: string, other: string): Promise<void> {
    if (!this.#isMounted(this.file(one)) || !this.#isMounted(this.file(other))) return;
    const device = pairOf(this.#options.board, one, other);
    const inside = (partition: string): string => `--net=${this.file(partition)}`;
    if ((await run('nsenter', [inside(one), 'ip', 'link', 'show', device])).code === 0) return;
    await must('nsenter', [inside(one), 'ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', this.file(other)]);
    for (const end of [one, other]) {
      const wiring = this.#wirings.get(end);
      if (wiring !== undefined) this.#wirings.put(end, { ...wiring, pairs: [...new Set([...wiring.pairs, device])] });
    }
    // The other's own address is not one of this interface, so it is reached through one that is (RFC 4861 section 7.2.3).
    for (const [self, at, peer, peerAt] of [
      [one, 'fe80::1', other, 'fe80::2'],
      [other, 'fe80::2', one, 'fe80::1'],
    ] as const) {
      const address = (partition: string): string => addressOf(this.#options.board, partition);
      const batch = [
        `link set ${device} addrgenmode none`,
        `link set ${device} up`,
        `addr add ${at}/64 dev ${device} nodad`,
        `route add ${address(peer)}/128 via ${peerAt} dev ${device} src ${address(self)}`,
      ];
      await must('nsenter', [inside(self), 'ip', '-6', '-batch', '-'], { input: lines(batch) });
    }
  }

  /** The first of its addresses that leads nowhere yet. */
  async #free4(partition: string): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const address = address4Of(this.#options.board, partition, attempt);
      if ((await must('ip', ['-4', 'route', 'show', `${address}/32`])).trim() === '') return address;
    }
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #isMounted(file: string): boolean {
    return (readText('/proc/self/mounts') ?? '').includes(` ${file} nsfs `);
  }
}
