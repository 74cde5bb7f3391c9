/**
 * One run: a scenario and a seed in, a report out. First everything happens as the scenario says; then the world is
 * healed, every wish is withdrawn and the period closed, so that the judge can hold the bill against what was used.
 */

import { vectorOf } from '../gateway/core/log.ts';
import { outbox } from '../runtime/core/tables.ts';
import { type Bytes, equal } from '../runtime/protocol/bytes.ts';
import { LichenError } from '../runtime/protocol/errors.ts';
import { askStatements, billedBy } from './fleet/bills.ts';
import { Expectations } from './fleet/expect.ts';
import { Fleet } from './fleet/fleet.ts';
import type { VirtualGateway } from './fleet/gateway.ts';
import { Greens } from './fleet/greens.ts';
import type { Confession } from './fleet/incident.ts';
import { befall } from './fleet/incidents.ts';
import { Lanes } from './fleet/lanes.ts';
import type { View } from './fleet/observe.ts';
import { Witness } from './fleet/witness.ts';
import { messageCarrier } from './net/messages.ts';
import { type StreamCarrier, streamCarrier } from './net/streams.ts';
import { rehomeWithin } from './oracle/bounds.ts';
import { createJudge } from './oracle/judge.ts';
import type { Judge } from './oracle/physics.ts';
import type { RunReport } from './report/report.ts';
import { incidentsWith, runChance } from './scenario/draw.ts';
import { LOST_COMMITS_MOST } from './scenario/faults.ts';
import type { Incident, Scenario } from './scenario/scenario.ts';
import { type VirtualClock, virtualClock } from './world/clock.ts';
import { standInKeys } from './world/crypto.ts';
import { startTrace } from './world/trace.ts';
import { realKeys } from './world/verified.ts';

export interface RunOptions {
  seed: number;
  tier: 'a' | 'b';
  /** Incidents by their number; null: all. */
  only: number[] | null;
  crypto: 'stand-in' | 'ed25519';
  /** Whether to draw lanes for the timeline. */
  lanes: boolean;
  path: string;
  /** Seconds by a clock of the machine, for how long it took. */
  seconds(): number;
}

/** How often expectations are looked at, and whether the world has come to rest in the end. */
const LOOK_MS = 30_000;
const REST_LOOK_MS = 10_000;
/** So long the healed world may take to come to rest: the longest back-off, a few times over. */
const HEAL_MOST_MS = 3_600_000;
const HOUR_MS = 3_600_000;
/** For what the last commits say to reach everybody. */
const LAST_WORDS_MS = 60_000;
/** Longer than a gateway keeps its ledger for the next question. */
const ASK_EVERY_MS = 75_000;
const ASKED_MOST = 3;

/** What is equal is held once. */
const sameAs = (bytes: Bytes, first: Bytes | undefined): Bytes => (first !== undefined && equal(bytes, first) ? first : bytes);

class Run {
  readonly clock: VirtualClock = virtualClock();
  readonly trace = startTrace();
  readonly judge: Judge;
  readonly fleet: Fleet;
  readonly witness: Witness;
  readonly lanes: Lanes | null;
  readonly view: View;
  readonly expectations: Expectations;
  readonly incidents: Incident[];
  /** By kind, how many hit nothing. */
  readonly missed = new Map<string, number>();
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #ends = new Set<() => void>();
  /** Gateways that lost their disks or were told another history. */
  readonly #doubted = new Set<string>();
  /** Tier B's; null in tier A. */
  #streams: StreamCarrier | null = null;

  constructor(scenario: Scenario, options: RunOptions) {
    const { clock, trace } = this;
    const keys = options.crypto === 'stand-in' ? standInKeys() : realKeys();
    const chance = runChance(scenario, options.seed);
    this.#scenario = scenario;
    this.#options = options;
    this.incidents = incidentsWith(scenario, options.seed);
    const { recordMs, meterMs, boardPatienceMs } = scenario.pace;
    const limits = { recordMs, meterMs, rehomeMs: rehomeWithin(boardPatienceMs), startsMs: scenario.startsMs };
    this.judge = createJudge({ crypto: keys.crypto, limits });
    this.lanes = options.lanes ? new Lanes(() => clock.nowMs) : null;
    this.witness = new Witness(clock, this.judge, trace, this.lanes);
    const { witness } = this;
    this.fleet = new Fleet({
      ...{ scenario, seed: options.seed, keys, clock, chance, witness },
      carrier: (paths, heard, frameHeard) => {
        const doors = { clock, paths, heard, frameHeard, chance: chance.fork('carrier') };
        if (options.tier === 'a') return messageCarrier(doors);
        const tap = (from: string, to: string, bytes: Bytes): void => trace.note(`${clock.nowMs} ${from} ${to}`, bytes);
        this.#streams = streamCarrier({ ...doors, epochMs: scenario.startsMs, tap });
        return this.#streams;
      },
    });
    witness.names = this.fleet;
    const { seen } = witness;
    const greens = new Greens(keys.crypto, seen);
    this.view = { fleet: this.fleet, seen, tally: this.judge.tally, greens, faults: new Map(), billed: [] };
    this.expectations = new Expectations(scenario.expect);
    if (scenario.expect.some(({ see }) => see === 'green')) witness.ears = greens;
  }

  /** Streams have the machine's timers for themselves while they are open. */
  async close(): Promise<void> {
    await this.#streams?.close();
  }

  async go(): Promise<RunReport> {
    const { clock, fleet } = this;
    const { lastsMs } = this.#scenario;
    const beganS = this.#options.seconds();
    for (const { id, spec } of fleet.gateways) this.lanes?.add(id, spec.name, 'gateway');
    fleet.begin();
    this.#schedule();
    await this.#until(lastsMs);
    this.#heal();
    await this.#rest(() => this.#isCalm());
    for (const name of fleet.wishes.keys()) fleet.ask(name, 'destroyed');
    await this.#rest(() => this.#isEmpty());
    const statements = await this.#settle();
    for (const board of fleet.boards) {
      const left = board.read((rows) => outbox.all(rows)).map(({ key }) => Number(key));
      if (board.at === board.id) this.judge.left(clock.nowMs, board.id, left);
    }
    this.judge.settled(clock.nowMs, statements);
    this.view.billed = billedBy([...statements.values()][0] ?? []);
    return this.#report(this.#options.seconds() - beganS);
  }

  async #until(atMs: number): Promise<void> {
    const { clock, fleet } = this;
    // Tier A never waits for anything but the virtual clock.
    if (this.#streams === null) return clock.runTo(atMs);
    for (;;) {
      const rest = fleet.carrier.settled();
      if (rest !== null) await rest;
      const next = clock.next();
      if (next === null || next > atMs) break;
      clock.step();
    }
    clock.runTo(atMs);
  }

  #schedule(): void {
    const { clock, fleet, incidents } = this;
    const { only } = this.#options;
    incidents.forEach((incident, number) => {
      if (only === null || only.includes(number)) clock.at(incident.atMs, () => this.#befall(incident, number));
    });
    const forgets = incidents.some(({ kind }) => kind === 'lost-writes') || this.#scenario.boards.some(({ card }) => card.lies);
    if (forgets) clock.at(0, () => this.#remember());
    if (incidents.some(({ kind }) => kind === 'old-disk')) {
      const backUp = (): void => {
        for (const gateway of fleet.gateways) gateway.backup = { atMs: clock.nowMs, disk: gateway.disk.copy() };
        if (clock.nowMs < this.#scenario.lastsMs) clock.at(clock.nowMs + HOUR_MS, backUp);
      };
      clock.at(HOUR_MS, backUp);
    }
    if (this.expectations.any) {
      const look = (): void => {
        this.expectations.look(this.view, clock.nowMs);
        if (clock.nowMs < this.#scenario.lastsMs) clock.at(clock.nowMs + LOOK_MS, look);
      };
      clock.at(LOOK_MS, look);
    }
  }

  #remember(): void {
    for (const spec of this.#scenario.boards) {
      this.clock.at(spec.joinsMs + 1, () => {
        for (const board of this.fleet.boardsNamed(spec.name)) board.disk.remembers = LOST_COMMITS_MOST;
      });
    }
  }

  #befall(incident: Incident, number: number): void {
    const { clock, fleet } = this;
    this.trace.note(`${clock.nowMs} ${incident.kind} ${incident.on}`);
    const places = [...fleet.boardsNamed(incident.on), ...fleet.gateways.filter(({ spec }) => spec.name === incident.on)];
    // What has no end of its own is a moment.
    const lasts = incident.forMs !== null;
    const drawn = places.map((place) => this.lanes?.fault('at' in place ? place.at : place.id, `${number}`, incident.kind, lasts));
    const undo = befall(fleet, incident, this.#confession(), this.#hit(incident));
    const end = (): void => {
      if (!this.#ends.delete(end)) return;
      undo();
      for (const close of drawn) close?.();
    };
    this.#ends.add(end);
    if (incident.forMs !== null) clock.at(clock.nowMs + incident.forMs, end);
  }

  /** What hits nothing has not happened, and is only told. */
  #hit({ kind }: Incident): () => void {
    const { clock, view, missed } = this;
    const add = (to: Map<string, number>, by: number): void => void to.set(kind, (to.get(kind) ?? 0) + by);
    let has = false;
    add(missed, 1);
    return () => {
      if (has) return;
      has = true;
      add(missed, -1);
      add(view.faults, 1);
      // What it does is not done yet.
      clock.soon(() => this.expectations.look(view, clock.nowMs));
    };
  }

  #confession(): Confession {
    const { clock, judge } = this;
    return {
      cardFault: ({ id }, what) => judge.cardFault(clock.nowMs, id, what),
      forgot: (gateway, backToMs) => {
        this.#doubted.add(gateway);
        judge.forgot(clock.nowMs, gateway, backToMs);
      },
      dead: (gateway) => judge.gateway(clock.nowMs, gateway, 'dead'),
      lies: (gateway, to) => {
        this.#doubted.add(to);
        judge.lies(clock.nowMs, gateway, to);
      },
      stated: (gateway, statements) => judge.stated(clock.nowMs, gateway, statements),
    };
  }

  /** Whatever was wrong is over; only what is dead stays dead. */
  #heal(): void {
    for (const end of [...this.#ends]) end();
    for (const gateway of this.fleet.gateways) if (!gateway.running && !gateway.dead) gateway.start();
    for (const board of this.fleet.boards) if (!board.on) board.plugIn();
  }

  async #rest(isResting: () => boolean, mostMs = HEAL_MOST_MS): Promise<void> {
    const { clock } = this;
    const untilMs = clock.nowMs + mostMs;
    // Once is not enough: what is on its way now may be the last word.
    for (let calm = 0; calm < 2 && clock.nowMs < untilMs; ) {
      await this.#until(clock.nowMs + REST_LOOK_MS);
      calm = isResting() ? calm + 1 : 0;
    }
  }

  #isCalm(): boolean {
    return this.fleet.boards.every(({ linkedTo }) => linkedTo !== null);
  }

  #isEmpty(): boolean {
    return this.fleet.boards.every(
      (board) => board.kernel.programs.length === 0 && board.read((rows) => outbox.page(rows, '', 1)).length === 0,
    );
  }

  async #settle(): Promise<Map<string, Bytes[]>> {
    const { clock } = this;
    await this.#until(clock.nowMs + LAST_WORDS_MS);
    const closer = this.#closer();
    if (closer === undefined) return new Map();
    this.judge.closing(clock.nowMs, closer.id);
    closer.call('close', {}, (answer) => {
      if (answer instanceof LichenError) this.witness.refused(answer);
    });
    return this.#ask(closer);
  }

  /** Whoever lost its disk is believed by nobody, and whoever was lied to has not read on in the liar's log: of the others who knows most. */
  #closer(): VirtualGateway | undefined {
    const { gateways } = this.fleet;
    const honest = gateways.filter(({ running, lie }) => running && lie === null);
    const sound = honest.filter(({ id }) => !this.#doubted.has(id));
    const knows = (gateway: VirtualGateway): number => Object.values(gateway.read(vectorOf)).reduce((sum, size) => sum + size, 0);
    const best = [sound, honest, gateways.filter(({ running }) => running)].find((some) => some.length > 0) ?? [];
    return best.sort((a, b) => knows(b) - knows(a))[0];
  }

  /**
   * Who closes first, then the others, each until it states as much: whoever never does is the judge's. One after the other: a
   * fleet's whole ledger is large, and each puts its own away when nobody asks.
   */
  async #ask(closer: VirtualGateway): Promise<Map<string, Bytes[]>> {
    const { clock, fleet } = this;
    const statements = new Map<string, Bytes[]>();
    const others = fleet.gateways.filter((gateway) => gateway !== closer);
    for (let round = 0; round < ASKED_MOST; round++) {
      for (const gateway of [closer, ...others]) {
        const first = statements.get(closer.id) ?? [];
        if (!gateway.running || (first.length > 0 && statements.get(gateway.id)?.length === first.length)) continue;
        askStatements(gateway, (all) =>
          statements.set(
            gateway.id,
            all.map((bytes, i) => sameAs(bytes, first[i])),
          ),
        );
        await this.#until(clock.nowMs + ASK_EVERY_MS);
      }
    }
    return statements;
  }

  #report(wallSeconds: number): RunReport {
    const { clock, fleet, judge, view, incidents } = this;
    const scenario = this.#scenario;
    const { seed, tier, crypto, path } = this.#options;
    const expectations = this.expectations.results(view);
    const { violations, tally } = judge;
    const names: Record<string, string> = {};
    for (const { id, spec } of [...fleet.gateways, ...fleet.boards]) names[id] = spec.name;
    return {
      ok: violations.length === 0 && expectations.every(({ held }) => held),
      ...{ scenario: scenario.name, about: scenario.about, path, seed, tier, crypto, traceHash: this.trace.hash() },
      ...{ boards: scenario.boards.length, gateways: scenario.gateways.length, simulatedMs: scenario.lastsMs, wallSeconds },
      ...{ events: clock.events, faults: counted(view.faults), missed: counted(this.missed) },
      ...{ recordsSigned: tally.recordsSigned, recordsLost: tally.recordsLost, recordsBilledTwice: tally.recordsBilledTwice },
      ...{
        overlaps: tally.overlaps,
        worstOverlapMs: tally.worstOverlapMs,
        overlapStopMs: tally.overlapStopMs,
        worstRehomeMs: tally.worstRehomeMs,
        violations,
        expectations,
        incidents,
        shrunk: null,
        names,
      },
      lanes: this.lanes?.close() ?? [],
      billed: view.billed,
    };
  }
}

/** In the order of their names. */
const counted = (counts: Map<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Throws only what is a flaw of the simulator itself. */
export const runScenario = async (scenario: Scenario, options: RunOptions): Promise<RunReport> => {
  const run = new Run(scenario, options);
  try {
    return await run.go();
  } finally {
    await run.close();
  }
};
