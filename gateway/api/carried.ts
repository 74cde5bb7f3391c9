/**
 * Boards that speak by a folder which somebody carries: for whoever brings it here a board is in session for a moment. Its hello
 * opens that, and says by its signature whose key it is; all that follows is checked as from any board.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun } from '../../runtime/protocol/nouns/board.ts';
import { type Carried, carried, chunk } from '../../runtime/protocol/nouns/messages.ts';
import { isWord } from '../../runtime/protocol/stick.ts';
import { TOPICS, type TopicName } from '../../runtime/protocol/topics.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { FrontEvent, Gatekeeper, Shelf } from '../service/doors.ts';

export interface CarriedOptions {
  crypto: Crypto;
  clock: Clock;
  submit(event: FrontEvent): void;
  gatekeeper: Gatekeeper;
  /** Boards in session by themselves. */
  boardsHere(): Promise<string[]>;
}

interface Session {
  board: string;
  /** What is to be carried back and was not taken yet. */
  out: Carried['frames'];
  outBytes: number;
  error: LichenError | null;
  waiting: (() => void) | null;
  lastMonoMs: number;
}

const PREFIX = 'carried/';
/** For something to come, before whoever asks is told that nothing did. */
const POLL_MS = 1_000;
const IDLE_MS = 60_000;
const SESSIONS = 64;
/** In CBOR beside what it holds, a frame takes less. */
const OVERHEAD = 64;

export class CarriedFront {
  readonly #options: CarriedOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #settling = new Map<number, (error: LichenError | null) => void>();
  #count = 0;

  constructor(options: CarriedOptions) {
    this.#options = options;
  }

  /** Of the front of MQTT, or of this one. */
  owns(session: string): boolean {
    return session.startsWith(PREFIX);
  }

  /** Its receipts lie below those of any other front. */
  ownsReceipt(receipt: number): boolean {
    return receipt < 0;
  }

  send(name: string, topic: TopicName, payload: Bytes): void {
    const session = this.#sessions.get(name);
    if (session === undefined) return;
    if (session.outBytes + payload.length > LIMITS.sessionQueueBytes)
      session.error ??= new LichenError('too-large', `more than is taken waits for board ${session.board}`);
    else {
      session.out.push({ topic, payload });
      session.outBytes += payload.length;
    }
    session.waiting?.();
  }

  give(name: string, hashes: Bytes[], shelf: Shelf): void {
    for (const hash of hashes) this.send(name, 'chunk', encodeAs(chunk, { v: 1, hash, bytes: shelf(hash) }, 'chunk'));
  }

  settle(receipt: number, error: LichenError | null): void {
    this.#settling.get(receipt)?.(error);
    this.#settling.delete(receipt);
  }

  drop(name: string, error: LichenError): void {
    const session = this.#sessions.get(name);
    if (session === undefined) return;
    session.error ??= error;
    session.waiting?.();
  }

  /** One call. Errors: what the gateway refuses with; then the session is over. */
  async take(body: Bytes): Promise<Bytes> {
    const { session: given, frames } = decodeAs(carried, body, 'carried');
    const name = given === '' ? await this.#open(frames[0]) : given;
    const session = this.#sessions.get(name) ?? refuse('not-found', `no session ${name}: begin anew`);
    session.lastMonoMs = this.#options.clock.now().monoMs;
    try {
      for (const frame of frames) await this.#say(name, session, frame);
      if (session.out.length === 0 && session.error === null && !frames.some(({ topic }) => topic === 'gone'))
        await this.#something(session);
      if (session.error !== null) throw session.error;
    } catch (thrown) {
      this.#close(name);
      throw thrown;
    }
    const out = this.#someOf(session);
    if (frames.some(({ topic }) => topic === 'gone')) this.#close(name);
    return encodeAs(carried, { v: 1, session: name, frames: out }, 'carried');
  }

  /** As many as one answer holds. */
  #someOf(session: Session): Carried['frames'] {
    let bytes = 0;
    const most = session.out.findIndex(({ payload }, at) => {
      bytes += payload.length + OVERHEAD;
      return at > 0 && (bytes > LIMITS.packetBytes || at >= LIMITS.wantHashes);
    });
    const taken = session.out.splice(0, most === -1 ? session.out.length : most);
    session.outBytes -= taken.reduce((total, { payload }) => total + payload.length, 0);
    return taken;
  }

  async #open(first: Carried['frames'][number] | undefined): Promise<string> {
    const { crypto, gatekeeper, submit, clock, boardsHere } = this.#options;
    if (first?.topic !== 'hello') return refuse('bad-usage', 'a session begins with a hello');
    const { value, signer } = unseal(crypto, helloNoun, first.payload);
    const admitted = gatekeeper('board', value.board, signer);
    if (admitted instanceof LichenError) throw admitted;
    if ((await boardsHere()).includes(value.board))
      refuse('conflict', `board ${value.board} is in session by itself; nothing need be carried`);
    if (this.#sessions.size >= SESSIONS) refuse('unavailable', `${SESSIONS} folders are being read`);
    const name = `${PREFIX}${++this.#count}`;
    this.#sessions.set(name, { board: value.board, out: [], outBytes: 0, error: null, waiting: null, lastMonoMs: clock.now().monoMs });
    submit({ kind: 'connected', session: name, party: 'board', id: value.board, key: signer });
    this.#endWhenIdle(name);
    return name;
  }

  #say(name: string, { board }: Session, { topic, payload }: Carried['frames'][number]): Promise<void> {
    if (!isWord(topic, 'up')) return refuse('foreign-topic', `${topic} is nothing that a board says`);
    if (topic === 'gone') return Promise.resolve();
    if (payload.length > TOPICS[topic].maxBytes) return refuse('too-large', `a ${topic} has at most ${TOPICS[topic].maxBytes} bytes`);
    const receipt = -++this.#count;
    return new Promise((resolve, reject) => {
      this.#settling.set(receipt, (error) => (error === null ? resolve() : reject(error)));
      this.#options.submit({ kind: 'message', session: name, party: 'board', id: board, topic, payload, receipt });
    });
  }

  #something(session: Session): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        session.waiting = null;
        resolve();
      };
      session.waiting = done;
      this.#options.clock.after(POLL_MS, done);
    });
  }

  #endWhenIdle(name: string): void {
    const { clock } = this.#options;
    clock.after(IDLE_MS, () => {
      const session = this.#sessions.get(name);
      if (session === undefined) return;
      if (clock.now().monoMs - session.lastMonoMs < IDLE_MS) this.#endWhenIdle(name);
      else this.#close(name);
    });
  }

  #close(name: string): void {
    const session = this.#sessions.get(name);
    this.#sessions.delete(name);
    if (session !== undefined) this.#options.submit({ kind: 'disconnected', session: name, party: 'board', id: session.board });
  }
}
