/** One board among paper gateways, over fake doors: power, network and time are in the test's hands. */

import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { nodeSealer, openerFromSeed } from '../../runtime/adapters/hpke.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import { boardCore } from '../../runtime/agent/agent.ts';
import { type Board, type Effect, type Event, type Pace, saidBy } from '../../runtime/agent/events.ts';
import { openRetelling } from '../../runtime/agent/retell.ts';
import { homes, type Instance, instances, ONE, outbox } from '../../runtime/core/tables.ts';
import type { NeighboursEvent, NeighboursStep } from '../../runtime/ports/neighbours.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId, GatewayId } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import type { Offer, Report, Usage } from '../../runtime/protocol/nouns/board.ts';
import { type Lease, leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import { type Request, requestIdOf, requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import type { Outcome } from '../../runtime/turn/store.ts';
import type { SlotCard } from '../../sim/hardware/slots.ts';
import { keyOf } from './crypto.ts';
import { FakeEngine, FakeFiles } from './fake-doors.ts';
import { GATEWAYS, hashOf, idOf, lease, OPERATOR, operatorDoc, request, signedOperator, voucher, voucherFor } from './federation.ts';
import { MemoryDisk, openMemoryStore } from './memory-store.ts';
import { type Assigned, newShelf, PaperGateway } from './paper-gateway.ts';
import { publisherDoc, type SmallRelease, signedPublisher, smallRelease } from './small-release.ts';
import { type Driven, drive, type ManualClock, manualClock, seededEntropy } from './world.ts';

export const OPENER = openerFromSeed(new Uint8Array(32).fill(1));

export const PACE: Pace = { tickMs: 1000, meterMs: 5000, recordMs: 60_000, reportMs: 60_000, patienceMs: 10_000 };
export const BOARD = idOf<BoardId>('board 1');

const OFFER: Offer = {
  ...{ tier: 'full', arch: 'x64', memoryMib: 512, cpuMillis: 8000, partitions: 8, engine: 'fake', model: 'none' },
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: true },
};

/** What a board of these tests has of its network. */
export interface WorldLan {
  /** Its runtime has begun anew: nobody is told of what the one before shared. */
  begins?(): void;
  perform(step: NeighboursStep, clock: ManualClock, say: (event: NeighboursEvent) => void): void;
}

/** Of several boards: their common time, and what tells their names from each other. */
export interface Among {
  clock: ManualClock;
  name: string;
}

export class BoardWorld {
  readonly clock: ManualClock;
  readonly engine: FakeEngine;
  readonly files: FakeFiles;
  disk = new MemoryDisk();
  readonly gateways: PaperGateway[];
  readonly journal: string[] = [];
  readonly dialled: string[] = [];
  /** Every effect in the order of its release, as kind and detail. */
  readonly released: string[] = [];
  driven: Driven<Event, Effect>;
  /** Whom the link is up to. */
  linked: PaperGateway | null = null;
  #bootCount = 0;
  #life = 0;
  readonly #name: string;

  /** What of its system can be replaced; null: nothing. */
  slots: SlotCard | null = null;
  /** Of its runtime alone. */
  versions: SlotCard | null = null;

  /** Others on its network; null: its machine has no door to them. */
  readonly lan: WorldLan | null;

  /** The store has no room. */
  full = false;
  /** Tried so far. */
  commits = 0;
  readonly pace: Pace;
  readonly offer: Offer = { ...OFFER };

  /** Gateways share what they hold, as a federation does that has replicated. */
  constructor(
    pace: Partial<Pace> = {},
    slots: SlotCard | null = null,
    versions: SlotCard | null = null,
    lan: WorldLan | null = null,
    { clock, name }: Among = { clock: manualClock(), name: 'board' },
  ) {
    this.clock = clock;
    this.engine = new FakeEngine(clock);
    this.files = new FakeFiles(clock);
    this.#name = name;
    this.lan = lan;
    this.pace = { ...PACE, ...pace };
    this.slots = slots;
    this.versions = versions;
    if (slots !== null) this.offer.image = { board: 'generic-amd64', parts: versions === null ? ['system'] : ['system', 'runtime'] };
    const shelf = newShelf();
    this.gateways = GATEWAYS.map((name) => new PaperGateway(name, () => this.clock.now().wallMs, shelf));
    this.driven = this.#start();
  }

  #start(): Driven<Event, Effect> {
    const life = ++this.#life;
    this.lan?.begins?.();
    const board: Board = {
      ...{
        crypto: nodeCrypto,
        unpack: unpackZstd,
        sealer: nodeSealer,
        opener: OPENER,
        signer: keyOf('board 1'),
        entropy: seededEntropy(`${this.#name}/${life}`),
        id: BOARD,
      },
      ...{ bootId: `boot ${this.#bootCount}`, software: 'test', offer: this.offer, pace: this.pace, neighbours: this.lan !== null },
    };
    const { clock } = this;
    const outcome = (): Outcome | null => {
      this.commits++;
      return this.full ? { kind: 'failed', error: new LichenError('storage-full', 'as told') } : null;
    };
    const store = openMemoryStore({ disk: this.disk, outcome });
    const isNow = (): boolean => this.#life === life;
    const submit = (event: Event): void => {
      if (isNow()) this.driven.turn.submit(event);
    };
    const driven = drive<Event, Effect>({
      core: boardCore(board),
      store,
      clock,
      released: (effect) => isNow() && this.#release(effect, submit),
      failed: openRetelling({ monoMs: () => clock.now().monoMs, after: (ms, call) => clock.after(ms, call), submit }),
    });
    this.engine.listener = submit;
    driven.turn.submit({ kind: 'boot' });
    const tick = (): void => {
      if (!isNow()) return;
      driven.turn.submit({ kind: 'tick' });
      clock.after(this.pace.tickMs, tick);
    };
    clock.after(0, tick);
    return driven;
  }

  #release(effect: Effect, submit: (event: Event) => void): void {
    switch (effect.kind) {
      case 'dial':
        return this.#dial(effect.gateway.gateway, submit);
      case 'hang-up':
        this.linked = null;
        return;
      case 'publish':
        this.released.push(effect.topic);
        return this.#publish(effect.topic, effect.payload);
      case 'partition':
        this.released.push(effect.step.kind);
        return this.engine.perform(effect.step, submit);
      case 'files':
        return this.files.perform(effect.step, submit);
      case 'slots':
        return (effect.part === 'system' ? this.slots : this.versions)?.perform(effect.step, (event) => submit(saidBy(effect.part, event)));
      case 'neighbours':
        return this.lan?.perform(effect.step, this.clock, submit);
      case 'wake':
        return void this.clock.after(effect.afterMs, () => submit({ kind: 'wake' }));
      case 'journal':
        this.journal.push(effect.line);
    }
  }

  #dial(id: GatewayId, submit: (event: Event) => void): void {
    const gateway = this.gateways.find((one) => one.id === id);
    const entry = operatorDoc().gateways.find((one) => one.gateway === id)!;
    this.dialled.push(gateway?.name ?? id);
    this.linked = null;
    this.clock.after(10, () => {
      if (gateway?.up !== true) return submit({ kind: 'unlinked', gateway: entry, error: new LichenError('unavailable', 'nobody there') });
      this.linked = gateway;
      submit({ kind: 'linked', gateway: entry });
    });
  }

  #publish(topic: TopicName, payload: Bytes): void {
    const to = this.linked;
    this.clock.after(1, () => to?.hear(topic, payload, (back, bytes) => this.message(back, bytes, to)));
  }

  /** Something comes in over the link, if it is still up. */
  message(topic: TopicName, payload: Bytes, from: PaperGateway | null = this.linked): void {
    this.clock.after(1, () => {
      if (from !== null && from === this.linked) this.driven.turn.submit({ kind: 'message', topic, payload });
    });
  }

  /** The link breaks. */
  cut(): void {
    const gateway = this.linked;
    this.linked = null;
    const entry = operatorDoc().gateways.find((one) => one.gateway === gateway?.id);
    if (entry !== undefined) this.driven.submit({ kind: 'unlinked', gateway: entry, error: new LichenError('unavailable', 'cut') });
  }

  pair(): this {
    const first = operatorDoc().gateways[0]!;
    this.driven.submit({ kind: 'paired', operator: OPERATOR, first, chains: [[signedOperator().body]] });
    return this;
  }

  pass(ms: number): this {
    this.clock.pass(ms);
    return this;
  }

  /** The runtime ends and starts again; instances go on, the link is gone. `from`: what the disk held, should it have lost something. */
  restart(from: MemoryDisk = this.disk): this {
    this.disk = from;
    this.linked = null;
    this.driven = this.#start();
    return this;
  }

  /** The runtime is down for a while. */
  off(ms: number): this {
    this.#life++;
    this.linked = null;
    return this.pass(ms);
  }

  /** Power goes and comes back. */
  reboot(from: MemoryDisk = this.disk): this {
    this.#bootCount++;
    this.engine.reboot();
    return this.restart(from);
  }

  get home(): PaperGateway {
    return this.linked ?? this.gateways[0]!;
  }

  /** Reads what is committed. */
  read<T>(read: (work: Draft<Effect>) => T): T {
    return read(new Draft<Effect>(openMemoryStore({ disk: this.disk }).snapshot(), new Map()));
  }

  /** All gateways assign this from now on; the present home says so at once. */
  assign(...placements: { assigned: Assigned }[]): this {
    for (const gateway of this.gateways) {
      gateway.assigned = placements.map(({ assigned }) => assigned);
      gateway.seq++;
    }
    if (this.linked !== null) this.message('desired', this.linked.desired(BOARD, this.tenure));
    return this;
  }

  get tenure(): number {
    return this.read((work) => homes.get(work, ONE))?.tenure ?? 0;
  }

  instance(of: Lease): Instance | null {
    return this.read((work) => instances.get(work, of.lease));
  }

  /** Numbers of the records that it still holds. */
  get outbox(): number[] {
    return this.read((work) => outbox.all(work)).map(({ key }) => Number(key));
  }

  hold(...documents: [hash: Bytes, bytes: Bytes][]): void {
    this.gateways[0]!.hold(...documents);
  }

  get records(): Usage[] {
    return this.gateways[0]!.shelf.records;
  }

  /** The newest word on a lease. */
  state(of: Lease): Report['instances'][number] | null {
    const reports = this.gateways.flatMap((gateway) => gateway.reports).sort((a, b) => a.monoMs - b.monoMs);
    return reports.at(-1)?.instances.find(({ lease: id }) => id === of.lease) ?? null;
  }
}

export interface Placed {
  lease: Lease;
  release: SmallRelease;
  assigned: Assigned;
}

/** A lease of a small release with everything that stands behind it held by the gateways. */
export const placed = (
  world: BoardWorld,
  {
    lease: leaseChanges = {},
    request: requestChanges = {},
    release = smallRelease(),
  }: {
    lease?: Partial<Lease>;
    request?: Partial<Request>;
    release?: SmallRelease;
  } = {},
): Placed => {
  const doc = publisherDoc();
  const asked = request({ release: release.release, parameters: { greeting: 'moin' }, ...requestChanges });
  const of = lease({
    ...{ on: 'board 1', request: requestIdOf(nodeCrypto, asked.tenant, asked.name), name: asked.name },
    ...{ release: release.release, publisher: hashOf(publisherNoun, doc), limits: release.manifest.limits, voucher: asked.voucher },
    ...leaseChanges,
  });
  const asHash = hashOf(requestNoun, asked);
  world.hold(
    [hashOf(publisherNoun, doc), signedPublisher(doc)],
    [release.release, release.document],
    [asHash, seal(requestNoun, asked, keyOf('tenant'))],
    [voucherFor(asked.name), seal(voucherNoun, voucher({ name: asked.name }), keyOf('tenant'))],
  );
  for (const [hash, bytes] of release.content) world.home.shelf.held.set(hash, bytes);
  return { lease: of, release, assigned: { lease: seal(leaseNoun, of, keyOf('gateway a')), request: asHash } };
};
