/** The fixed workload of the simulator's figures. */
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Behaviour, BoardSpec, MixSpec, Scenario, WorkloadSpec } from '../../sim/scenario/scenario.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A request takes at most so many, each on a board of its own. */
const REPLICAS = 64;

const RECIPE = `
name: load
label: "1"
args: [/app/main]
limits: { memoryMib: 64, cpuMillis: 250, pids: 16, tmpMib: 4 }
promises:
  - { name: well, probe: { kind: tcp, port: 80 }, intervalMs: 900000, timeoutMs: 1000, graceMs: 5000 }
files:
  - { from: app, to: app }
`;

const link = { latencyMs: 20, jitterMs: 10, lossPermille: 2, bytesPerS: 1_000_000 };
const behaviour: Behaviour = {
  uses: { cpuMillis: 20, memoryMib: 32, netInBytesPerS: 50, netOutBytesPerS: 100, diskBytesPerS: 20 },
  greenAfterMs: 500,
  hooks: false,
  fails: null,
};

/**
 * Two partitions a board, a tick and a look at the meters each minute, a signed record each 15 minutes, faults on.
 * `replicas`: of a request.
 */
export const fixedLoad = (boards: number, hours: number, replicas = REPLICAS): Scenario => {
  const board = (i: number): BoardSpec => ({
    ...{ name: `board-${i}`, group: 'board', profile: 'pi-4b', joinsMs: Math.floor((i * MINUTE) / boards), link },
    ...{ lan: null, neighbours: true },
    power: { kind: 'mains' },
    card: { mib: 8192, usedPermille: 300, eraseBlockBytes: 4_194_304, endurance: 3000, lies: false },
    clock: { rtc: false, driftPpm: 20 },
    ...{ watchdog: true, updates: null },
    ...{ sensors: [], capacity: { memoryMib: 1024, cpuMillis: 2000, partitions: 4 } },
  });

  const workload = (i: number): WorkloadSpec => ({
    ...{ name: `load-${i}`, recipe: 'load', recipeText: RECIPE, replicas: Math.min(replicas, boards - (i >> 1) * replicas) },
    ...{
      contentBytes: 4096,
      reads: [],
      asksMs: 5000,
      onIsolation: 'continue',
      patienceMs: 30 * MINUTE,
      region: null,
      bakeMs: null,
      snapshots: false,
      canaries: null,
      shares: 0,
      capMicro: 10n ** 14n,
    },
    ...behaviour,
  });

  const mix = (kind: MixSpec['kind'], on: string[], everyMs: number, forMs: MixSpec['forMs']): MixSpec => ({
    ...{ kind, on, everyMs, forMs, with: {}, fromMs: 10 * MINUTE, untilMs: hours * HOUR },
  });

  const names = Array.from({ length: boards }, (_, i) => `board-${i}`);
  const gateways = ['north', 'east', 'south'];
  return {
    ...{ name: 'load', about: 'the fixed workload', seed: 1, lastsMs: hours * HOUR, startsMs: 1_790_000_000_000, swarm: false },
    gateways: gateways.map((name) => ({ name, region: 'here', contentBytes: LIMITS.contentBytes })),
    backbone: { latencyMs: 10, jitterMs: 2, lossPermille: 0, bytesPerS: 12_500_000 },
    boards: names.map((_, i) => board(i)),
    workloads: Array.from({ length: 2 * Math.ceil(boards / replicas) }, (_, i) => workload(i)),
    incidents: [],
    mix: [
      mix('power-cut', names, 24 * HOUR, { least: MINUTE, most: 10 * MINUTE }),
      mix('link-cut', names, 12 * HOUR, { least: MINUTE, most: 30 * MINUTE }),
      mix('runtime-crash', names, 24 * HOUR, null),
      mix('gateway-kill', gateways, 12 * HOUR, { least: MINUTE, most: 10 * MINUTE }),
    ],
    pace: {
      ...{ tickMs: MINUTE, meterMs: MINUTE, recordMs: 15 * MINUTE, reportMs: 15 * MINUTE, boardPatienceMs: 2 * MINUTE },
      ...{ gatewayTickMs: 5000, silenceMs: 15_000, keepaliveMs: MINUTE },
    },
    expect: [],
  };
};
