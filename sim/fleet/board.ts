/**
 * A board of the virtual world: the real agent around the real turn, over virtual hardware. Its card, its clock, its
 * battery and its radio outlive its power; its partitions outlive its runtime.
 */
import { boardCore } from '../../runtime/agent/agent.ts';
import { type Effect, type Event, type Of, saidBy } from '../../runtime/agent/events.ts';
import { openRetelling } from '../../runtime/agent/retell.ts';
import { ONE, pairings } from '../../runtime/core/tables.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { type BoardId, fingerprint } from '../../runtime/protocol/ids.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import { startTurn, type Turn } from '../../runtime/turn/turn.ts';
import { Card } from '../hardware/card.ts';
import { BoardClock } from '../hardware/clock.ts';
import type { Thermal } from '../hardware/cpu/thermal.ts';
import { Power } from '../hardware/power.ts';
import { HARDWARE, type Hardware } from '../hardware/profiles.ts';
import { Sensor } from '../hardware/sensor.ts';
import { ARMED_FOR_MS, Watchdog } from '../hardware/watchdog.ts';
import type { SystemStart } from '../oracle/physics.ts';
import type { BoardSpec } from '../scenario/scenario.ts';
import { entropyOf } from '../world/chance.ts';
import { machineClock } from '../world/clock.ts';
import { type Freezer, freezer } from '../world/freeze.ts';
import { Disk, openStore, readOnly } from '../world/store.ts';
import { agentOf } from './agent.ts';
import { FileShelf, openVirtualFiles } from './files.ts';
import { VirtualKernel } from './kernel.ts';
import { Senses } from './senses.ts';
import { BoardSlots } from './slots.ts';
import type { BoardSurroundings } from './surroundings.ts';
import { Warmth } from './warmth.ts';
import { Writes } from './writes.ts';

/** A kernel that gives up starts the machine again so much later: `panic=10` on its command line. */
const PANIC_MS = 10_000;
/** Before a system that hangs can have shown that it works. */
const HANGS_AFTER_MS = 5000;

export class VirtualBoard {
  readonly spec: BoardSpec;
  readonly hardware: Hardware;
  readonly id: BoardId;
  readonly at: string;
  readonly signer: Signer;
  readonly disk: Disk;
  readonly shelf: FileShelf;
  readonly card: Card;
  readonly hands: BoardClock;
  readonly thermal: Thermal;
  power: Power;
  readonly kernel: VirtualKernel;
  /** Null: its system stays as it is. */
  readonly slots: BoardSlots | null;
  readonly sensors: Sensor[];
  /** Has power, and its processor goes. */
  on = false;
  /** Has power, and does nothing any more. */
  hung = false;
  /** Null: it has none. */
  readonly watchdog: Watchdog | null;
  /** How often that started it again. */
  resets = 0;
  /** The runtime runs. */
  up = false;
  /** The gateway that welcomed it in the session that is open; null: none is. */
  #linkedTo: string | null = null;
  /** Times that another gateway welcomed it than the one before. */
  rehomes = 0;
  /** Its programs reach the network. */
  online = true;
  #lastHome: string | null = null;
  #wasPaired = false;
  readonly writes: Writes;
  readonly #around: BoardSurroundings<VirtualBoard>;
  #turn: Turn<Event> | null = null;
  #life = 0;
  /** Of the runtime's present life. */
  #frost: Freezer | null = null;
  /** How often it was switched on. */
  boots = 0;
  #undoPower: () => void = () => {};
  /** Lets its network pass again. */
  #unhush: () => void = () => {};
  readonly warmth: Warmth;

  /** With `of`, from a copy of that board's card. */
  constructor(spec: BoardSpec, around: BoardSurroundings<VirtualBoard>, of: VirtualBoard | null = null) {
    const { chance, clock, startsMs, people } = around;
    this.spec = spec;
    this.#around = around;
    this.hardware = HARDWARE[spec.profile];
    this.watchdog = spec.watchdog ? new Watchdog(this.hardware.watchdogMs) : null;
    this.signer = people.signerOf(`board ${spec.name}`);
    this.id = fingerprint<BoardId>(people.keys.crypto, this.signer.publicKey);
    this.at = of === null ? this.id : `${this.id} clone`;
    this.disk = of?.disk.copy() ?? new Disk();
    this.shelf = of?.shelf.copy() ?? new FileShelf(people.keys.crypto.sha256);
    this.card = of?.card.clone(() => around.witness.wornOut(this)) ?? new Card(spec.card, () => around.witness.wornOut(this));
    this.hands = new BoardClock(spec.clock, startsMs, startsMs, clock.nowMs);
    this.warmth = new Warmth(clock, this.hardware, () => this.power);
    this.thermal = this.warmth.thermal;
    this.power = new Power(spec.power, startsMs, chance.fork('power'));
    this.writes = new Writes({ ...{ clock, chance, card: this.card, disk: this.disk }, ends: () => void this.#life++ });
    const { systems, witness } = around;
    const slots = { clock, crypto: people.keys.crypto, chance: chance.fork('slots'), systems, image: this.hardware.image };
    const tells = {
      startsAnew: () => this.#startAnew(),
      started: (start: SystemStart) => witness.started(this, start),
      told: (what: 'armed' | 'kept' | 'left') => witness.slot(this, what),
    };
    this.slots = spec.updates === null ? null : new BoardSlots({ ...slots, ...tells }, of?.slots ?? null);
    this.sensors = spec.sensors.map((sensor) => new Sensor(sensor, chance.fork(`sensor ${sensor.name}`)));
    const senses = new Senses(spec.name, this.sensors, () => clock.nowMs);
    this.kernel = new VirtualKernel({
      ...{ clock, hardware: this.hardware, behaviourOf: around.behaviourOf },
      monoMs: () => this.hands.monoMs(clock.nowMs),
      untilMs: (monoMs) => this.hands.lastsMs(Math.max(0, monoMs - this.hands.monoMs(clock.nowMs))),
      online: () => this.online,
      fair: (inside, ranMs) => senses.fair(around.readsOf(inside.rootPath), inside, ranMs),
      number: (inside, probe) => senses.number(around.readsOf(inside.rootPath), inside, probe),
      speedPermille: () => (this.hardware.speedPermille * this.thermal.speedPermille(clock.nowMs)) / 1000,
      loaded: (permille) => this.warmth.load(permille),
      wrote: (bytes, overMs) => void this.card.stream(bytes, overMs),
      began: (started, data) => around.witness.began(this, started, data),
      ended: (partition, why, used) => around.witness.ended(this, partition, why, used),
    });
  }

  get linkedTo(): string | null {
    return this.#linkedTo;
  }

  #link(gateway: string | null): void {
    if (gateway === this.#linkedTo) return;
    this.#linkedTo = gateway;
    this.#around.witness.home(this, gateway);
    this.#around.linked(this.at);
  }

  // ---- power

  /** Looks whether there is power, now and whenever that may change. */
  feed(): void {
    const { nowMs, at } = { nowMs: this.#around.clock.nowMs, at: this.#around.clock.at };
    this.#undoPower();
    const has = this.power.on(nowMs);
    if (has && !this.on && !this.hung) this.#powerUp();
    else if (!has && (this.on || this.hung)) this.#powerDown();
    const next = this.power.nextChange(nowMs);
    this.#undoPower = next === null ? () => {} : at(Math.max(next, nowMs + 1), () => this.feed());
  }

  #powerUp(): void {
    const { clock, witness } = this.#around;
    this.on = true;
    this.boots++;
    this.hands.powerUp(clock.nowMs);
    this.warmth.power(true);
    witness.powered(this, true);
    const ill = this.slots?.start() ?? null;
    this.#unhush();
    this.#unhush = ill === 'no-home' ? this.#around.hush(this.at) : () => {};
    const boot = this.boots;
    const later = (ms: number, call: () => void): void =>
      void clock.at(clock.nowMs + ms, () => {
        if (this.on && this.boots === boot) call();
      });
    later(this.hardware.bootMs, () => {
      if (ill === 'no-boot') return this.#stand(clock.nowMs + PANIC_MS, () => {});
      // The image arms it a few seconds before.
      this.watchdog?.arm(clock.nowMs, ARMED_FOR_MS);
      this.startRuntime();
      if (ill === 'hang') later(HANGS_AFTER_MS, () => this.hang());
    });
  }

  /** Its runtime has asked for it, and all instances have ended. */
  #startAnew(): void {
    if (!this.on) return;
    this.hands.powerDown(this.#around.clock.nowMs, 'clean');
    this.slots?.halt(true);
    this.#halt();
    this.#around.witness.powered(this, false);
    this.#powerUp();
  }

  /** The processor stands still: all that was in memory is lost, and to everybody on a wire the board is silent. */
  #halt(): void {
    const { clock, carrier } = this.#around;
    this.on = false;
    this.watchdog?.disarm();
    this.#endRuntime();
    this.kernel.cut();
    this.hands.powerDown(clock.nowMs, 'cut');
    this.shelf.cut();
    this.slots?.halt(false);
    carrier.end(this.at, 'gone');
    this.#around.listens(this.at, false);
  }

  #powerDown(): void {
    const { clock, chance, witness } = this.#around;
    const { nowMs } = clock;
    const was = this.on;
    if (was) this.#halt();
    this.hung = false;
    this.warmth.power(false);
    const lost = this.card.cut(nowMs, chance.fork(`cut ${nowMs}`));
    if (lost > 0 && this.disk.forget(lost) > 0) witness.forgot(this);
    if (was) witness.powered(this, false);
  }

  /** Its kernel stands still, and with it all else. Only its watchdog starts it again, or whoever cuts its power. */
  hang(): void {
    if (this.on) this.#stand(this.watchdog?.bitesOnceStopped(this.#around.clock.nowMs) ?? null, () => this.resets++);
  }

  /** Until this moment, unless its power goes before; null: for good. */
  #stand(untilMs: number | null, over: () => void): void {
    const { clock, witness } = this.#around;
    this.#halt();
    this.hung = true;
    this.warmth.load(0);
    witness.powered(this, false);
    const boot = this.boots;
    if (untilMs === null) return;
    clock.at(untilMs, () => {
      if (!this.hung || this.boots !== boot) return;
      this.hung = false;
      over();
      this.#powerUp();
    });
  }

  // ---- the runtime

  startRuntime(): void {
    const { clock, chance, people, carrier, pace, witness } = this.#around;
    const life = ++this.#life;
    const owner = `board ${this.id} ${life}`;
    const alive = (): boolean => this.#life === life;
    const hands = (atMs: number) => ({ wallMs: this.hands.wallMs(atMs), monoMs: this.hands.monoMs(atMs) });
    const frost = freezer(alive);
    const own = machineClock(clock, hands, frost.does);
    this.#frost = frost;
    const entropy = entropyOf(chance.fork(`life ${life}`));
    const submit = (event: Event): void => {
      if (alive()) turn.submit(event);
    };
    const store = openStore(
      this.disk,
      {
        fate: (commit) => this.writes.fate(commit),
        kept: (commit) => witness.kept(this, commit),
        after: (ms, call) => void own.after(ms, call),
      },
      owner,
    );
    const later = (ms: number, call: () => void): void => void own.after(ms, call);
    const files = openVirtualFiles({
      ...{ crypto: people.keys.crypto, shelf: this.shelf, card: this.card, later },
      writes: () => this.writes.survives('file'),
      placed: (hash) => witness.placed(this, hash),
    });
    const neighbours = this.#around.neighbours(this, { alive, later });
    const partitions = this.kernel.attach(alive);
    const link = carrier.board({
      ...{ id: this.id, at: this.at, signer: this.signer, clock: own, entropy, alive },
      ...{ keepaliveMs: pace.keepaliveMs, timeoutMs: pace.boardPatienceMs },
    });
    const board = agentOf(this, {
      ...{ crypto: people.keys.crypto, entropy, enforcement: partitions.enforcement, pace, neighbours: neighbours !== null },
    });
    let dialled = '';
    const release = (effect: Effect): void => {
      switch (effect.kind) {
        case 'dial':
          dialled = effect.gateway.gateway;
          this.#link(null);
          return link.dial(effect.gateway, effect.patienceMs);
        case 'hang-up':
          this.#link(null);
          return link.hangUp();
        case 'publish':
          return link.publish(effect.topic, effect.payload);
        case 'partition':
          return partitions.perform(effect.step, submit);
        case 'slots':
          return this.slots?.perform(effect.step, (event) => later(0, () => submit(saidBy(effect.part, event))));
        case 'files':
          return files.perform(effect.step, submit);
        case 'neighbours':
          return neighbours?.perform(effect.step);
        case 'wake':
          return later(effect.afterMs, () => submit({ kind: 'wake' }));
        case 'journal':
          return witness.noted(this, effect.line);
      }
    };
    const retell = openRetelling({ monoMs: () => own.now().monoMs, after: later, submit });
    const turn = startTurn<Event, Effect>({
      ...{ store, clock: own, core: boardCore(board), release, owner, batch: 256, conflictsMax: 3 },
      failed: (error, events) => {
        witness.noted(this, `store: ${error.message}`);
        retell(events);
      },
      defect: (thrown) => {
        throw thrown;
      },
    });
    this.#turn = turn;
    this.up = true;
    this.#around.listens(this.at, true);
    witness.runtime(this, true);
    partitions.watch(submit);
    neighbours?.watch(submit);
    link.watch((event) => {
      if (event.kind === 'unlinked') this.#link(null);
      if (event.kind === 'message' && event.topic === 'now') this.#welcomed(dialled);
      submit(event);
    });
    submit({ kind: 'boot' });
    if (this.#wasPaired && this.read((rows) => pairings.get(rows, ONE)) === null) this.#around.unpaired();
    const tick = (): void => {
      submit({ kind: 'tick' });
      own.after(pace.tickMs, tick);
    };
    own.after(chance.fork(`tick ${life}`).below(pace.tickMs), tick);
  }

  #welcomed(by: string): void {
    if (this.#lastHome !== null && this.#lastHome !== by) this.rehomes++;
    this.#lastHome = by;
    this.#link(by);
  }

  /** It does nothing until what is returned is called, or until it is killed. */
  hangRuntime(): () => void {
    return this.#frost?.freeze((goesOn) => this.#around.witness.hung(this, !goesOn)) ?? (() => {});
  }

  #endRuntime(): void {
    this.#life++;
    this.#link(null);
    if (!this.up) return;
    this.up = false;
    this.#turn = null;
    this.#around.witness.runtime(this, false);
  }

  /** The runtime is killed and started again by the init; instances go on. */
  crashRuntime(afterMs: number): void {
    if (!this.up) return;
    this.#endRuntime();
    this.#around.carrier.end(this.at, 'killed');
    const boot = this.boots;
    const { clock } = this.#around;
    clock.at(clock.nowMs + afterMs, () => {
      if (this.on && !this.up && this.boots === boot) this.startRuntime();
    });
  }

  /** The answer to a claim, as the pairing adapter gives it. */
  paired(event: Omit<Of<'paired'>, 'kind'>): void {
    this.#wasPaired = true;
    this.#turn?.submit({ kind: 'paired', ...event });
  }

  /** Somebody connects it to the mains, whatever fed it before. */
  plugIn(): void {
    const { startsMs, chance } = this.#around;
    if (this.hung) this.#powerDown();
    this.power = new Power({ kind: 'mains' }, startsMs, chance.fork('mains'));
    this.warmth.load(0);
    this.feed();
  }

  /** Taken out of the world: a clone whose time is over. */
  discard(): void {
    this.#unhush();
    this.#undoPower();
    this.warmth.end();
    this.power.cut(this.#around.clock.nowMs);
    if (this.on || this.hung) this.#powerDown();
  }

  /** Reads what is committed. */
  read<T>(look: (rows: Draft<Effect>) => T): T {
    return look(new Draft<Effect>(readOnly(this.disk), new Map()));
  }
}
