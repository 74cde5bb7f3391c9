/**
 * A scenario once it has been read: every default filled in, every group of boards spelt out, every unit turned into
 * the one of its field's name. Times are simulated and count from the beginning.
 */
import type { FaultKind } from './faults.ts';
import type { Observable } from './observables.ts';

export const PROFILES = ['pi-zero-2w', 'pi-3b', 'pi-4b', 'pi-5', 'generic-arm64', 'generic-amd64'] as const;
export type ProfileName = (typeof PROFILES)[number];

export interface GatewaySpec {
  name: string;
  region: string;
  /** Of releases it holds at most so much. */
  contentBytes: number;
}

/** One direction of a path, both alike. */
export interface LinkSpec {
  latencyMs: number;
  /** Added to the latency, uniform in [0, jitterMs]. */
  jitterMs: number;
  /** Of packets; under TCP a lost one is a later one. */
  lossPermille: number;
  bytesPerS: number;
}

export type PowerSpec =
  | { kind: 'mains' }
  /** Panel and battery; `sunHours` is the length of the day, `cloudPermille` how much of the sun is taken away on average. */
  | { kind: 'solar'; batteryWh: number; chargedPermille: number; panelW: number; sunHours: number; cloudPermille: number }
  | { kind: 'battery'; batteryWh: number; chargedPermille: number };

export interface CardSpec {
  mib: number;
  /** Of the card, taken before anything is written here. */
  usedPermille: number;
  /** Bytes that are erased at once; a smaller write costs as much. */
  eraseBlockBytes: number;
  /** Erases of one block before it fails. */
  endurance: number;
  /** Answers a sync before it is done: what was written last may be lost with the power. */
  lies: boolean;
}

export interface ClockSpec {
  /** Keeps the time without power. Without one, the board wakes up at the moment it last saved. */
  rtc: boolean;
  driftPpm: number;
}

export interface SensorSpec {
  name: string;
  bus: 'gpio' | 'i2c' | 'iio' | '1-wire';
  source:
    | { kind: 'constant'; value: number }
    | { kind: 'sine'; mean: number; swing: number; periodMs: number }
    | { kind: 'walk'; from: number; step: number; least: number; most: number }
    /** A real trace: moments from its beginning, in order, without gaps over `gapMs`. Goes round when it ends. */
    | { kind: 'trace'; points: { atMs: number; value: number }[] };
  noise: number;
}

/** The owner's word on a board's system. */
export interface UpdatesSpec {
  /** Its place among those of its kind, from 1; null: it waits for none, and none for it. */
  wave: number | null;
  /** How long a system has to do well in one wave before the next is given it. */
  bakeMs: number;
  /** So many boards may fail. */
  tolerated: number;
}

export interface BoardSpec {
  name: string;
  /** Name of the group it was spelt out from; equals `name` for a single one. */
  group: string;
  profile: ProfileName;
  /** Pairs and joins at this moment. */
  joinsMs: number;
  link: LinkSpec;
  /** The network that it shares with others of the same name, and with them its link; null: it is alone. */
  lan: string | null;
  /** Whether its owner lets it share releases there. */
  neighbours: boolean;
  power: PowerSpec;
  card: CardSpec;
  clock: ClockSpec;
  /** Starts it again when it hangs. */
  watchdog: boolean;
  /** Its owner has its system updated; null: that stays as it is. */
  updates: UpdatesSpec | null;
  sensors: SensorSpec[];
  capacity: { memoryMib: number; cpuMillis: number; partitions: number };
}

/** What an instance does to its partition while it runs. */
export interface UseSpec {
  cpuMillis: number;
  memoryMib: number;
  netInBytesPerS: number;
  netOutBytesPerS: number;
  diskBytesPerS: number;
}

/** A sensor without which a program's promises do not hold, and what the program takes for a fair reading. */
export interface ReadSpec {
  sensor: string;
  /** In the sensor's own unit; null: any. */
  least: number | null;
  most: number | null;
  /** It may tell exactly the same for less than this; null: for ever. */
  sameMs: number | null;
  /** A promise of its recipe is about the number that it tells. */
  promised: boolean;
}

/** How a release behaves. `fails`: null is well; `leak` grows by a MiB a second until its limit; `hook`: the one after an update. */
export interface Behaviour {
  uses: UseSpec;
  /** From the start of its program to the first time its promises hold. */
  greenAfterMs: number;
  /** Whether it has hooks around an update. */
  hooks: boolean;
  fails: null | { how: 'crash' | 'leak' | 'never-green' | 'hook'; afterMs: number };
}

export interface WorkloadSpec extends Behaviour {
  name: string;
  /** Folder in `recipes/`; its recipe.yaml gives limits, promises, demands. */
  recipe: string;
  recipeText: string;
  replicas: number;
  /** Bytes of its content on the card and on the wire. */
  contentBytes: number;
  reads: ReadSpec[];
  asksMs: number;
  patienceMs: number;
  /** What becomes of an instance that no gateway reaches. */
  onIsolation: 'continue' | 'stop';
  region: string | null;
  /** How long a newer release is on trial before the last good one; null: it is not. */
  bakeMs: number | null;
  /** Whether an update that goes back finds `/data` as it was. */
  snapshots: boolean;
  /** How many replicas a newer release reaches first, then half of them, then all; null: all at once. */
  canaries: number | null;
  /** How many shares of its instances its tenant asks for. */
  shares: number;
  /** Micro-units; what the voucher pays at most. */
  capMicro: bigint;
}

export interface PaceSpec {
  tickMs: number;
  meterMs: number;
  recordMs: number;
  reportMs: number;
  boardPatienceMs: number;
  gatewayTickMs: number;
  silenceMs: number;
  keepaliveMs: number;
}

/** One fault or one deed of a person, at a moment. `forMs` null: once, or for good. */
export interface Incident {
  atMs: number;
  kind: FaultKind;
  /** Name of a board, gateway or workload. */
  on: string;
  forMs: number | null;
  /** Whole numbers and words by the names that the table of faults gives. */
  with: Record<string, number | string>;
}

/** Drawn from the seed: on average once in `everyMs` for each of `on`. */
export interface MixSpec {
  kind: FaultKind;
  on: string[];
  everyMs: number;
  forMs: { least: number; most: number } | null;
  with: Record<string, number | string>;
  /** None before and none after. */
  fromMs: number;
  untilMs: number;
}

export interface Expectation {
  kind: 'always' | 'eventually' | 'sometimes';
  see: Observable;
  /** Name of a board, group, gateway, workload or kind of fault; empty: all together. */
  of: string;
  least: number | null;
  most: number | null;
  /** `always` and `sometimes`: looked at from here on. `eventually`: the time runs from here. */
  afterMs: number;
  /** `eventually` only. */
  withinMs: number;
  /** As a person would say it; for reports. */
  says: string;
}

export interface Scenario {
  name: string;
  about: string;
  seed: number;
  lastsMs: number;
  /** Wall time at the beginning, ms since 1970. */
  startsMs: number;
  gateways: GatewaySpec[];
  /** Between two gateways. */
  backbone: LinkSpec;
  boards: BoardSpec[];
  workloads: WorkloadSpec[];
  incidents: Incident[];
  mix: MixSpec[];
  /** Each seed leaves out about half of the mix's rows. */
  swarm: boolean;
  pace: PaceSpec;
  expect: Expectation[];
}
