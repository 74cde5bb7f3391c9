/** Groups of boards spelt out, links and gateways looked up, and hardware that cannot be refused. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { HARDWARE } from '../hardware/profiles.ts';
import { SCENARIO } from './bounds.ts';
import type { Cast } from './cast.ts';
import type { ScenarioFile } from './file.ts';
import { type BoardRow, type LinkChoice, type LinkMap, powerOf, type SensorRow } from './fleet-file.ts';
import { LINK_PRESETS, presetLink } from './link-presets.ts';
import { type Desk, unknownWord } from './problem.ts';
import { type BoardSpec, type GatewaySpec, type LinkSpec, type PowerSpec, PROFILES, type SensorSpec } from './scenario.ts';
import { readTrace, type TracePoint } from './sensor-trace.ts';
import type { Placed } from './shape.ts';
import { formatQuantity } from './units.ts';

/** Stand in for what could not be looked up; the scenario is refused then. */
const NO_LINK: LinkSpec = { latencyMs: 0, jitterMs: 0, lossPermille: 0, bytesPerS: 1 };
const NO_PROFILE = 'pi-4b';

export const gatewaysOf = (rows: ScenarioFile['gateways']): { names: Placed<string>[]; gateways: GatewaySpec[] } => {
  const names = rows.map((row) => ('short' in row ? row.short : row.map.name));
  const gateways = rows.map((row) => {
    const name = 'short' in row ? row.short.value : row.map.name.value;
    const { region, content } = 'short' in row ? { region: null, content: null } : row.map;
    return { name, region: region ?? name, contentBytes: content ?? LIMITS.contentBytes };
  });
  return { names, gateways };
};

const linkFrom = (desk: Desk, { like, latency, jitter, loss, speed }: LinkMap): LinkSpec => {
  const base = like === null ? presetLink('wifi') : presetLink(like.value);
  if (base === null && like?.sound === true) desk.report(like.at, unknownWord('link', like.value, LINK_PRESETS));
  const { latencyMs, jitterMs, lossPermille, bytesPerS } = base ?? NO_LINK;
  return {
    latencyMs: latency ?? latencyMs,
    jitterMs: jitter ?? jitterMs,
    lossPermille: loss ?? lossPermille,
    bytesPerS: speed ?? bytesPerS,
  };
};

export const linksOf = (desk: Desk, rows: ScenarioFile['links']): Map<string, LinkSpec> => {
  const links = new Map<string, LinkSpec>();
  for (const { name, value } of rows) {
    if (presetLink(name.value) !== null) {
      desk.report(name.at, { what: `"${name.value}" is a preset`, next: `Choose another name, with "like: ${name.value}".` });
    }
    links.set(name.value, linkFrom(desk, value));
  }
  return links;
};

export const linkOf = ({ desk, links }: Pick<Cast, 'desk' | 'links'>, choice: LinkChoice): LinkSpec => {
  if ('map' in choice) return linkFrom(desk, choice.map);
  const { value: name, at, sound } = choice.short;
  const found = links.get(name) ?? presetLink(name);
  if (found === null && sound) desk.report(at, unknownWord('link', name, [...links.keys(), ...LINK_PRESETS]));
  return found ?? NO_LINK;
};

const idle = (power: PowerSpec['kind'], has: readonly string[]) => ({
  why: `${power} has ${has.length === 0 ? 'nothing to say more of' : `only ${has.join(', ')}`}`,
  next: 'Leave it out, or choose another kind.',
});

const POWER_KEYS = { mains: [], battery: ['battery', 'charged'], solar: ['battery', 'charged', 'panel', 'sun', 'clouds'] } as const;

const powerFor = (desk: Desk, choice: BoardRow['power']): PowerSpec => {
  const power = powerOf(choice) ?? { kind: 'mains' };
  if ('map' in choice && choice.map.kind.sound) {
    const { battery, charged, panel, sun, clouds } = choice.map;
    const has: readonly string[] = POWER_KEYS[power.kind];
    for (const [key, given] of Object.entries({ battery, charged, panel, sun, clouds })) {
      if (given !== null && !has.includes(key)) desk.report(given.at, { what: `"${key}" without a use`, ...idle(power.kind, has) });
    }
  }
  return power;
};

const capacityOf = (desk: Desk, { capacity, profile }: BoardRow): BoardSpec['capacity'] => {
  const known = profile.value ?? NO_PROFILE;
  const { memoryMib, systemMib, cpuMillis, cores } = HARDWARE[known];
  const spareMib = memoryMib - systemMib;
  const { memory, cpu, partitions } = capacity;
  const mib = (value: number): string => formatQuantity('mib', value);
  const refuse = (at: number, what: string, why: string, next: string): void => {
    if (profile.sound) desk.report(at, { what, why, next });
  };
  if (memory !== null && memory.value > spareMib) {
    const why = `a ${known} has ${mib(memoryMib)}, of which its system takes ${mib(systemMib)}`;
    refuse(memory.at, `${mib(memory.value)} is more than there is`, why, `Offer at most ${mib(spareMib)}.`);
  }
  if (cpu !== null && cpu.value > cores * 1000) {
    refuse(
      cpu.at,
      `${formatQuantity('cpuMillis', cpu.value)} is more than there is`,
      `a ${known} has ${cores} cores`,
      `Offer at most ${cores} cores.`,
    );
  }
  if (partitions.value > LIMITS.partitionsPerBoard) {
    const next = `Write at most ${LIMITS.partitionsPerBoard}.`;
    desk.report(partitions.at, { what: `${partitions.value} partitions are more than a board may hold`, next });
  }
  return { memoryMib: memory?.value ?? spareMib, cpuMillis: cpu?.value ?? cpuMillis, partitions: partitions.value };
};

type Traces = (path: string) => string | null;

/** Traces that several boards read are read once. */
class Sensors {
  readonly #desk: Desk;
  readonly #open: Traces;
  readonly #read = new Map<string, TracePoint[]>();

  constructor(desk: Desk, open: Traces) {
    this.#desk = desk;
    this.#open = open;
  }

  spec(row: SensorRow): SensorSpec {
    return { name: row.name.value, bus: row.bus.value ?? 'i2c', source: this.#source(row), noise: row.noise };
  }

  #source(row: SensorRow): SensorSpec['source'] {
    const { constant, sine, walk, trace, name } = row;
    const given = Object.entries({ constant, sine, walk, trace }).filter(([, one]) => one !== null);
    if (given.length !== 1 && name.sound) {
      const what = `a sensor with ${given.length === 0 ? 'no source' : `${given.length} sources`}`;
      this.#desk.report(name.at, { what, next: 'Give it one of constant, sine, walk, trace.' });
    }
    if (sine !== null) return { kind: 'sine', mean: sine.value.mean, swing: sine.value.swing, periodMs: sine.value.period };
    if (walk !== null) {
      const { from, least, most } = walk.value;
      if (least > from || from > most)
        this.#desk.report(walk.at, { what: 'it begins outside of its bounds', next: 'Write least, from and most in rising order.' });
      return { kind: 'walk', ...walk.value };
    }
    if (trace !== null) return { kind: 'trace', points: this.#trace(trace) };
    return { kind: 'constant', value: constant?.value ?? 0 };
  }

  #trace({ value, at, sound }: NonNullable<SensorRow['trace']>): TracePoint[] {
    const { file, column, gap } = 'short' in value ? { file: value.short, column: null, gap: null } : value.map;
    const key = JSON.stringify([file, column, gap]);
    const held = this.#read.get(key);
    if (held !== undefined || !sound) return held ?? [];
    const text = this.#open(file);
    const read = text === null ? null : readTrace(text, column, gap);
    if (read === null) this.#desk.report(at, { what: `there is no trace ${file}`, next: 'Write a path from the folder of the scenario.' });
    else if (!Array.isArray(read))
      this.#desk.report(at, { what: `${file}, line ${read.line}: ${read.what}`, next: 'Mend the trace, or allow longer gaps.' });
    const points = Array.isArray(read) ? read : [];
    this.#read.set(key, points);
    return points;
  }
}

const busesOf = (desk: Desk, { sensors, profile }: BoardRow): void => {
  const buses: readonly string[] = HARDWARE[profile.value ?? NO_PROFILE].buses;
  const names = new Set<string>();
  for (const { name, bus } of sensors) {
    if (name.sound && names.has(name.value))
      desk.report(name.at, { what: `two sensors are called "${name.value}"`, next: 'Choose another name for one of them.' });
    names.add(name.value);
    if (bus.value === null || !profile.sound || buses.includes(bus.value)) continue;
    desk.report(bus.at, { what: `a ${profile.value} has no ${bus.value}`, next: `Attach it to one of ${buses.join(', ')}.` });
  }
};

const updatesOf = (desk: Desk, { updates, profile }: BoardRow): BoardSpec['updates'] => {
  if (updates === null) return null;
  const known = profile.value ?? NO_PROFILE;
  if (profile.sound && !HARDWARE[known].hasSlots) {
    const others = PROFILES.filter((name) => HARDWARE[name].hasSlots);
    desk.report(updates.at, {
      what: `the system of a ${known} stays as it is`,
      why: 'its start knows one slot',
      next: `Choose one of ${others.join(', ')}.`,
    });
  }
  const { wave, bake, tolerated } = updates.value;
  return { wave, bakeMs: bake, tolerated };
};

/** Boards of one group share what is alike: nothing of a specification is ever written to. */
const groupOf = (cast: Pick<Cast, 'desk' | 'links'>, row: BoardRow, sensors: Sensors, lastsMs: number): BoardSpec[] => {
  const { name, count, joins, card, clock } = row;
  const profile = row.profile.value ?? NO_PROFILE;
  if (joins.sound && joins.value.most > lastsMs) {
    cast.desk.report(joins.at, {
      what: 'it joins after the end',
      why: `the scenario lasts ${formatQuantity('ms', lastsMs)}`,
      next: 'Let it join earlier.',
    });
  }
  busesOf(cast.desk, row);
  const shared = {
    ...{ group: name.value, profile, link: linkOf(cast, row.link), power: powerFor(cast.desk, row.power) },
    ...{ lan: row.lan?.value ?? null, neighbours: row.neighbours },
    card: {
      mib: card.size.value,
      usedPermille: card.used,
      eraseBlockBytes: card['erase-block'],
      endurance: card.endurance,
      lies: card.lies,
    },
    clock: { rtc: clock.rtc ?? HARDWARE[profile].hasRtc, driftPpm: clock.drift },
    ...{ watchdog: row.watchdog, updates: updatesOf(cast.desk, row) },
    sensors: row.sensors.map((one) => sensors.spec(one)),
    capacity: capacityOf(cast.desk, row),
  };
  const spread = joins.value.most - joins.value.least;
  const boards = Number.isNaN(count) ? 1 : count;
  return Array.from({ length: boards }, (_, i) => ({
    ...shared,
    name: boards === 1 ? name.value : `${name.value}-${i + 1}`,
    joinsMs: joins.value.least + Math.round((spread * i) / Math.max(1, boards - 1)),
  }));
};

/** Groups by their names, and each board by its own. Not more boards than a run may have. */
export const groupsOf = (
  cast: Pick<Cast, 'desk' | 'links'>,
  rows: BoardRow[],
  traces: Traces,
  lastsMs: number,
): Map<string, BoardSpec[]> => {
  const groups = new Map<string, BoardSpec[]>();
  const sensors = new Sensors(cast.desk, traces);
  let total = 0;
  for (const row of rows) {
    total += row.count;
    if (total > SCENARIO.boards) {
      cast.desk.report(row.name.at, {
        what: `${total} boards`,
        why: 'one run holds no more',
        next: `Write at most ${SCENARIO.boards} in all.`,
      });
      break;
    }
    if (groups.has(row.name.value) && row.name.sound) {
      cast.desk.report(row.name.at, { what: `two boards are called "${row.name.value}"`, next: 'Choose another name for one of them.' });
    }
    groups.set(row.name.value, groupOf(cast, row, sensors, lastsMs));
  }
  return groups;
};
