/** The ways between machines as they are now: each board hangs on one radio of its own, gateways share a backbone. */
import { Radio } from '../hardware/radio.ts';
import type { LinkSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';
import type { Paths } from './doors.ts';

/** One direction of a radio: how long a message takes that is handed to it now. */
export interface Direction {
  delayMs(atMs: number, bytes: number, chance: Chance): number;
}

/** What can be wrong with the way to one machine. */
export interface Trouble {
  /** Bytes towards it, and away from it, get lost. */
  deaf: boolean;
  mute: boolean;
  /** Connections open, and nothing is ever heard. */
  captive: boolean;
  /** Of the ways to other gateways only. */
  peersCut: boolean;
  lateMs: number;
  repeatsPermille: number;
  /** Something was said twice. */
  repeated(): void;
}

export const NO_TROUBLE: Trouble = {
  ...{ deaf: false, mute: false, captive: false, peersCut: false, lateMs: 0, repeatsPermille: 0 },
  repeated: () => {},
};

interface End {
  isGateway: boolean;
  /** Its process is there and takes connections. */
  listens: boolean;
  trouble: Trouble;
  /** A board's own radio; a gateway has the backbone. */
  up: Direction | null;
  down: Direction | null;
}

export interface Roads extends Paths {
  add(id: string, kind: 'board' | 'gateway', up: Direction | null, down: Direction | null): void;
  listen(id: string, listens: boolean): void;
  trouble(id: string, change: Partial<Trouble>): void;
  troubleOf(id: string): Trouble;
  /** Whether a board and any gateway that listens can exchange bytes. */
  reachable(id: string): boolean;
}

export const openRoads = (options: { now(): number; chance: Chance; backbone: LinkSpec }): Roads => {
  const { now, chance, backbone } = options;
  const ends = new Map<string, End>();
  const watchers: ((id: string) => void)[] = [];
  const endOf = (id: string): End => {
    const end = ends.get(id);
    if (end === undefined) throw new Error(`no such machine: ${id}`);
    return end;
  };
  const passes = (from: End, to: End): boolean => {
    if (from.trouble.captive || to.trouble.captive) return false;
    return isWired(from, to);
  };
  const isWired = (from: End, to: End): boolean => {
    if (from.trouble.mute || to.trouble.deaf) return false;
    return !(from.isGateway && to.isGateway && (from.trouble.peersCut || to.trouble.peersCut));
  };
  const changed = (id: string): void => {
    for (const watcher of watchers) watcher(id);
  };
  /** Of two gateways each has a line of its own to the other. */
  const lines = new Map<string, Direction>();
  const lineOf = (fromId: string, toId: string): Direction => {
    const key = `${fromId} ${toId}`;
    const line = lines.get(key) ?? new Radio(backbone);
    lines.set(key, line);
    return line;
  };
  return {
    add: (id, kind, up, down) => void ends.set(id, { isGateway: kind === 'gateway', listens: false, trouble: { ...NO_TROUBLE }, up, down }),
    listen: (id, listens) => {
      endOf(id).listens = listens;
    },
    trouble: (id, change) => {
      const end = endOf(id);
      end.trouble = { ...end.trouble, ...change };
      changed(id);
    },
    troubleOf: (id) => endOf(id).trouble,
    delayMs: (fromId, toId, bytes) => {
      const [from, to] = [endOf(fromId), endOf(toId)];
      if (!passes(from, to)) return null;
      const direction = from.up ?? to.down ?? lineOf(fromId, toId);
      return direction.delayMs(now(), bytes, chance) + from.trouble.lateMs + to.trouble.lateMs;
    },
    passes: (fromId, toId) => passes(endOf(fromId), endOf(toId)),
    repeats: (fromId, toId) => {
      const [from, to] = [endOf(fromId).trouble, endOf(toId).trouble];
      const share = from.repeatsPermille + to.repeatsPermille;
      const does = share > 0 && chance.bool(share);
      if (does) for (const { repeatsPermille, repeated } of [from, to]) if (repeatsPermille > 0) repeated();
      return does;
    },
    opens: (fromId, toId) => {
      const [from, to] = [endOf(fromId), endOf(toId)];
      return to.listens && isWired(from, to) && isWired(to, from);
    },
    swallows: (fromId, toId) => {
      const [from, to] = [endOf(fromId), endOf(toId)];
      return (from.trouble.captive || to.trouble.captive) && isWired(from, to) && isWired(to, from);
    },
    listens: (id) => endOf(id).listens,
    reachable: (id) => {
      const end = endOf(id);
      for (const other of ends.values()) if (other.isGateway && other.listens && passes(end, other) && passes(other, end)) return true;
      return false;
    },
    watch: (watcher) => void watchers.push(watcher),
  };
};
