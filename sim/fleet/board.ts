/**
 * A board of the virtual world: the real agent around the real turn, over virtual hardware. Its card, its clock, its
 * battery and its radio outlive its power; its partitions outlive its runtime.
 */
import { boardCore } from '../../runtime/agent/agent.ts';
import type { Effect, Event, Of } from '../../runtime/agent/events.ts';
import { openRetelling } from '../../runtime/agent/retell.ts';
import { ONE, pairings } from '../../runtime/core/tables.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { type BoardId, fingerprint } from '../../runtime/protocol/ids.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import type { Commit } from '../../runtime/turn/store.ts';
import { startTurn, type Turn } from '../../runtime/turn/turn.ts';
import { isSeen } from '../hardware/bus.ts';
import { Card } from '../hardware/card.ts';
import { BoardClock } from '../hardware/clock.ts';
import { Thermal } from '../hardware/cpu/thermal.ts';
import { Power } from '../hardware/power.ts';
import { HARDWARE, type Hardware } from '../hardware/profiles.ts';
import { Sensor } from '../hardware/sensor.ts';
import { ARMED_FOR_MS, Watchdog } from '../hardware/watchdog.ts';
import type { BoardSpec } from '../scenario/scenario.ts';
import { entropyOf } from '../world/chance.ts';
import { machineClock } from '../world/clock.ts';
import { type Freezer, freezer } from '../world/freeze.ts';
import { bytesOf, Disk, type Fate, openStore, readOnly } from '../world/store.ts';
import { agentOf } from './agent.ts';
import { FileShelf, openVirtualFiles } from './files.ts';
import { VirtualKernel } from './kernel.ts';
import type { BoardSurroundings } from './surroundings.ts';

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
  /** The power goes in the middle of the n-th write from now on; 0: it does not. */
  cutAtWrite: { left: number; of: 'any' | 'file'; act: () => void } | null = null;
  readonly #around: BoardSurroundings;
  #turn: Turn<Event> | null = null;
  #life = 0;
  /** Of the runtime's present life. */
  #frost: Freezer | null = null;
  /** How often it was switched on. */
  boots = 0;
  #undoPower: () => void = () => {};
  #undoHeat: () => void = () => {};

  /** With `of`, from a copy of that board's card. */
  constructor(spec: BoardSpec, around: BoardSurroundings, of: VirtualBoard | null = null) {
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
    this.thermal = new Thermal(this.hardware, undefined, clock.nowMs);
    this.power = new Power(spec.power, startsMs, chance.fork('power'));
    this.sensors = spec.sensors.map((sensor) => new Sensor(sensor, chance.fork(`sensor ${sensor.name}`)));
    this.kernel = new VirtualKernel({
      ...{ clock, hardware: this.hardware, behaviourOf: around.behaviourOf },
      monoMs: () => this.hands.monoMs(clock.nowMs),
      untilMs: (monoMs) => this.hands.lastsMs(Math.max(0, monoMs - this.hands.monoMs(clock.nowMs))),
      online: () => this.online,
      sensorsTell: ({ rootPath, devices }) => around.readsOf(rootPath).every((name) => this.#tells(name, devices)),
      speedPermille: () => (this.hardware.speedPermille * this.thermal.speedPermille(clock.nowMs)) / 1000,
      loaded: (permille) => this.#load(permille),
      wrote: (bytes, overMs) => void this.card.stream(bytes, overMs),
      began: (started, data) => around.witness.began(this, started, data),
      ended: (partition, why, used) => around.witness.ended(this, partition, why, used),
    });
  }

  /** A program cannot know that a value is wrong, only that there is none; and what it was not granted it does not see. */
  #tells(name: string, devices: string[]): boolean {
    const sensor = this.sensors.find(({ spec }) => spec.name === name);
    return sensor !== undefined && isSeen(sensor.spec.bus, devices) && sensor.read(this.#around.clock.nowMs) !== null;
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
    this.thermal.power(clock.nowMs, true);
    this.#load(0);
    witness.powered(this, true);
    const boot = this.boots;
    clock.at(clock.nowMs + this.hardware.bootMs, () => {
      if (!this.on || this.boots !== boot) return;
      // The image arms it a few seconds before.
      this.watchdog?.arm(clock.nowMs, ARMED_FOR_MS);
      this.startRuntime();
    });
  }

  /** The processor stands still: all that was in memory is lost, and to everybody on a wire the board is silent. */
  #halt(): void {
    const { clock, carrier } = this.#around;
    this.on = false;
    this.#endRuntime();
    this.kernel.cut();
    this.hands.powerDown(clock.nowMs, 'cut');
    this.shelf.cut();
    carrier.end(this.at, 'gone');
    this.#around.listens(this.at, false);
  }

  #powerDown(): void {
    const { clock, chance, witness } = this.#around;
    const { nowMs } = clock;
    const was = this.on;
    if (was) this.#halt();
    this.hung = false;
    this.watchdog?.disarm();
    this.thermal.power(nowMs, false);
    this.power.setLoad(nowMs, 0);
    const lost = this.card.cut(nowMs, chance.fork(`cut ${nowMs}`));
    if (lost > 0 && this.disk.forget(lost) > 0) witness.forgot(this);
    if (was) witness.powered(this, false);
  }

  /** Its kernel stands still, and with it all else. Only its watchdog starts it again, or whoever cuts its power. */
  hang(): void {
    const { clock, witness } = this.#around;
    if (!this.on) return;
    this.#halt();
    this.hung = true;
    this.#load(0);
    witness.powered(this, false);
    const bitesMs = this.watchdog?.bitesOnceStopped(clock.nowMs) ?? null;
    const boot = this.boots;
    if (bitesMs === null) return;
    clock.at(bitesMs, () => {
      if (!this.hung || this.boots !== boot) return;
      this.hung = false;
      this.watchdog?.disarm();
      this.resets++;
      this.#powerUp();
    });
  }

  #load(permille: number): void {
    this.thermal.load(this.#around.clock.nowMs, permille);
    this.#warm();
  }

  /** The air around it; null: as usual. */
  heat(airC: number | null): void {
    this.thermal.heat(this.#around.clock.nowMs, airC);
    this.#warm();
  }

  /** What it draws, now and when it begins or ceases to be throttled. */
  #warm(): void {
    const { clock } = this.#around;
    this.#undoHeat();
    this.power.setLoad(clock.nowMs, this.thermal.watts(clock.nowMs));
    const next = this.thermal.nextChange(clock.nowMs);
    this.#undoHeat = next === null ? () => {} : clock.at(next, () => this.#warm());
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
        fate: (commit) => this.#fate(commit),
        kept: (commit) => witness.kept(this, commit),
        after: (ms, call) => void own.after(ms, call),
      },
      owner,
    );
    const later = (ms: number, call: () => void): void => void own.after(ms, call);
    const files = openVirtualFiles({
      ...{ crypto: people.keys.crypto, shelf: this.shelf, card: this.card, later },
      writes: () => this.#survivesWrite('file'),
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
    this.#load(0);
    this.feed();
  }

  /** Taken out of the world: a clone whose time is over. */
  discard(): void {
    this.#undoPower();
    this.#undoHeat();
    this.power.cut(this.#around.clock.nowMs);
    if (this.on || this.hung) this.#powerDown();
  }

  // ---- the card

  #survivesWrite(of: 'row' | 'file'): boolean {
    const cut = this.cutAtWrite;
    if (cut === null || (cut.of === 'file' && of === 'row') || --cut.left > 0) return true;
    this.cutAtWrite = null;
    // Whoever writes hears nothing any more; the power is gone before this event is over.
    this.#around.clock.soon(cut.act);
    this.#life++;
    return false;
  }

  #fate(commit: Commit): Fate {
    const bytes = bytesOf(commit);
    let grows = 0;
    for (const [key, value] of commit.writes) grows += (value?.length ?? 0) - (this.disk.get(key).value?.length ?? 0);
    const { refused, ms } = this.card.commit(this.#around.clock.nowMs, bytes, grows);
    if (refused !== null)
      return { kind: 'refused', error: new LichenError('storage-full', refused === 'worn' ? 'the card is worn out' : 'no space left') };
    // Either side of the write: before it is durable, or after and before anybody hears of it.
    if (!this.#survivesWrite('row')) return { kind: this.#around.chance.bool(500) ? 'lost' : 'unanswered' };
    return { kind: 'durable', afterMs: ms };
  }

  /** Reads what is committed. */
  read<T>(look: (rows: Draft<Effect>) => T): T {
    return look(new Draft<Effect>(readOnly(this.disk), new Map()));
  }
}
