/**
 * The door to others on the network over real sockets. Nothing is open while nothing is shared; who is not in one of the board's
 * own networks is not listened to.
 */
import type { TLSSocket } from 'node:tls';
import type { Neighbours, NeighboursEvent, NeighboursStep, ReadPiece, Shared } from '../../ports/neighbours.ts';
import { fromHex, hex } from '../../protocol/bytes.ts';
import { LichenError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { decodeAs, encodeAs } from '../../protocol/noun.ts';
import { chunk } from '../../protocol/nouns/messages.ts';
import { neighbourWant } from '../../protocol/nouns/neighbours.ts';
import type { Entropy } from '../../turn/entropy.ts';
import { readFrames, writeFrame } from '../frames.ts';
import { Giver } from './giving.ts';
import { type Heard, type OwnAddress, onLink, openWords, ownAddresses, type Words } from './network.ts';
import { hearWord, identityOf, pskOf, sayWord, sharedBy } from './secrets.ts';
import { dial, type Listening, listen } from './tls.ts';

/** Where boards of one network say what they look for, and give it. */
export const NEIGHBOURS_PORT = 7643;

export interface NeighboursOptions {
  read: ReadPiece;
  entropy: Entropy;
  port?: number;
  own?(): OwnAddress[];
  journal(line: string): void;
}

type Step<K extends NeighboursStep['kind']> = Extract<NeighboursStep, { kind: K }>;

/** Open while anything is shared. */
interface Open {
  who: string;
  words: Words;
  listening: Listening;
}

interface Session {
  socket: TLSSocket;
  isOpen: boolean;
  /** Until it is. */
  unsaid: Uint8Array[];
  /** Hashes that were asked for. */
  wanted: Set<string>;
}

const NONCE_BYTES = 16;
/** Questions of which answers are still listened to. */
const QUESTIONS = 8;

export class NeighboursDoor implements Neighbours {
  readonly #options: NeighboursOptions;
  readonly #own: () => OwnAddress[];
  readonly #giver: Giver;
  #open: Open | null = null;
  #shared: ReadonlyMap<string, Shared> = new Map();
  /** Nonces of what was asked last. */
  #questions: string[] = [];
  /** Where a neighbour is. */
  readonly #places = new Map<string, { host: string; port: number }>();
  /** neighbour/release */
  readonly #sessions = new Map<string, Session>();
  #listener: (event: NeighboursEvent) => void = () => undefined;

  constructor(options: NeighboursOptions) {
    this.#options = options;
    this.#own = options.own ?? ownAddresses;
    this.#giver = new Giver(options.read);
  }

  /** Bytes given to others so far. */
  get gaveBytes(): number {
    return this.#giver.bytes;
  }

  watch(listener: (event: NeighboursEvent) => void): void {
    this.#listener = listener;
  }

  perform(step: NeighboursStep): void {
    switch (step.kind) {
      case 'share':
        return this.#share(step);
      case 'look':
        return this.#look(hex(step.release));
      case 'take':
        return this.#take(step);
      case 'leave':
        return this.#leave(step.neighbour);
    }
  }

  close(): void {
    for (const { socket } of this.#sessions.values()) socket.destroy();
    this.#sessions.clear();
    this.#open?.words.close();
    this.#open?.listening.close();
    this.#open = null;
  }

  #say(event: NeighboursEvent): void {
    setImmediate(() => this.#listener(event));
  }

  #share({ who, releases }: Step<'share'>): void {
    this.#shared = new Map(releases.map((shared) => [hex(shared.release), shared]));
    if (releases.length === 0) return this.close();
    this.#open ??= this.#begin(who);
  }

  #begin(who: string): Open {
    const port = this.#options.port ?? NEIGHBOURS_PORT;
    const failed = (why: string): void => this.#options.journal(`neighbours: ${why}`);
    const words = openWords({ port, own: this.#own, heard: (heard) => this.#heard(heard), failed });
    const of = new WeakMap<TLSSocket, string>();
    const listening = listen({
      ...{ port, failed },
      admit: (address) => onLink(address, this.#own()),
      keyOf: (socket, identity) => {
        const shared = sharedBy(identity, this.#shared.values());
        if (shared !== null) of.set(socket, hex(shared.release));
        return shared === null ? null : pskOf(shared.key);
      },
      arrived: (socket) => {
        const release = of.get(socket);
        if (release === undefined) socket.destroy();
        else this.#giver.serve(socket, () => this.#shared.has(release));
      },
    });
    return { who, words, listening };
  }

  #look(release: string): void {
    const [open, shared] = [this.#open, this.#shared.get(release)];
    if (open === null || shared === undefined) return;
    const nonce = this.#options.entropy.bytes(NONCE_BYTES);
    this.#questions = [...this.#questions, hex(nonce)].slice(-QUESTIONS);
    void this.#word(open, shared, nonce, true).then((bytes) => this.#open === open && open.words.sayToAll(bytes));
  }

  async #word({ who, listening }: Open, { key, whole }: Shared, nonce: Uint8Array, asks: boolean): Promise<Uint8Array> {
    return sayWord(key, { v: 1, nonce, who: fromHex(who), port: await listening.port, whole, asks });
  }

  #heard({ bytes, address, answer }: Heard): void {
    const open = this.#open;
    const found = open === null ? null : heardIn(bytes, this.#shared.values());
    if (open === null || found === null) return;
    const { shared, word } = found;
    const neighbour = hex(word.who);
    // An answer to what nobody asked may be an old one.
    if (neighbour === open.who || !(word.asks || this.#questions.includes(hex(word.nonce)))) return;
    if (this.#places.size >= LIMITS.neighbours && !this.#places.has(neighbour)) this.#forget();
    this.#places.set(neighbour, { host: address, port: word.port });
    if (word.asks) void this.#word(open, shared, word.nonce, false).then(answer);
    this.#say({ kind: 'neighbour-seen', release: shared.release, neighbour, whole: word.whole });
  }

  /** The one that was heard of first, and is not asked for anything. */
  #forget(): void {
    for (const neighbour of this.#places.keys()) {
      if ([...this.#sessions.keys()].some((key) => key.startsWith(`${neighbour}/`))) continue;
      this.#places.delete(neighbour);
      return;
    }
  }

  #take({ release, neighbour, pieces }: Step<'take'>): void {
    const key = `${neighbour}/${hex(release)}`;
    const session = this.#sessions.get(key) ?? this.#dial(key, neighbour, release);
    if (session === null) return this.#lost(neighbour, 'it is not known here any more');
    for (const { chunk: one } of pieces) session.wanted.add(hex(one[0]));
    const want = encodeAs(neighbourWant, { v: 1, pieces }, 'want');
    if (session.isOpen) writeFrame(session.socket, want);
    else session.unsaid.push(want);
  }

  #dial(key: string, neighbour: string, release: Uint8Array): Session | null {
    const [at, shared] = [this.#places.get(neighbour), this.#shared.get(hex(release))];
    if (at === undefined || shared === undefined) return null;
    const identity = identityOf(shared.key, this.#options.entropy.bytes(NONCE_BYTES));
    const socket = dial(at, identity, pskOf(shared.key), (why) => {
      if (why !== null) return this.#ended(key, session, neighbour, why);
      session.isOpen = true;
      for (const want of session.unsaid.splice(0)) writeFrame(socket, want);
      readFrames(socket, LIMITS.neighbourFrameBytes, {
        frame: (content) => this.#gave(session, neighbour, release, content),
        ended: (error) => this.#ended(key, session, neighbour, error?.message ?? 'it closed the connection'),
      });
    });
    const session: Session = { socket, isOpen: false, unsaid: [], wanted: new Set() };
    this.#sessions.set(key, session);
    return session;
  }

  #gave({ wanted }: Session, neighbour: string, release: Uint8Array, content: Uint8Array): void {
    const { hash, bytes } = decodeAs(chunk, content, 'chunk');
    if (!wanted.delete(hex(hash))) throw new LichenError('bad-schema', 'it gives what nobody asked for');
    this.#say({ kind: 'neighbour-gave', release, neighbour, hash, bytes });
  }

  /** One that is over while nothing is asked for is begun anew when something is. */
  #ended(key: string, session: Session, neighbour: string, why: string): void {
    session.socket.destroy();
    // Nobody wants it any more, or there is another one.
    if (this.#sessions.get(key) !== session) return;
    this.#sessions.delete(key);
    if (session.wanted.size > 0) this.#lost(neighbour, why);
  }

  #lost(neighbour: string, why: string): void {
    this.#say({ kind: 'neighbour-lost', neighbour, error: new LichenError('unavailable', why) });
  }

  #leave(neighbour: string): void {
    for (const [key, { socket }] of this.#sessions) {
      if (!key.startsWith(`${neighbour}/`)) continue;
      this.#sessions.delete(key);
      socket.destroy();
    }
  }
}

/** Whatever else is said on that port is none of it. */
const heardIn = (bytes: Uint8Array, releases: Iterable<Shared>): ReturnType<typeof hearWord> => {
  try {
    return hearWord(bytes, releases);
  } catch {
    return null;
  }
};
