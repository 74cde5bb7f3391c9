/**
 * Networks that boards share beside their way to the gateways. Words reach all on it at once, pieces leave a board one after
 * the other at the rate at which it gives. Sockets, keys and tags are left out: who knows a release's key is known by the key.
 */
import type { Neighbours, NeighboursEvent, NeighboursStep, Shared } from '../../runtime/ports/neighbours.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';

/** One way. */
const WAY_MS = 2;

/** What can be wrong with a board on its network. */
export interface LanTrouble {
  /** Nothing passes between it and the others. */
  cut: number;
  /** It gives something else than it is asked for. */
  lies: number;
  /** It answers nobody. */
  mute: number;
}

export interface LanHost {
  /** Where it is, and on which network. */
  at: string;
  lan: string;
  nowMs(): number;
  /** By the board's own clock, in this life of its runtime. */
  later(ms: number, call: () => void): void;
  alive(): boolean;
  /** A piece that is held and right; null: it is not. */
  read(piece: NeighbourPiece): Bytes | null;
}

/** Bytes of content passed from one board to another. */
export type Passed = (from: string, to: string, bytes: Bytes) => void;

interface Member {
  host: LanHost;
  who: string;
  shared: ReadonlyMap<string, Shared>;
  listener: (event: NeighboursEvent) => void;
  freeMs: number;
}

const NO_TROUBLE: LanTrouble = { cut: 0, lies: 0, mute: 0 };

const spoilt = (bytes: Bytes): Bytes => bytes.with(0, (bytes[0] ?? 0) ^ 1);

export class Lans {
  readonly #passed: Passed;
  readonly #members = new Map<string, Member>();
  readonly #troubles = new Map<string, LanTrouble>();

  constructor(passed: Passed) {
    this.#passed = passed;
  }

  /** Returns the end of it. */
  begin(at: string, what: keyof LanTrouble): () => void {
    this.#change(at, what, 1);
    return () => this.#change(at, what, -1);
  }

  #change(at: string, what: keyof LanTrouble, by: number): void {
    const before = this.#troubleOf(at);
    this.#troubles.set(at, { ...before, [what]: before[what] + by });
  }

  #troubleOf(at: string): LanTrouble {
    return this.#troubles.get(at) ?? NO_TROUBLE;
  }

  /** For one life of its runtime; the one before is over. */
  attach(host: LanHost): Neighbours {
    const member: Member = { host, who: '', shared: new Map(), listener: () => undefined, freeMs: 0 };
    this.#members.set(host.at, member);
    return {
      watch: (listener) => {
        member.listener = listener;
      },
      perform: (step) => this.#perform(member, step),
      close: () => void (this.#members.get(host.at) === member && this.#members.delete(host.at)),
    };
  }

  #perform(member: Member, step: NeighboursStep): void {
    if (step.kind === 'share') {
      member.who = step.who;
      member.shared = new Map(step.releases.map((shared) => [hex(shared.release), shared]));
    } else if (step.kind === 'look') this.#look(member, step.release);
    else if (step.kind === 'take') this.#take(member, step);
  }

  #passes(one: Member, other: Member): boolean {
    const isUp = one.host.alive() && other.host.alive() && this.#members.get(other.host.at) === other;
    return isUp && one.host.lan === other.host.lan && this.#troubleOf(one.host.at).cut === 0 && this.#troubleOf(other.host.at).cut === 0;
  }

  #tell({ host, listener }: Member, event: NeighboursEvent, afterMs = WAY_MS): void {
    host.later(afterMs, () => host.alive() && listener(event));
  }

  /** Both learn of each other, if both know the release. */
  #look(asker: Member, release: Bytes): void {
    const own = asker.shared.get(hex(release));
    if (own === undefined) return;
    for (const other of [...this.#members.values()]) {
      const theirs = other.shared.get(hex(release));
      if (other === asker || theirs === undefined || !equal(theirs.key, own.key) || !this.#passes(asker, other)) continue;
      this.#tell(other, { kind: 'neighbour-seen', release, neighbour: asker.who, whole: own.whole });
      if (this.#troubleOf(other.host.at).mute > 0) continue;
      this.#tell(asker, { kind: 'neighbour-seen', release, neighbour: other.who, whole: theirs.whole }, 2 * WAY_MS);
    }
  }

  #take(asker: Member, { release, neighbour, pieces }: Extract<NeighboursStep, { kind: 'take' }>): void {
    const giver = [...this.#members.values()].find(({ who }) => who === neighbour);
    if (giver === undefined || !giver.host.alive() || !giver.shared.has(hex(release)))
      return this.#tell(asker, { kind: 'neighbour-lost', neighbour, error: new LichenError('unavailable', 'nobody is there') });
    for (const piece of pieces) giver.host.later(WAY_MS, () => this.#give(giver, asker, release, piece));
  }

  #give(giver: Member, asker: Member, release: Bytes, piece: NeighbourPiece): void {
    const { host } = giver;
    const trouble = this.#troubleOf(host.at);
    if (!this.#passes(giver, asker) || trouble.mute > 0) return;
    const held = giver.shared.has(hex(release)) ? host.read(piece) : null;
    const bytes = held !== null && trouble.lies > 0 ? spoilt(held) : held;
    giver.freeMs = Math.max(giver.freeMs, host.nowMs()) + ((bytes?.length ?? 0) * 1000) / LIMITS.neighbourBytesPerS;
    const event: NeighboursEvent = { kind: 'neighbour-gave', release, neighbour: giver.who, hash: piece.chunk[0], bytes };
    host.later(Math.ceil(giver.freeMs - host.nowMs()) + WAY_MS, () => {
      if (!this.#passes(giver, asker)) return;
      if (bytes !== null) this.#passed(host.at, asker.host.at, bytes);
      asker.host.later(0, () => asker.host.alive() && asker.listener(event));
    });
  }
}
