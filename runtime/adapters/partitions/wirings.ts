/** How partitions are wired, kept where the namespaces are: a next life of the runtime writes the same filters. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { outboundRule, port, protocol } from '../../protocol/nouns/reach.ts';
import { takes } from '../../protocol/schema.ts';
import type { Wiring } from './filter.ts';
import { list, readText } from './state.ts';

const policy = v.strictObject({
  outbound: v.array(outboundRule),
  dns: v.boolean(),
  lan: v.boolean(),
  links: v.array(v.strictObject({ name: v.string(), partition: v.string(), port, protocol })),
  publish: v.array(v.strictObject({ outside: port, inside: port, protocol })),
});
const schema = v.strictObject({
  link: v.string(),
  address: v.string(),
  address4: v.nullable(v.string()),
  policy: v.nullable(policy),
  pairs: v.array(v.string()),
});

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

export class Wirings {
  readonly #directory: string;
  readonly #held = new Map<string, Wiring>();

  constructor(directory: string) {
    this.#directory = directory;
    for (const partition of list(directory)) {
      const found = takes(schema, parsed(readText(`${directory}/${partition}/wiring.json`) ?? ''));
      if (found !== null) this.#held.set(partition, found.value);
    }
  }

  get(partition: string): Wiring | undefined {
    return this.#held.get(partition);
  }

  all(): [string, Wiring][] {
    return [...this.#held].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Files of a partition's own: what it is bound to know by name. */
  file(partition: string, name: 'hosts' | 'resolv.conf'): string {
    return `${this.#directory}/${partition}/${name}`;
  }

  put(partition: string, wiring: Wiring): void {
    mkdirSync(`${this.#directory}/${partition}`, { recursive: true, mode: 0o711 });
    writeFileSync(`${this.#directory}/${partition}/wiring.json`, JSON.stringify(wiring), { mode: 0o600 });
    this.#held.set(partition, wiring);
  }

  /** Empty at first; what is there stays. */
  open(partition: string): void {
    mkdirSync(`${this.#directory}/${partition}`, { recursive: true, mode: 0o711 });
    for (const name of ['hosts', 'resolv.conf'] as const) appendFileSync(this.file(partition, name), '', { mode: 0o644 });
  }

  /** In place: the file is bound into a running partition, where one of another number would not be seen. */
  write(partition: string, name: 'hosts' | 'resolv.conf', text: string): void {
    const path = this.file(partition, name);
    if (readText(path) !== text) writeFileSync(path, text, { mode: 0o644 });
  }

  remove(partition: string): void {
    this.#held.delete(partition);
    rmSync(`${this.#directory}/${partition}`, { recursive: true, force: true });
  }
}
