/** Gateways and boards with nothing behind their doors, over the streams of tier B: what is to be seen is on the wire. */
import { createHash } from 'node:crypto';
import type { FrontEvent, PeerEvent } from '../../../gateway/service/doors.ts';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import type { Link, LinkEvent } from '../../../runtime/ports/link.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { fingerprint } from '../../../runtime/protocol/ids.ts';
import type { GatewayEntry } from '../../../runtime/protocol/nouns/trust.ts';
import type { BoardEnd, GatewayEnd, Machine } from '../../../sim/net/doors.ts';
import { type StreamCarrier, streamCarrier } from '../../../sim/net/streams.ts';
import { type Chance, chanceFrom, entropyOf } from '../../../sim/world/chance.ts';
import { machineClock, type VirtualClock, virtualClock, whileAlive } from '../../../sim/world/clock.ts';
import { Ways } from './ways.ts';

export const EPOCH_MS = 1_790_000_000_000;

const machine = (world: StreamWorld, name: string, at?: string): Machine & { life: { over: boolean } } => {
  const signer = signerFromSeed(nodeCrypto.sha256(Buffer.from(name)));
  const life = { over: false };
  const alive = () => !life.over;
  const clock = machineClock(world.clock, (atMs) => ({ wallMs: EPOCH_MS + atMs, monoMs: atMs }), whileAlive(alive));
  const id = fingerprint(nodeCrypto, signer.publicKey);
  return { id, at: at ?? id, signer, clock, entropy: entropyOf(world.chance.fork(name)), alive, life };
};

export class StreamWorld {
  readonly clock: VirtualClock = virtualClock();
  readonly chance: Chance;
  readonly ways: Ways;
  readonly carrier: StreamCarrier;
  readonly hash = createHash('sha256');
  readonly heard: string[] = [];
  pieces = 0;
  readonly keys = new Map<string, { party: string; id: string }>();

  constructor(seed: string) {
    this.chance = chanceFrom(seed);
    this.ways = new Ways(this.chance.fork('ways'), () => this.clock.nowMs);
    const { clock, ways: paths, chance } = this;
    this.carrier = streamCarrier({
      ...{ clock, paths, chance, epochMs: EPOCH_MS },
      heard: (from, to, topic, payload) => void this.heard.push(`${from.slice(0, 4)}>${to.slice(0, 4)} ${topic} ${payload.length}`),
      frameHeard: (from, to, frame) => void this.heard.push(`${from.slice(0, 4)}>${to.slice(0, 4)} ${frame.kind}`),
      tap: (from, to, bytes) => {
        this.pieces++;
        this.hash.update(`${clock.nowMs} ${from} ${to} ${bytes.length}\n`).update(bytes);
      },
    });
  }

  async runTo(atMs: number): Promise<void> {
    const { clock, carrier } = this;
    for (;;) {
      const rest = carrier.settled();
      if (rest !== null) await rest;
      const next = clock.next();
      if (next === null || next > atMs) break;
      clock.step();
    }
    clock.runTo(atMs);
  }
}

export class ToyGateway {
  readonly world: StreamWorld;
  readonly name: string;
  readonly end: GatewayEnd & { life: { over: boolean } };
  readonly events: (FrontEvent | PeerEvent)[] = [];
  readonly notes: LichenError[] = [];
  readonly doors: ReturnType<StreamCarrier['gateway']>;
  readonly links = new Map<string, string>();
  /** What becomes of each event; by default what a service would do at the least. */
  onEvent: (event: FrontEvent | PeerEvent) => void = (event) => this.serve(event);
  keepsEvents = true;

  constructor(world: StreamWorld, name: string) {
    this.world = world;
    this.name = name;
    const body = machine(world, name);
    world.keys.set(hex(body.signer.publicKey), { party: 'gateway', id: body.id });
    this.end = {
      ...body,
      address: `${name}:1`,
      silenceMs: 5000,
      gatekeeper: (party, _id, key) => {
        const known = world.keys.get(hex(key));
        return known?.party === party ? { id: known.id } : new LichenError('unknown-key', 'a stranger');
      },
      listener: (event) => {
        if (this.keepsEvents) this.events.push(event);
        this.onEvent(event);
      },
      note: (error) => void this.notes.push(error),
    };
    this.doors = world.carrier.gateway(this.end);
  }

  get entry(): GatewayEntry {
    const { id, signer, address } = this.end;
    return { gateway: id as GatewayEntry['gateway'], key: signer.publicKey, name: this.name, region: 'eu', address };
  }

  kinds(): string[] {
    return this.events.map((event) => (event.kind === 'message' ? `${event.kind} ${event.topic}` : event.kind));
  }

  serve(event: FrontEvent | PeerEvent): void {
    const { front, peers } = this.doors;
    if (event.kind === 'peer-up') this.links.set(event.gateway, event.session);
    if (event.kind === 'peer-down') this.links.delete(event.gateway);
    if (event.kind !== 'message') return;
    front.settle(event.receipt, null);
    if (event.topic !== 'usage') return;
    front.send(event.session, 'ack', event.payload.subarray(0, 300));
    const author = this.end.id as GatewayEntry['gateway'];
    for (const session of this.links.values())
      peers.send(session, { kind: 'entries', author, from: 0, entries: [event.payload], head: 'head' });
  }

  stop(how: 'gone' | 'killed'): void {
    this.end.life.over = true;
    this.world.carrier.end(this.end.at, how);
  }
}

export interface ToyBoardOptions {
  /** Default: its id. */
  at?: string;
  keepaliveMs?: number;
  reportMs?: number;
  usageMs?: number;
  /** Where the bytes of its messages come from. */
  payload?(length: number): Uint8Array;
}

export class ToyBoard {
  readonly world: StreamWorld;
  readonly end: BoardEnd & { life: { over: boolean } };
  readonly link: Link;
  readonly events: LinkEvent[] = [];
  keepsEvents = true;
  linked = false;

  constructor(world: StreamWorld, name: string, gateways: ToyGateway[], options: ToyBoardOptions = {}) {
    const { keepaliveMs = 60_000, reportMs = 900_000, usageMs = 900_000 } = options;
    this.world = world;
    const body = machine(world, name, options.at);
    world.keys.set(hex(body.signer.publicKey), { party: 'board', id: body.id });
    this.end = { ...body, keepaliveMs, timeoutMs: 10_000 };
    this.link = world.carrier.board(this.end);
    const chance = world.chance.fork(`board ${name}`);
    const payload = options.payload ?? ((length) => chance.bytes(length));
    let at = 0;
    const dial = () => {
      const gateway = gateways[at++ % gateways.length];
      if (gateway !== undefined) this.link.dial(gateway.entry);
    };
    this.link.watch((event) => {
      if (this.keepsEvents) this.events.push(event);
      if (event.kind === 'linked') this.linked = true;
      if (event.kind !== 'unlinked') return;
      this.linked = false;
      if (gateways.length > 0) this.end.clock.after(chance.between(500, 5000), dial);
    });
    const each = (everyMs: number, call: () => void): void => {
      const tick = () => {
        call();
        this.end.clock.after(everyMs, tick);
      };
      this.end.clock.after(chance.below(everyMs), tick);
    };
    // Whoever is given no gateway dials by hand.
    if (gateways.length === 0) return;
    this.end.clock.after(chance.below(1000), dial);
    each(reportMs, () => this.link.publish('report', payload(600)));
    each(usageMs, () => this.link.publish('usage', payload(2000)));
  }

  stop(how: 'gone' | 'killed'): void {
    this.end.life.over = true;
    this.world.carrier.end(this.end.at, how);
  }
}

export const federation = (world: StreamWorld, boards: number, options: ToyBoardOptions = {}) => {
  const gateways = ['g1', 'g2', 'g3'].map((name) => new ToyGateway(world, name));
  for (const gateway of gateways) gateway.doors.peers.reach(gateways.map(({ entry }) => entry));
  const list = Array.from({ length: boards }, (_, i) => {
    const shift = i % gateways.length;
    return new ToyBoard(world, `b${i}`, [...gateways.slice(shift), ...gateways.slice(0, shift)], options);
  });
  return { gateways, boards: list };
};
