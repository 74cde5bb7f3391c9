/** A door on loopback with everyone who may come to it, for tests that look at it from outside. */
import type { Duplex } from 'node:stream';
import { expect } from 'vitest';
import { type Door, type DoorOptions, openDoor } from '../../../gateway/broker/door.ts';
import type { FrontEvent, Gatekeeper, PeerEvent } from '../../../gateway/service/doors.ts';
import { type Identity, identityFromSeed } from '../../../runtime/adapters/certificate.ts';
import { openClock } from '../../../runtime/adapters/clock.ts';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../../runtime/adapters/entropy.ts';
import { MqttSession, type MqttSessionOptions } from '../../../runtime/adapters/mqtt-session.ts';
import { type Alpn, type Dialled, dial } from '../../../runtime/adapters/tls.ts';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { fingerprint } from '../../../runtime/protocol/ids.ts';
import type { GatewayEntry } from '../../../runtime/protocol/nouns/trust.ts';
import type { Party, TopicName } from '../../../runtime/protocol/topics.ts';

export type Event = FrontEvent | PeerEvent;
export type EventOf<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;

/** An identity whose id is the fingerprint of its key, from one byte. */
export const someone = (byte: number): Identity => {
  const seed = new Uint8Array(32).fill(byte);
  return identityFromSeed(seed, fingerprint(nodeCrypto, signerFromSeed(seed).publicKey));
};

/** Things that happen, and waiting for one that has or has not happened yet. */
export class Trace<T> {
  readonly all: T[] = [];
  #watchers: (() => void)[] = [];

  readonly add = (one: T): void => {
    this.all.push(one);
    for (const watch of this.#watchers) watch();
  };

  /** The first, at or after `from`, that fits. */
  async next<U extends T>(fits: (one: T) => one is U, from?: number): Promise<U>;
  async next(fits: (one: T) => boolean, from?: number): Promise<T>;
  async next(fits: (one: T) => boolean, from = 0): Promise<T> {
    for (;;) {
      const found = this.all.slice(from).find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const watch = () => {
          this.#watchers = this.#watchers.filter((one) => one !== watch);
          resolve();
        };
        this.#watchers.push(watch);
      });
    }
  }
}

export const ofKind =
  <Kind extends Event['kind']>(kind: Kind) =>
  (event: Event): event is EventOf<Kind> =>
    event.kind === kind;

export class World {
  readonly gateway: Identity;
  readonly events = new Trace<Event>();
  readonly notes = new Trace<LichenError>();
  readonly known = new Map<string, { party: Party | 'gateway'; id: string }>();
  readonly revoked = new Set<string>();
  /** What the service does with each message; by default it is settled at once. */
  onMessage: (event: EventOf<'message'>) => void = ({ receipt }) => this.door.front.settle(receipt, null);
  onPairing: (event: EventOf<'pairing'>) => void = () => {};
  #door: Door | null = null;
  readonly #streams: Duplex[] = [];
  readonly #closing: (() => void)[] = [];

  private constructor(gateway: Identity) {
    this.gateway = gateway;
  }

  static async open(options: Partial<DoorOptions> = {}, gateway = someone(200)): Promise<World> {
    const world = new World(gateway);
    const clock = openClock();
    const doors = { gatekeeper: world.gatekeeper, crypto: nodeCrypto, clock, entropy: kernelEntropy, note: world.notes.add };
    world.#door = await openDoor({ host: '127.0.0.1', port: 0, identity: world.gateway, listener: world.#heard, ...doors, ...options });
    return world;
  }

  get door(): Door {
    if (this.#door === null) throw new Error('the door is not open');
    return this.#door;
  }

  get address(): string {
    return `127.0.0.1:${this.door.port}`;
  }

  get entry(): GatewayEntry {
    return {
      gateway: this.gateway.id as GatewayEntry['gateway'],
      key: this.gateway.signer.publicKey,
      name: 'g',
      region: 'eu',
      address: this.address,
    };
  }

  readonly gatekeeper: Gatekeeper = (party, id, key) => {
    const name = hex(key);
    const found = this.known.get(name);
    if (found?.party === party && this.revoked.has(name)) return new LichenError('revoked-key', 'revoked');
    if (found === undefined || found.party !== party) return new LichenError('unknown-key', `no ${party} ${id} holds this key`);
    return { id: found.id };
  };

  admit(party: Party | 'gateway', identity: Identity): void {
    this.known.set(hex(identity.signer.publicKey), { party, id: identity.id });
  }

  async dial(alpn: Alpn, identity: Identity): Promise<Dialled> {
    const target = { address: this.address, alpn, identity, expectKey: this.gateway.signer.publicKey, timeoutMs: 10_000 };
    const dialled = await new Promise<Dialled>((resolve, reject) => {
      dial(target, (result) => (result instanceof LichenError ? reject(result) : resolve(result)));
    });
    this.#streams.push(dialled.stream);
    dialled.stream.on('error', () => {});
    return dialled;
  }

  /** A client as a board or tenant would have it, connected and subscribed. */
  async session(party: Party, identity: Identity, more: Partial<MqttSessionOptions> = {}): Promise<TestSession> {
    const { stream } = await this.dial('mqtt', identity);
    return await TestSession.open({ stream, party, id: identity.id, clientId: identity.id, keepaliveS: 60, timeoutMs: 10_000, ...more });
  }

  later(undo: () => void): void {
    this.#closing.push(undo);
  }

  async close(): Promise<void> {
    for (const undo of this.#closing) undo();
    for (const stream of this.#streams) stream.destroy();
    await this.#door?.close();
  }

  readonly #heard = (event: Event): void => {
    this.events.add(event);
    if (event.kind === 'message') this.onMessage(event);
    if (event.kind === 'pairing') this.onPairing(event);
  };
}

export interface Heard {
  topic: TopicName;
  payload: Bytes;
}

export class TestSession {
  readonly heard = new Trace<Heard>();
  readonly ends = new Trace<LichenError>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #session: MqttSession;

  private constructor(options: MqttSessionOptions) {
    this.#session = new MqttSession(options, {
      ready: () => this.#ready.resolve(),
      message: (topic, payload) => this.heard.add({ topic, payload }),
      ended: (error) => {
        this.ends.add(error);
        this.#ready.reject(error);
      },
    });
  }

  static async open(options: MqttSessionOptions): Promise<TestSession> {
    const session = new TestSession(options);
    await session.#ready.promise;
    return session;
  }

  publish(topic: TopicName, payload: Bytes): Promise<void> {
    return new Promise((resolve) => this.#session.publish(topic, payload, resolve));
  }

  close(): void {
    this.#session.close();
  }

  ended(): Promise<LichenError> {
    return this.ends.next(() => true);
  }
}

/** A raw stream's end, and all that came before it. */
export const untilClosed = (stream: Duplex): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('close', () => resolve(Buffer.concat(chunks)));
    stream.on('error', () => {});
  });

/** That much has come. */
export const untilBytes = (stream: Duplex, wanted: number): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length < wanted) return;
      stream.off('data', onData);
      resolve(all);
    };
    stream.on('data', onData);
  });

export const refusal = async (promise: Promise<unknown>): Promise<LichenError> => {
  const thrown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(LichenError);
  return thrown as LichenError;
};
