/**
 * Tier B: the real links, brokers and peer links, and the bytes of real MQTT between them; only sockets and TLS are
 * stood in for. While it is open, the process belongs to this one run (stage.ts).
 */
import type { Front, FrontEvent, PeerEvent, Peers } from '../../gateway/service/doors.ts';
import { MqttLink } from '../../runtime/adapters/mqtt-link.ts';
import type { Link } from '../../runtime/ports/link.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { peerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { BoardEnd, Carrier, GatewayEnd, Heard, Paths } from './doors.ts';
import type { Net } from './lane.ts';
import type { FrameHeard } from './message-peers.ts';
import { enterStage, type Stage } from './stage.ts';
import { dialFrom } from './stream-dial.ts';
import { gatewayDoors } from './stream-gateway.ts';
import { GatewayLife, identityOf, Life } from './stream-life.ts';

export interface StreamOptions {
  clock: VirtualClock;
  paths: Paths;
  chance: Chance;
  heard: Heard;
  frameHeard: FrameHeard;
  /** Every piece of every stream as it departs. Two runs are the same when these are; a hash of messages misses much. */
  tap?(from: string, to: string, bytes: Uint8Array): void;
  /** What libraries take for the time of day when the run begins. */
  epochMs: number;
}

export interface StreamCarrier extends Carrier {
  /** Ends everybody and gives the process its globals back; to be awaited, after a failure too. */
  close(): Promise<void>;
}

class Streams implements StreamCarrier {
  readonly #options: StreamOptions;
  readonly #stage: Stage;
  readonly #net: Net;
  /** The newest life at each place. */
  readonly #lives = new Map<string, Life>();
  /** The newest life behind each address. */
  readonly #gateways = new Map<string, GatewayLife>();
  readonly #closing = new Map<Life, () => void>();

  constructor(options: StreamOptions) {
    this.#options = options;
    const { clock, paths, chance, epochMs, tap = () => {} } = options;
    this.#stage = enterStage({ clock, chance: chance.fork('stage'), epochMs });
    this.#net = { clock, paths, chance: chance.fork('segments'), touch: this.#stage.touch, tap };
  }

  board(end: BoardEnd): Link {
    const { heard } = this.#options;
    const { touch } = this.#stage;
    const life = this.#begin(new Life(end, (at) => this.#isOn(at)));
    // MQTT has whole seconds.
    const keepaliveS = Math.max(1, Math.min(LIMITS.keepaliveMaxS, Math.round(end.keepaliveMs / 1000)));
    const link = new MqttLink({ identity: identityOf(end), keepaliveS, timeoutMs: end.timeoutMs, dial: this.#dialOf(life) });
    let dialled = '';
    link.watch((event) => {
      if (event.kind === 'message' && life.isAlive()) heard(dialled, end.id, event.topic, event.payload);
    });
    return {
      dial: (gateway) => {
        touch();
        dialled = gateway.gateway;
        link.dial(gateway);
      },
      publish: (topic, payload) => {
        touch();
        link.publish(topic, payload);
      },
      hangUp: () => {
        touch();
        link.hangUp();
      },
      watch: (listener) =>
        link.watch((event) => {
          if (life.isAlive()) listener(event);
        }),
    };
  }

  gateway(end: GatewayEnd): { front: Front; peers: Peers } {
    const life = this.#begin(new GatewayLife(end, (at) => this.#isOn(at)));
    this.#gateways.set(end.address, life);
    const heard = (event: FrontEvent | PeerEvent) => this.#heard(end.id, event);
    const { front, peers, close } = gatewayDoors({ end, life, dial: this.#dialOf(life), heard, touch: this.#stage.touch });
    this.#closing.set(life, close);
    return { front, peers };
  }

  end(at: string, how: 'gone' | 'killed'): void {
    const life = this.#lives.get(at);
    if (life !== undefined) this.#finish(life, how);
  }

  settled(): Promise<void> | null {
    return this.#stage.settled();
  }

  async close(): Promise<void> {
    for (const life of this.#lives.values()) this.#finish(life, 'gone');
    await this.settled();
    this.#stage.leave();
  }

  #heard(at: string, event: FrontEvent | PeerEvent): void {
    const { heard, frameHeard } = this.#options;
    if (event.kind === 'peer-frame') frameHeard(event.gateway, at, event.frame, encodeAs(peerFrame, event.frame, 'peer frame').length);
    // A last will has come long ago, with CONNECT.
    else if (event.kind === 'message' && event.topic !== 'gone') heard(event.id, at, event.topic, event.payload);
  }

  #dialOf(life: Life) {
    return dialFrom(this.#net, life, (address) => this.#gateways.get(address) ?? null);
  }

  #isOn(at: string): boolean {
    return this.#lives.get(at)?.isOn ?? false;
  }

  /** One life at a time: what is left of the one before is what a process leaves that was killed. */
  #begin<L extends Life>(life: L): L {
    const former = this.#lives.get(life.at);
    if (former !== undefined && !former.isOver) this.#finish(former, 'killed');
    this.#lives.set(life.at, life);
    return life;
  }

  #finish(life: Life, how: 'gone' | 'killed'): void {
    life.end(how);
    this.#closing.get(life)?.();
    this.#closing.delete(life);
    this.#stage.touch();
  }
}

/** Enters the stage: there is one at a time in a process. */
export const streamCarrier = (options: StreamOptions): StreamCarrier => new Streams(options);
