/** A federation of virtual boards and gateways with the people around it, put together from a scenario and a seed. */

import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { parseClaim } from '../../runtime/protocol/claim.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { seal, unseal } from '../../runtime/protocol/noun.ts';
import { pairingNoun } from '../../runtime/protocol/nouns/board.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import { grantOf, kindsOf } from '../hardware/bus.ts';
import type { Hardware } from '../hardware/profiles.ts';
import { Radio } from '../hardware/radio.ts';
import type { Carrier, Heard } from '../net/doors.ts';
import { Lans } from '../net/lan.ts';
import type { FrameHeard } from '../net/message-peers.ts';
import { openRoads, type Roads } from '../net/paths.ts';
import type { Behaviour, BoardSpec, ReadSpec, Scenario, WorkloadSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { Keys } from '../world/crypto.ts';
import { VirtualBoard } from './board.ts';
import { admit, Errands, push, pushRelease, type Step } from './errands.ts';
import { VirtualGateway } from './gateway.ts';
import { People } from './people.ts';
import { Reach } from './reach.ts';
import { buildRelease, type Publishing, type Release } from './releases.ts';
import type { BoardSurroundings } from './surroundings.ts';
import { type SystemIll, Systems } from './systems.ts';
import { Troubles } from './troubles.ts';
import type { Witness } from './witness.ts';

/** A workload as its tenant wants it now. */
export interface Wish {
  spec: WorkloadSpec;
  release: Release;
  /** The last that did well before it. */
  good: Release | null;
  sequence: number;
  state: 'started' | 'stopped' | 'destroyed' | 'unasked';
}

export interface FleetOptions {
  scenario: Scenario;
  seed: number;
  keys: Keys;
  clock: VirtualClock;
  chance: Chance;
  witness: Witness;
  carrier(paths: Roads, heard: Heard, frameHeard: FrameHeard): Carrier;
}

/** A program whose files rotted does not get far. */
const ROTTEN = { how: 'crash', afterMs: 10 } as const;
const PAIR_RETRY_MS = 10_000;

export class Fleet {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly chance: Chance;
  readonly roads: Roads;
  readonly carrier: Carrier;
  readonly people: People;
  readonly gateways: VirtualGateway[];
  readonly boards: VirtualBoard[] = [];
  readonly wishes = new Map<string, Wish>();
  readonly errands: Errands;
  readonly troubles: Troubles;
  readonly lans: Lans;
  readonly systems: Systems;
  readonly #witness: Witness;
  readonly #reach: Reach;
  /** Release → whose it is. */
  readonly #releases = new Map<string, { workload: string; release: Release }>();
  /** Pages and chunks of all releases. */
  readonly #pieces = new Map<string, Bytes>();
  readonly #byPlace = new Map<string, VirtualBoard>();
  /** By a board's name and a group's, each in the order in which they came. */
  readonly #named = new Map<string, VirtualBoard[]>();

  constructor(options: FleetOptions) {
    const { scenario, seed, keys, clock, chance, witness } = options;
    this.scenario = scenario;
    this.clock = clock;
    this.chance = chance;
    this.#witness = witness;
    this.roads = openRoads({ now: () => clock.nowMs, chance: chance.fork('roads'), backbone: scenario.backbone });
    this.troubles = new Troubles(this.roads);
    this.lans = new Lans(witness.passed);
    this.people = new People(keys, `seed ${seed}`, scenario.gateways, (document) => witness.signed(document));
    this.systems = new Systems(this.#publishing);
    this.carrier = options.carrier(this.roads, witness.heard, witness.frameHeard);
    this.gateways = scenario.gateways.map((spec) => this.#gateway(spec));
    this.errands = new Errands(clock, this.gateways, (error) => witness.refused(error));
    this.#reach = new Reach({
      roads: this.roads,
      witness,
      gateways: this.gateways,
      boards: this.boards,
      boardAt: (at) => this.boardAt(at),
      patienceMs: scenario.pace.boardPatienceMs,
    });
    this.roads.watch((at) => this.#reach.look(at));
  }

  #gateway(spec: Scenario['gateways'][number]): VirtualGateway {
    const { clock, people, carrier, scenario } = this;
    const gateway = new VirtualGateway(spec, {
      ...{ clock, people, carrier, pace: scenario.pace, startsMs: scenario.startsMs, chance: this.chance.fork(`gateway ${spec.name}`) },
      listens: (id, listens) => {
        this.roads.listen(id, listens);
        this.#witness.gateway(id, listens);
        this.#reach.all();
      },
      kept: (id, commit) => this.#witness.keptAtGateway(id, commit),
      noted: (id, line) => this.#witness.noted(id, line),
      gateways: () => this.gateways,
    });
    this.roads.add(gateway.id, 'gateway', null, null);
    return gateway;
  }

  /** Under which programs see these sensors, wherever there is one of that name. */
  #grantsOf(reads: ReadSpec[]): string[] {
    if (reads.length === 0) return [];
    const buses = this.scenario.boards.flatMap(({ sensors }) =>
      sensors.filter(({ name }) => reads.some(({ sensor }) => sensor === name)).map(({ bus }) => bus),
    );
    return [...new Set(buses.flatMap((bus) => grantOf(bus) ?? []))];
  }

  // ---- boards

  addBoard(spec: BoardSpec, of: VirtualBoard | null = null): VirtualBoard {
    const { clock, people, carrier, scenario, roads } = this;
    const around: BoardSurroundings<VirtualBoard> = {
      ...{ clock, people, carrier, pace: scenario.pace, startsMs: scenario.startsMs, witness: this.#witness, systems: this.systems },
      chance: this.chance.fork(of === null ? `board ${spec.name}` : `clone of ${spec.name} at ${clock.nowMs}`),
      behaviourOf: (rootPath) => this.#behaviourOn(board, rootPath),
      readsOf: (rootPath) => this.#ownerOf(rootPath)?.spec.reads ?? [],
      linked: (at) => this.#reach.look(at),
      unpaired: () => this.#claim(board),
      listens: (at, listens) => roads.listen(at, listens),
      hush: (at) => this.troubles.begin(at, { deaf: true, mute: true }),
      neighbours: ({ at, spec: { lan }, shelf, slots }, life) => {
        const read = (piece: NeighbourPiece): Bytes | null =>
          (shelf.holds(piece) ? this.#pieces.get(hex(piece.chunk[0])) : slots?.piece(piece)) ?? null;
        return lan === null ? null : this.lans.attach({ at, lan, nowMs: () => clock.nowMs, ...life, read });
      },
    };
    const board: VirtualBoard = new VirtualBoard(spec, around, of);
    const { up, down } = this.#linkOf(spec);
    roads.add(board.at, 'board', up, down);
    this.#byPlace.set(board.at, board);
    for (const boards of this.#listsOf(spec)) boards.push(board);
    if (of === null) this.#witness.built(board);
    return board;
  }

  readonly #uplinks = new Map<string, { up: Radio; down: Radio }>();

  /** Boards of one lan have one link together. */
  #linkOf({ lan, link }: BoardSpec): { up: Radio; down: Radio } {
    const own = (lan === null ? undefined : this.#uplinks.get(lan)) ?? { up: new Radio(link), down: new Radio(link) };
    if (lan !== null) this.#uplinks.set(lan, own);
    return own;
  }

  removeBoard(board: VirtualBoard): void {
    board.discard();
    for (const boards of this.#listsOf(board.spec)) boards.splice(boards.indexOf(board), 1);
    this.#byPlace.delete(board.at);
  }

  /** Its owner switches it on, makes a claim at a gateway, and brings it there. */
  join(spec: BoardSpec, first: number): void {
    const board = this.addBoard(spec);
    this.#reach.look(board.at);
    board.feed();
    const words = [this.people.bind(board.id, spec.capacity.partitions, kindsOf(board.hardware))];
    if (!spec.neighbours || spec.updates !== null) words.unshift(this.people.upkeep(board.id, spec));
    this.#claim(board, first);
    // The binding names a board that a gateway knows already.
    const bindLater = (): void => {
      if (board.linkedTo === null) this.clock.at(this.clock.nowMs + PAIR_RETRY_MS, bindLater);
      else this.errands.run(() => words.map(push), undefined, first);
    };
    bindLater();
  }

  /** Its owner makes a claim and puts it on the card; also when the card has forgotten that it was paired. */
  #claim(board: VirtualBoard, first = 0): void {
    const claim: Step = {
      call: 'claim',
      body: { owner: this.people.owner },
      next: (answer, gateway) => {
        const line =
          'json' in answer && typeof answer.json === 'object' && answer.json !== null && 'claim' in answer.json
            ? String(answer.json.claim)
            : '';
        this.#pair(board, gateway, line);
        return [];
      },
    };
    this.errands.run(() => [claim], undefined, first);
  }

  /** As the pairing adapter does: over the claim's own gateway, again and again until it answers. */
  #pair(board: VirtualBoard, gateway: VirtualGateway, line: string): void {
    const { keys } = this.people;
    const claim = parseClaim(line);
    const entry = { gateway: claim.gateway, key: claim.key, name: gateway.spec.name, region: gateway.spec.region, address: claim.address };
    const again = (): void => void this.clock.at(this.clock.nowMs + PAIR_RETRY_MS, () => this.#pair(board, gateway, line));
    if (gateway.dead) return this.#claim(board);
    if (!board.up || !gateway.running || !this.roads.opens(board.at, gateway.id) || this.roads.swallows(board.at, gateway.id))
      return again();
    const exporter = keys.crypto.sha256(board.signer.publicKey);
    const shown = seal(pairingNoun, { v: 1, board: board.id, token: claim.token, exporter }, board.signer);
    const event = { key: board.signer.publicKey, exporter, pairing: unseal(keys.crypto, pairingNoun, shown) };
    gateway.pair(event, (answer) => {
      if (answer instanceof LichenError || !('json' in answer)) {
        this.#witness.refused(answer instanceof LichenError ? answer : null);
        // It lost its disk, and with it what it had claimed.
        if (answer instanceof LichenError && answer.code === 'claim-unknown') this.#claim(board);
        return;
      }
      board.paired({ operator: this.people.operator, first: entry, chains: [[this.people.operatorDocument]] });
      // A card that lost it again would have to be paired again.
      this.clock.at(this.clock.nowMs + PAIR_RETRY_MS, () => {
        if (board.linkedTo === null && board.rehomes === 0) again();
      });
    });
  }

  boardAt(at: string): VirtualBoard | undefined {
    return this.#byPlace.get(at);
  }

  /** By a board's, a group's or a workload's name; empty: all. */
  boardsNamed(name: string): VirtualBoard[] {
    return name === '' ? this.boards : (this.#named.get(name) ?? []);
  }

  /** In which a board stands. */
  #listsOf({ name, group }: BoardSpec): VirtualBoard[][] {
    const lists = [...new Set([name, group])].map((named) => {
      const list = this.#named.get(named) ?? [];
      this.#named.set(named, list);
      return list;
    });
    return [this.boards, ...lists];
  }

  gatewayNamed(name: string): VirtualGateway {
    const found = this.gateways.find(({ spec }) => spec.name === name);
    if (found === undefined) throw new LichenError('internal', `no gateway ${name}`);
    return found;
  }

  // ---- workloads

  /** Everybody is admitted, and the publisher is known. */
  found(): void {
    const { people } = this;
    const admissions = (): Step[] => [
      ...(['tenant', 'owner', 'publisher'] as const).map((role) => {
        const key = role === 'publisher' ? people.publisherKey : people.signerOf(role);
        return admit(role, key.publicKey, role);
      }),
      push(people.publisherDocument),
    ];
    this.errands.run(admissions);
  }

  wish(spec: WorkloadSpec): void {
    const release = this.#build(spec, 1, spec);
    const wish: Wish = { spec, release, good: null, sequence: 1, state: 'unasked' };
    this.wishes.set(spec.name, wish);
    this.clock.at(spec.asksMs, () => this.ask(spec.name, 'started'));
  }

  /** The tenant signs its wish anew, and pushes all that stands behind it. */
  ask(name: string, state: 'started' | 'stopped' | 'destroyed', done: () => void = () => {}): void {
    const wish = this.wishes.get(name);
    if (wish === undefined || wish.state === 'destroyed') return done();
    wish.state = state;
    const voucher = this.people.voucher(wish.spec);
    const request = this.people.request(wish.spec, wish.release, wish.good, state);
    const { document, content, manifest } = wish.release;
    const shares = state === 'destroyed' ? [] : this.people.shares(wish.spec, manifest);
    const steps = (): Step[] => [push(this.people.publisherDocument), pushRelease(document, content), push(voucher), push(request)];
    this.errands.run(() => [...steps(), ...shares.map(push)], done);
  }

  /** A newer release that behaves like this. */
  upgrade(name: string, behaviour: Behaviour, done: () => void = () => {}): void {
    const wish = this.wishes.get(name);
    if (wish === undefined || wish.state === 'destroyed') return done();
    wish.sequence++;
    if (wish.release.behaviour.fails === null) wish.good = wish.release;
    wish.release = this.#build(wish.spec, wish.sequence, behaviour);
    this.ask(name, 'started', done);
  }

  #build(spec: WorkloadSpec, sequence: number, behaviour: Behaviour): Release {
    const { uses, greenAfterMs, hooks, fails } = behaviour;
    const release = buildRelease(this.#publishing, spec, sequence, { uses, greenAfterMs, hooks, fails }, this.#grantsOf(spec.reads));
    this.people.publish(release);
    this.#witness.published(release.content.keys());
    for (const [hash, bytes] of release.content) this.#pieces.set(hash, bytes);
    this.#releases.set(hex(release.hash), { workload: spec.name, release });
    return release;
  }

  get #publishing(): Publishing {
    const { keys, publisher, publisherKey } = this.people;
    return { crypto: keys.crypto, publisher, key: publisherKey, chance: this.chance };
  }

  /** A newer system for boards of this kind. */
  bringSystem(kind: Hardware, ill: SystemIll | null, done: () => void): void {
    const { document, content } = this.systems.bring(kind, ill);
    this.people.publish({ document });
    this.#witness.published(content.keys());
    this.errands.run(() => [push(this.people.publisherDocument), pushRelease(document, content)], done);
  }

  /** Whose release lies under this root. */
  workloadOf(rootPath: string): string {
    return this.#releases.get(rootPath.slice('/roots/'.length))?.workload ?? '';
  }

  sequenceOf(rootPath: string): number {
    return this.#releases.get(rootPath.slice('/roots/'.length))?.release.manifest.sequence ?? 0;
  }

  contentOf(rootPath: string): Bytes {
    return this.#releases.get(rootPath.slice('/roots/'.length))?.release.hash ?? new Uint8Array(32);
  }

  #ownerOf(rootPath: string): Wish | undefined {
    return this.wishes.get(this.workloadOf(rootPath));
  }

  #behaviourOn(board: VirtualBoard, rootPath: string): Behaviour | null {
    const release = rootPath.slice('/roots/'.length);
    const behaviour = this.#releases.get(release)?.release.behaviour;
    const files = board.shelf.roots.get(release);
    if (behaviour === undefined || files === undefined) return null;
    const isRotten = files.some((name) => board.shelf.sealed.get(name)?.isRotten === true);
    return isRotten ? { ...behaviour, fails: ROTTEN } : behaviour;
  }

  /** Everything starts: gateways at once, boards when they join, wishes when they are asked for. */
  begin(): void {
    for (const gateway of this.gateways) gateway.start();
    this.found();
    this.scenario.boards.forEach((spec, i) => void this.clock.at(spec.joinsMs, () => this.join(spec, i)));
    for (const workload of this.scenario.workloads) this.wish(workload);
  }
}
