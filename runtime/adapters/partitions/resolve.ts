/** What DNS names mean now, asked again and again, as a rule that names one is meant for longer than an answer holds. */
import { lookup } from 'node:dns/promises';
import { pauseMs } from './run.ts';
import { readText } from './state.ts';

export type Lookup = (name: string) => Promise<string[]>;

export const systemLookup: Lookup = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** A start waits for so long; what comes later is let pass when it comes. */
const PATIENCE_MS = 1_000;
const AGAIN_MS = 60_000;
/** Addresses that a name had before, to which connections may still be there. */
const FORMER_MAX = 32;

/** systemd's stub listens on an address that a partition cannot reach; this names those behind it. */
const RESOLV_FILES = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'];

export const resolversIn = (text: string): string[] =>
  [...text.matchAll(/^nameserver\s+([0-9a-f.:]+)\s*$/gm)]
    .map(([, address = '']) => address)
    .filter((address) => !/^(127\.|::1$)/.test(address));

export const boardResolvers = (): string[] =>
  RESOLV_FILES.map((path) => resolversIn(readText(path) ?? '')).find((found) => found.length > 0) ?? [];

/** What a life before found: name → addresses, as a hosts file has them. */
export const namesIn = (hosts: string): Map<string, string[]> => {
  const found = new Map<string, string[]>();
  for (const [, address = '', name = ''] of hosts.matchAll(/^(\S+) (\S+)$/gm)) found.set(name, [...(found.get(name) ?? []), address]);
  return found;
};

export class Names {
  readonly #lookup: Lookup;
  readonly #changed: () => Promise<void>;
  readonly #known = new Map<string, readonly string[]>();
  /** The newest last. */
  readonly #former = new Map<string, readonly string[]>();
  #wanted: ReadonlySet<string> = new Set();
  /** Something has changed, and whoever was told could not act on it. */
  #isPending = false;
  readonly #timer: NodeJS.Timeout;

  /** `changed`: some name means something else than it did. When it fails it is called again with the next question. */
  constructor(find: Lookup, changed: () => Promise<void>, againMs = AGAIN_MS) {
    this.#lookup = find;
    this.#changed = changed;
    this.#timer = setInterval(() => void this.#again(), againMs).unref();
  }

  get known(): ReadonlyMap<string, readonly string[]> {
    return this.#known;
  }

  /** What they meant before and do not mean now. */
  get former(): ReadonlyMap<string, readonly string[]> {
    return this.#former;
  }

  /** So that a name means what it did until it is heard to mean something else. */
  remember(found: ReadonlyMap<string, readonly string[]>): void {
    for (const [name, addresses] of found) this.#known.set(name, addresses);
  }

  /** From now on these are asked for; back when the new ones are known, or after a while. */
  async want(names: ReadonlySet<string>): Promise<void> {
    this.#wanted = names;
    for (const name of [...this.#known.keys()]) if (!names.has(name)) this.#forget(name);
    const fresh = [...names].filter((name) => !this.#known.has(name));
    if (fresh.length === 0) return;
    const asked = Promise.all(fresh.map((name) => this.#ask(name)));
    const inTime = await Promise.race([asked.then(() => true), pauseMs(PATIENCE_MS).then(() => false)]);
    if (!inTime) void asked.then((found) => this.#tell(found));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #again(): Promise<void> {
    this.#tell(await Promise.all([...this.#wanted].map((name) => this.#ask(name))));
  }

  #tell(changes: readonly boolean[]): void {
    if (!this.#isPending && !changes.includes(true)) return;
    this.#isPending = false;
    this.#changed().catch(() => {
      this.#isPending = true;
    });
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#former.delete(name);
  }

  /** Whether anything is new. Without an answer the last one stands: a link that is lost cuts no connection. */
  async #ask(name: string): Promise<boolean> {
    const found = await this.#lookup(name).catch(() => null);
    if (found === null || !this.#wanted.has(name)) return false;
    const next = [...new Set(found)].sort();
    const before = this.#known.get(name) ?? [];
    const isSame = before.join() === next.join();
    this.#known.set(name, next);
    const former = [...new Set([...(this.#former.get(name) ?? []), ...before])].filter((address) => !next.includes(address));
    this.#former.set(name, former.slice(-FORMER_MAX));
    return !isSame;
  }
}
