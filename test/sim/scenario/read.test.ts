import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { problemLine, type ScenarioProblem } from '../../../sim/scenario/problem.ts';
import { readScenario, type ScenarioSource } from '../../../sim/scenario/read.ts';
import type { Scenario } from '../../../sim/scenario/scenario.ts';
import { sourceOf } from './files.ts';

const FLEET = `lasts: 10h
gateways: [north, south]
boards:
  - { name: cabin, count: 3 }
  - { name: barn, profile: pi-zero-2w, sensors: [{ name: air, constant: 20 }] }
workloads: [hello]
`;

const FULL = `${FLEET}links: { valley: { like: lte, speed: 20kB/s } }
timeline:
  - { at: 10min, kind: flapping, on: cabin, for: 2h, period: 10s }
faults:
  - { kind: late, on: all, every: 6h, for: 1min..20min, by: 3s, from: 1h }
pace: { tick: 10s }
expect:
  - eventually: { see: green, of: hello, at-least: 1, after: 1h, within: 10min }
  - sometimes: { see: card-used, of: barn, at-most: 90% }
`;

const read = (text: string, source: ScenarioSource = sourceOf()): Scenario => {
  const scenario = readScenario(text, 'somewhere/first.yaml', source);
  if (Array.isArray(scenario)) throw new Error(scenario.map((problem) => problemLine('first.yaml', problem)).join('\n'));
  return scenario;
};

const problems = (text: string, source: ScenarioSource = sourceOf()): ScenarioProblem[] => {
  const read = readScenario(text, 'first.yaml', source);
  return Array.isArray(read) ? read : [];
};

/** `^` stands before what is wrong; it is taken out before the text is read. */
const marked = (text: string): { text: string; line: number; column: number } => {
  const before = text.slice(0, text.indexOf('^')).split('\n');
  return { text: text.replace('^', ''), line: before.length, column: (before.at(-1) ?? '').length + 1 };
};

describe('a first scenario', () => {
  const first = read(FLEET);

  test('takes its name from its file, and the rest from what is usual', () => {
    expect(first).toMatchObject({ name: 'first', about: '', seed: 1, lastsMs: 36_000_000, incidents: [], mix: [], expect: [] });
    expect(first.startsMs).toBe(Date.UTC(2026, 2, 1, 6));
    expect(first.gateways).toEqual([
      { name: 'north', region: 'north', contentBytes: LIMITS.contentBytes },
      { name: 'south', region: 'south', contentBytes: LIMITS.contentBytes },
    ]);
    expect(first.pace).toEqual({
      ...{ tickMs: 1000, meterMs: 60_000, recordMs: 900_000, reportMs: 60_000, boardPatienceMs: 10_000 },
      ...{ gatewayTickMs: 500, silenceMs: 5000, keepaliveMs: 10_000 },
    });
  });

  test('spells its groups out', () => {
    expect(first.boards.map(({ name, group, joinsMs }) => [name, group, joinsMs])).toEqual([
      ['cabin-1', 'cabin', 0],
      ['cabin-2', 'cabin', 0],
      ['cabin-3', 'cabin', 0],
      ['barn', 'barn', 0],
    ]);
    expect(first.boards[0]).toMatchObject({ profile: 'pi-4b', power: { kind: 'mains' }, clock: { rtc: false, driftPpm: 20 } });
    expect(first.boards[0]?.capacity).toEqual({ memoryMib: 2048 - 187, cpuMillis: 4000, partitions: 8 });
    expect(first.boards[3]?.capacity.memoryMib).toBe(512 - 187);
  });

  test('works out from the recipe what a workload uses', () => {
    expect(first.workloads[0]).toMatchObject({
      ...{ name: 'hello', recipe: 'hello', replicas: 1, patienceMs: 300_000, asksMs: 0, fails: null, capMicro: 1_000_000_000_000n },
      uses: { cpuMillis: 50, memoryMib: 48, netInBytesPerS: 50, netOutBytesPerS: 200, diskBytesPerS: 20 },
    });
  });

  test('a scenario.yaml is called like its folder', () => {
    expect(readScenario(FLEET, './recipes/primes/scenario.yaml', sourceOf())).toMatchObject({ name: 'primes' });
  });
});

describe('what can be said', () => {
  test('of boards: when they join, own links, power, cards, clocks, capacity', () => {
    const { boards, backbone } = read(`lasts: 1d
gateways: [{ name: north, region: alps }]
backbone: { like: lte, loss: 0 }
links: { valley: { like: lte, speed: 20kB/s } }
boards:
  - name: hut
    count: 3
    joins: 10min..20min
    link: valley
    power: { kind: solar, battery: 18.5Wh, charged: 50%, panel: 6W, sun: 7h30min, clouds: 65% }
    card: { size: 4GB, used: 20%, erase-block: 512KiB, endurance: 100, lies: true }
    clock: { rtc: true, drift: -40ppm }
    capacity: { memory: 256MiB, cpu: 1.5 cores, partitions: 2 }
  - { name: cellar, link: { latency: 2s }, power: battery }
`);
    expect(boards.map(({ joinsMs }) => joinsMs)).toEqual([600_000, 900_000, 1_200_000, 0]);
    expect(boards[0]).toMatchObject({
      link: { latencyMs: 45, jitterMs: 40, lossPermille: 5, bytesPerS: 20_000 },
      power: { kind: 'solar', batteryWh: 18.5, chargedPermille: 500, panelW: 6, sunHours: 7.5, cloudPermille: 650 },
      card: { mib: 3814, usedPermille: 200, eraseBlockBytes: 524_288, endurance: 100, lies: true },
      clock: { rtc: true, driftPpm: -40 },
      capacity: { memoryMib: 256, cpuMillis: 1500, partitions: 2 },
    });
    expect(boards[3]).toMatchObject({
      link: { latencyMs: 2000, jitterMs: 8 },
      power: { kind: 'battery', batteryWh: 40, chargedPermille: 1000 },
    });
    expect(backbone.lossPermille).toBe(0);
  });

  test('of time: whom it befalls is spelt out, defaults come from the table of faults', () => {
    const { incidents, mix } = read(`${FLEET}timeline:
  - { at: 10min, kind: flapping, on: cabin, for: 2h }
  - { at: 20min, kind: clock-jump, on: [barn, cabin-2], by: -1d }
  - { at: 1h, kind: gateway-kill, on: south }
  - { at: 2h, kind: bad-release, on: hello, how: leak }
faults:
  - { kind: late, on: all, every: 6h, for: 1min..20min, by: 3s, from: 1h, until: 9h }
`);
    expect(incidents).toEqual([
      ...['cabin-1', 'cabin-2', 'cabin-3'].map((on) => ({ atMs: 600_000, kind: 'flapping', on, forMs: 7_200_000, with: { period: 5000 } })),
      ...['barn', 'cabin-2'].map((on) => ({ atMs: 1_200_000, kind: 'clock-jump', on, forMs: null, with: { by: -86_400_000 } })),
      { atMs: 3_600_000, kind: 'gateway-kill', on: 'south', forMs: null, with: {} },
      { atMs: 7_200_000, kind: 'bad-release', on: 'hello', forMs: null, with: { how: 'leak' } },
    ]);
    expect(mix).toEqual([
      {
        ...{ kind: 'late', on: ['cabin-1', 'cabin-2', 'cabin-3', 'barn'], everyMs: 21_600_000, forMs: { least: 60_000, most: 1_200_000 } },
        ...{ with: { by: 3000 }, fromMs: 3_600_000, untilMs: 32_400_000 },
      },
    ]);
  });

  test('of a system: it befalls one board of each kind of image, as it is for all of them', () => {
    const fleet = FLEET.replace('count: 3', 'count: 3, updates: { wave: 2 }').replace('pi-zero-2w,', 'generic-amd64, updates: {},');
    const { incidents, boards } = read(`${fleet}timeline:\n  - { at: 1h, kind: good-system, on: all }\n`);
    expect(incidents.map(({ on }) => on)).toEqual(['cabin-1', 'barn']);
    expect(boards.map(({ updates }) => updates?.wave)).toEqual([2, 2, 2, null]);
    expect(boards[0]?.updates).toEqual({ wave: 2, bakeMs: 600_000, tolerated: 0 });
    expect(read(FLEET).boards[0]).toMatchObject({ updates: null, watchdog: true });
  });

  test('of faults that hit some of those who are named', () => {
    const { incidents, mix } =
      read(`${FLEET.replace('count: 3', 'count: 2, lan: hill').replace('[hello]', '[{ recipe: hello, reads: air }]')}timeline:
  - { at: 1h, kind: sensor-fault, on: all, for: 1h }
  - { at: 1h, kind: lan-cut, on: cabin-1, for: 1h }
  - { at: 61min, kind: old-disk, on: north }
faults:
  - { kind: old-disk, on: north, every: 1h }
  - { kind: false-neighbour, on: all, every: 1h, for: 1min }
`);
    expect([incidents.length, mix.length]).toEqual([5, 2]);
  });

  test('of what has to hold', () => {
    const { expect: held } = read(`${FLEET}expect:
  - always: { see: quarantined, at-most: 0 }
  - eventually: { see: green, of: hello, at-least: 1, after: 1h, within: 10min }
  - eventually: { see: faults, of: crash, at-least: 0 }
  - sometimes: { see: card-used, of: barn, at-least: 20%, at-most: 90%, says: it fills up }
`);
    expect(held).toEqual([
      { kind: 'always', see: 'quarantined', of: '', least: null, most: 0, afterMs: 0, withinMs: 0, says: 'always: quarantined at most 0' },
      {
        ...{ kind: 'eventually', see: 'green', of: 'hello', least: 1, most: null, afterMs: 3_600_000, withinMs: 600_000 },
        says: 'eventually within 10min of 1h: green of hello at least 1',
      },
      {
        ...{ kind: 'eventually', see: 'faults', of: 'crash', least: 0, most: null, afterMs: 0, withinMs: 36_000_000 },
        says: 'eventually: faults of crash at least 0',
      },
      { kind: 'sometimes', see: 'card-used', of: 'barn', least: 200, most: 900, afterMs: 0, withinMs: 0, says: 'it fills up' },
    ]);
  });

  test('of pace: one slower tick is enough', () => {
    const { pace } = read(`${FLEET}pace: { tick: 1min, record: 1h }`);
    expect(pace).toEqual({
      ...{ tickMs: 60_000, meterMs: 60_000, recordMs: 3_600_000, reportMs: 60_000, boardPatienceMs: 120_000 },
      ...{ gatewayTickMs: 30_000, silenceMs: 300_000, keepaliveMs: 120_000 },
    });
  });

  test('of sensors: traces in three units, the same one read once', () => {
    let opened = 0;
    const source = sourceOf();
    const trace = (path: string): string | null => {
      opened++;
      return path === 'air.csv' ? 'time,inside,outside\n2026-01-01T00:00Z,20,1\n2026-01-01T00:10Z,21,2.5\n2026-01-01T00:20Z,22,3\n' : null;
    };
    const { boards } = read(
      FLEET.replace(
        '{ name: air, constant: 20 }',
        '{ name: air, trace: { file: air.csv, column: outside } }, { name: b, trace: { file: air.csv, column: outside } }',
      ),
      { ...source, trace },
    );
    const points = [
      { atMs: 0, value: 1 },
      { atMs: 600_000, value: 2.5 },
      { atMs: 1_200_000, value: 3 },
    ];
    expect(boards[3]?.sensors.map((sensor) => sensor.source)).toEqual([
      { kind: 'trace', points },
      { kind: 'trace', points },
    ]);
    expect(opened).toBe(1);
  });

  test('of readings: what its program takes for fair, and what promises of its recipe are about', () => {
    const recipe = (probe: string): string => `
name: promised
label: "1"
args: [/bin/level]
limits: { memoryMib: 96, cpuMillis: 250, pids: 32, tmpMib: 8 }
promises: [{ name: level, probe: { kind: ${probe}, min: -1, max: 9.5 } }]
`;
    const fleet = FLEET.replace('constant: 20 }', 'sine: { mean: 20, swing: 1 } }, { name: soil, constant: 4 }');
    const readsWith = (workload: string, probe: string) =>
      read(fleet.replace('[hello]', `[${workload}]`), sourceOf({}, { promised: recipe(probe) })).workloads[0]?.reads;
    const plain = { least: null, most: null, sameMs: null, promised: false };
    const rows = 'reads: [{ sensor: air, least: -5, most: 30.5, same: 20min }, soil]';
    const [air, soil] = [
      { ...plain, sensor: 'air', least: -5, most: 30.5, sameMs: 1_200_000 },
      { ...plain, sensor: 'soil' },
    ];
    expect(readsWith(`{ recipe: hello, ${rows} }`, '')).toEqual([air, soil]);
    expect(readsWith(`{ recipe: promised, ${rows} }`, 'reading, args: [/bin/level]')).toEqual([{ ...air, promised: true }, soil]);
    expect(readsWith(`{ recipe: promised, ${rows} }`, 'value, path: /data/level')).toEqual([{ ...air, promised: true }, soil]);
    expect(readsWith(`{ recipe: promised, ${rows} }`, 'value, path: /sys/devices/x/temperature')).toEqual([
      { ...air, promised: true },
      { ...soil, promised: true },
    ]);
  });

  test('an anchor says something once for several', () => {
    const { boards } = read(
      FLEET.replace('{ name: cabin, count: 3 }', '{ name: a, power: &sun { kind: solar, panel: 5W } }\n  - { name: b, power: *sun }'),
    );
    expect(boards[1]?.power).toEqual(boards[0]?.power);
    expect(boards[1]?.power).toMatchObject({ panelW: 5 });
  });
});

/** What is wrong, as `what`, and what is advised, as `next`. */
const BAD: [what: string, next: string, text: string][] = [
  // Unknown keys.
  ['unknown key "gatways"', 'Did you mean "gateways"?', `${FLEET}^gatways: []`],
  ['unknown key "cuont"', 'Did you mean "count"?', FLEET.replace('count', '^cuont')],
  ['unknown key "tik"', 'Did you mean "tick"?', `${FLEET}pace: { ^tik: 1s }`],
  ['unknown key "perod"', 'Did you mean "period"?', `${FLEET}timeline:\n  - { at: 1h, kind: flapping, on: all, for: 1h, ^perod: 2s }`],
  ['unknown key "sometims"', 'Did you mean "sometimes"?', `${FLEET}expect:\n  - ^sometims: { see: green, at-least: 1 }`],
  ['unknown key "atleast"', 'Did you mean "at-least"?', `${FLEET}expect:\n  - always: { see: green, at-most: 1, ^atleast: 1 }`],
  [
    'unknown key "of"',
    'Known here: see, at-least, at-most, after, says, within.',
    `${FLEET}expect:\n  - always: { see: refusals, ^of: hello, at-least: 0 }`,
  ],
  // Wrong units.
  ['"5 parsecs" is not a time', 'Write a number with one of ms, s, min, h, d, such as 10min.', FLEET.replace('10h', '^5 parsecs')],
  ['"5" has no unit', 'Write a number with one of ms, s, min, h, d, such as 10min.', FLEET.replace('10h', '^5')],
  ['"20MiB" is not a time', 'Write a number with one of ms, s, min, h, d, such as 10min.', FLEET.replace('10h', '^20MiB')],
  ['"10m" is not a time', 'Write "10min".', FLEET.replace('10h', '^10m')],
  ['"64" has no unit', 'Write a number with one of MiB, GiB, such as 64MiB.', FLEET.replace('count: 3', 'capacity: { memory: ^64 }')],
  ['"3min" is not a whole number', 'Write a whole number without a unit.', FLEET.replace('count: 3', 'count: ^3min')],
  ['"1" has no unit', 'Write a number with one of ‰, %, such as 5%.', `${FLEET}expect:\n  - always: { see: card-used, at-most: ^1 }`],
  ['"5%" is not a whole number', 'Write a whole number without a unit.', `${FLEET}expect:\n  - always: { see: green, at-most: ^5% }`],
  ['"20min..1min" goes down', 'Write 1min..20min.', `${FLEET}faults:\n  - { kind: late, on: all, every: 1h, for: ^20min..1min }`],
  // Unknown names.
  ['unknown recipe "helo"', 'Did you mean "hello"?', FLEET.replace('[hello]', '[^helo]')],
  ['unknown profile "pi-zero"', 'Did you mean "pi-zero-2w"?', FLEET.replace('pi-zero-2w', '^pi-zero')],
  ['unknown link "wify"', 'Did you mean "wifi"?', FLEET.replace('count: 3', 'link: ^wify')],
  ['unknown link "valey"', 'Did you mean "valley"?', `${FLEET.replace('count: 3', 'link: ^valey')}links: { valley: { loss: 1% } }`],
  ['unknown link "etherne"', 'Did you mean "ethernet"?', `${FLEET}links: { valley: { like: ^etherne } }`],
  [
    'unknown fault or deed "gateway-kil"',
    'Did you mean "gateway-kill"?',
    `${FLEET}timeline:\n  - { at: 1h, kind: ^gateway-kil, on: north }`,
  ],
  ['unknown observable "runing"', 'Did you mean "running"?', `${FLEET}expect:\n  - always: { see: ^runing, at-least: 1 }`],
  ['unknown gateway "nort"', 'Did you mean "north"?', `${FLEET}timeline:\n  - { at: 1h, kind: gateway-kill, on: ^nort }`],
  ['unknown board "cabin-4"', 'Did you mean "cabin-1"?', `${FLEET}timeline:\n  - { at: 1h, kind: link-cut, for: 1h, on: ^cabin-4 }`],
  ['unknown board "bran"', 'Did you mean "barn"?', `${FLEET}faults:\n  - { every: 1h, kind: link-cut, for: 1h, on: [cabin, ^bran] }`],
  ['unknown workload "helo"', 'Did you mean "hello"?', `${FLEET}expect:\n  - always: { see: running, of: ^helo, at-least: 1 }`],
  [
    '"north" is a gateway',
    'Known here: cabin, barn, cabin-1, cabin-2, cabin-3, all.',
    `${FLEET}timeline:\n  - { at: 1h, kind: link-cut, for: 1h, on: ^north }`,
  ],
  ['unknown fault or deed "crsh"', 'Did you mean "crash"?', `${FLEET}expect:\n  - sometimes: { see: faults, of: ^crsh, at-least: 1 }`],
  ['unknown sensor "ari"', 'Did you mean "air"?', FLEET.replace('[hello]', '[{ recipe: hello, reads: ^ari }]')],
  ['unknown sensor "ari"', 'Did you mean "air"?', FLEET.replace('[hello]', '[{ recipe: hello, reads: { sensor: ^ari, least: 1 } }]')],
  [
    '"least" is more than "most"',
    'Exchange them.',
    FLEET.replace('[hello]', '[{ recipe: hello, reads: { sensor: ^air, least: 5, most: 4 } }]'),
  ],
  [
    '"same" of what is always the same',
    'Leave it out.',
    FLEET.replace('[hello]', '[{ recipe: hello, reads: { sensor: air, same: ^1h } }]'),
  ],
  [
    '"same" of what is always the same',
    'Leave it out.',
    FLEET.replace('name: air, constant: 20', 'name: air, bus: gpio, sine: { mean: 1, swing: 1 }').replace(
      '[hello]',
      '[{ recipe: hello, reads: { sensor: air, same: ^1h } }]',
    ),
  ],
  ['unknown region "nrth"', 'Did you mean "north"?', FLEET.replace('[hello]', '[{ recipe: hello, region: ^nrth }]')],
  [
    'unknown way "stcuk"',
    'Did you mean "stuck"?',
    `${FLEET.replace('[hello]', '[{ recipe: hello, reads: air }]')}timeline:\n  - { at: 1h, kind: sensor-fault, on: barn, for: 1h, how: ^stcuk }`,
  ],
  ['unknown kind of power "soler"', 'Did you mean "solar"?', FLEET.replace('count: 3', 'power: ^soler')],
  // Impossible hardware.
  ['400MiB is more than there is', 'Offer at most 325MiB.', FLEET.replace('pi-zero-2w,', 'pi-zero-2w, capacity: { memory: ^400MiB },')],
  ['4500m is more than there is', 'Offer at most 4 cores.', FLEET.replace('count: 3', 'capacity: { cpu: ^4.5 cores }')],
  ['33 partitions are more than a board may hold', 'Write at most 32.', FLEET.replace('count: 3', 'capacity: { partitions: ^33 }')],
  ['no gateways', 'Name at least 1.', FLEET.replace('[north, south]', '^[]')],
  ['no groups of boards', 'Name at least 1.', 'lasts: 1h\ngateways: [north]\nboards: ^[]'],
  ['0MiB is too little', 'Write at least 64MiB.', FLEET.replace('count: 3', 'card: { size: ^0MiB }')],
  ['65 is too much', 'Write at most 64.', FLEET.replace('[hello]', '[{ recipe: hello, replicas: ^65 }]')],
  ['100001 is too much', 'Write at most 100000.', FLEET.replace('count: 3', 'count: ^100001')],
  [
    'a generic-amd64 has no gpio',
    'Attach it to one of i2c, iio.',
    FLEET.replace('pi-zero-2w', 'generic-amd64').replace('name: air,', 'name: air, bus: ^gpio,'),
  ],
  ['"panel" without a use', 'Leave it out, or choose another kind.', FLEET.replace('count: 3', 'power: { kind: battery, panel: ^5W }')],
  ['5h is too much', 'Write at most 2min.', `${FLEET}pace: { keepalive: ^5h }`],
  ['1s is shorter than a tick', 'Write at least 1min.', `${FLEET}pace: { tick: 1min, meter: ^1s }`],
  ['a keepalive is whole seconds', 'Write 11s.', `${FLEET}pace: { keepalive: ^10500ms }`],
  [
    'about 2160000 incidents',
    'Name fewer, or let them happen less often.',
    `${FLEET.replace('10h', '25d')}faults:\n  - { kind: ^crash, on: hello, every: 1s }`,
  ],
  ['it joins after the end', 'Let it join earlier.', FLEET.replace('count: 3', 'joins: ^11h')],
  ['two boards are called "cabin"', 'Choose another name for one of them.', FLEET.replace('name: barn', 'name: ^cabin')],
  ['two machines are called "north"', 'Choose another name for one of them.', FLEET.replace('name: barn', 'name: ^north')],
  ['two gateways are called "north"', 'Choose another name for one of them.', FLEET.replace('south', '^north')],
  ['two workloads are called "hello"', 'Choose another name for one of them.', FLEET.replace('[hello]', '[hello, ^hello]')],
  ['"all" is not a name', 'Choose another.', FLEET.replace('name: barn', 'name: ^all')],
  ['"Barn" is not a name', 'Write a-z, 0-9 and -, a letter first, at most 63.', FLEET.replace('name: barn', 'name: ^Barn')],
  [
    'a sensor with 2 sources',
    'Give it one of constant, sine, walk, trace.',
    FLEET.replace('name: air', 'sine: { mean: 1, swing: 1 }, name: ^air'),
  ],
  // What cannot happen.
  ['link-cut without "for"', 'Add "for:" with how long, such as 10min.', `${FLEET}timeline:\n  - ^{ at: 1h, kind: link-cut, on: all }`],
  ['crash takes no "for"', 'Leave it out.', `${FLEET}timeline:\n  - { at: 1h, kind: crash, on: hello, ^for: 1h }`],
  [
    '11h is after the end',
    'Let it happen earlier, or let the scenario last longer.',
    `${FLEET}timeline:\n  - { at: ^11h, kind: crash, on: hello }`,
  ],
  ['it is never looked at', 'Write less than 10h after "after:".', `${FLEET}expect:\n  - always: { see: green, at-least: 0, after: ^10h }`],
  [
    'its time is over after the end',
    'Write at most 1h after "within:".',
    `${FLEET}expect:\n  - eventually: { see: green, at-least: 0, after: 9h, within: ^2h }`,
  ],
  ['sometimes takes no "within"', 'Leave it out.', `${FLEET}expect:\n  - sometimes: { see: green, at-least: 1, ^within: 2h }`],
  ['an expectation without a bound', 'Add "at-least:" or "at-most:".', `${FLEET}expect:\n  - sometimes: ^{ see: green }`],
  ['"at-least" is more than "at-most"', 'Exchange them.', `${FLEET}expect:\n  - sometimes: ^{ see: green, at-least: 3, at-most: 2 }`],
  [
    'cabin has no battery',
    'Give it "power: solar" or "power: battery".',
    `${FLEET}expect:\n  - sometimes: { see: battery, of: ^cabin, at-most: 5% }`,
  ],
  // What would hit nothing.
  [
    '"cabin" keeps the system that it has',
    'Name one of barn.',
    `${FLEET.replace('pi-zero-2w,', 'pi-zero-2w, updates: { wave: 1 },')}timeline:\n  - { at: 1h, kind: good-system, on: [barn, ^cabin] }`,
  ],
  [
    'no board for a bad-system',
    'Give it "updates: { wave: 1 }".',
    `${FLEET}timeline:\n  - { at: 1h, kind: bad-system, on: ^all, how: hang }`,
  ],
  [
    'unknown way "no-bot"',
    'Did you mean "no-boot"?',
    `${FLEET.replace('pi-zero-2w,', 'pi-zero-2w, updates: { wave: 1 },')}timeline:\n  - { at: 1h, kind: bad-system, on: barn, how: ^no-bot }`,
  ],
  [
    'the system of a pi-5 stays as it is',
    'Choose one of pi-zero-2w, pi-3b, pi-4b, generic-arm64, generic-amd64.',
    FLEET.replace('pi-zero-2w,', 'pi-5, updates: ^{ wave: 1 },'),
  ],
  [
    '"cabin" has no sensor',
    'Name one of barn.',
    `${FLEET.replace('[hello]', '[{ recipe: hello, reads: air }]')}timeline:\n  - { at: 1h, kind: sensor-fault, on: [barn, ^cabin], for: 1h }`,
  ],
  [
    'no board for a sensor-fault',
    'Give it "sensors:".',
    `${FLEET.replace(', sensors: [{ name: air, constant: 20 }]', '')}faults:\n  - { every: 1h, kind: sensor-fault, on: ^all, for: 1h }`,
  ],
  [
    '"barn" has no sensor that any workload reads',
    'Let one read it ("reads:").',
    `${FLEET}timeline:\n  - { at: 1h, kind: sensor-fault, on: ^barn, for: 1h, how: stuck }`,
  ],
  [
    '"barn" has no sensor of which any workload would notice that',
    'Say what is a fair reading: "reads: { sensor: …, least: …, most: …, same: 20min }".',
    `${FLEET.replace('[hello]', '[{ recipe: hello, reads: air }]')}faults:\n  - { every: 1h, kind: sensor-fault, on: ^barn, for: 1h, how: drifting }`,
  ],
  [
    '"barn" is with no other board in a lan',
    'Name one of cabin.',
    `${FLEET.replace('count: 3', 'count: 3, lan: hill')}timeline:\n  - { at: 1h, kind: lan-cut, on: ^barn, for: 1h }`,
  ],
  [
    '"barn" is with no other board in a lan',
    'Give it and another board the same "lan:".',
    `${FLEET.replace('pi-zero-2w,', 'pi-zero-2w, lan: hill,')}timeline:\n  - { at: 1h, kind: lan-cut, on: ^barn, for: 1h }`,
  ],
  [
    '"barn" shares nothing with another board of a lan',
    'Name one of cabin.',
    `${FLEET.replace('count: 3', 'count: 3, lan: hill').replace('pi-zero-2w,', 'pi-zero-2w, lan: hill, neighbours: false,')}timeline:\n  - { at: 1h, kind: mute-neighbour, on: ^barn, for: 1h }`,
  ],
  [
    'peer-cut with one gateway',
    'Write at least 2 gateways.',
    `${FLEET.replace(', south', '')}timeline:\n  - { at: 1h, kind: peer-cut, on: ^north, for: 1h }`,
  ],
  ['forked-log with 2 gateways', 'Write at least 3 gateways.', `${FLEET}faults:\n  - { every: 1h, kind: forked-log, on: ^all }`],
  ['old-disk before there is an older disk', 'Let it happen after 1h.', `${FLEET}timeline:\n  - { at: ^1h, kind: old-disk, on: north }`],
  [
    'old-disk before there is an older disk',
    'Let it happen after 1h.',
    `${FLEET}faults:\n  - { kind: old-disk, on: north, every: 1h, until: ^50min }`,
  ],
  [
    'old-disk before there is an older disk',
    'Let it happen after 1h.',
    `${FLEET.replace('10h', '1h')}faults:\n  - { on: north, every: 1h, kind: ^old-disk }`,
  ],
  ['the key "kind" is missing', 'Add "kind:".', `${FLEET}timeline:\n  - ^{ at: 1h, on: cabin }`],
  ['the key "lasts" is missing', 'Add "lasts:".', FLEET.replace('lasts: 10h\n', '^')],
  ['it ends before it begins', 'Write more than 5h.', `${FLEET}faults:\n  - { kind: crash, on: hello, every: 1h, from: 5h, until: ^4h }`],
  // Not even the right kind of thing.
  ['a list of groups of boards belongs here', 'Begin each line of it with "- ".', 'lasts: 1h\ngateways: [north]\nboards: ^7'],
  ['a map where a time belongs', 'Write a time.', FLEET.replace('10h', '^{ h: 10 }')],
  ['nothing where a time belongs', 'Write a time.', FLEET.replace('lasts: 10h', 'lasts: ^')],
  ['a map belongs here', 'Its keys are always, eventually, sometimes.', `${FLEET}expect:\n  - ^green`],
  ['"soon" is not a date', 'Write it as 2026-01-01T00:00Z.', `${FLEET}starts: ^soon`],
  ['"maybe" is neither true nor false', 'Write true or false.', FLEET.replace('count: 3', 'clock: { rtc: ^maybe }')],
  ['Map keys must be unique', 'Keep one of the two.', `${FLEET}^lasts: 5h`],
];

describe('refused, with place and advice', () => {
  test.each(BAD)('%s', (what, next, given) => {
    const { text, line, column } = marked(given);
    const [problem, ...more] = problems(text);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ line, column, what, next });
  });

  test('all that is wrong at once, in the order of the file', () => {
    const found = problems(
      'lasts: 5 parsecs\ngateways: []\nboard: 1\nboards:\n  - { name: cabin, link: wify, cuont: 3 }\nexpect: [{ always: { se: green } }]\n',
    );
    expect(found.map(({ line, column, what }) => `${line}:${column} ${what}`)).toEqual([
      '1:8 "5 parsecs" is not a time',
      '2:11 no gateways',
      '3:1 unknown key "board"',
      '5:26 unknown link "wify"',
      '5:32 unknown key "cuont"',
      '6:20 the key "see" is missing',
      '6:22 unknown key "se"',
    ]);
  });

  test('what could not be read is not complained about again where it is used', () => {
    expect(problems(`${FLEET.replace('10h', '10 parsecs')}expect:\n  - always: { see: green, at-least: 0, after: 99h }`)).toHaveLength(1);
    expect(problems(FLEET.replace('pi-zero-2w,', 'pi-zero, capacity: { memory: 9GiB },'))).toHaveLength(1);
    expect(
      problems(FLEET.replace('name: barn', 'name: Barn').concat('timeline:\n  - { at: 1h, kind: link-cut, on: Barn, for: 1h }')),
    ).toHaveLength(1);
  });

  test('a file that is no scenario at all', () => {
    expect(problems('')).toMatchObject([{ line: 1, column: 1, what: 'a map belongs here' }]);
    expect(problems('[1, 2')[0]).toMatchObject({ line: 1, next: 'Mend the YAML here.' });
    expect(problems('a: !thing 1')[0]).toMatchObject({ line: 1, column: 4 });
    expect(problems(`about: "${'x'.repeat(300_000)}"`)).toMatchObject([{ line: 1, column: 1, what: 'a file of 300009 characters' }]);
  });

  test('a few lines of aliases do not grow into gigabytes', () => {
    const sensors = (name: string, of: string): string => `${name}: &${name} [${Array.from({ length: 4 }, () => of).join(', ')}]\n`;
    const text = `${sensors('a', '{ name: s, constant: 1 }')}${FLEET.replace('count: 3', `sensors: *a`)}`;
    const many = Array.from({ length: 260 }, (_, i) => `  - { name: b${i}, sensors: *a }\n`).join('');
    const found = problems(text.replace('boards:\n', `boards:\n${many}`));
    expect(found.some(({ what }) => what === 'this alias is not followed')).toBe(true);
  });

  test('no text makes it throw, and every problem lies within the file and says what to do', () => {
    const slip = fc.tuple(
      fc.nat({ max: FULL.length }),
      fc.nat({ max: 6 }),
      fc.constantFrom('', '', ':', ' ', '\n', '-', '{', ']', '&a', '*a', '5', 'x', '"', '%', '# '),
    );
    fc.assert(
      fc.property(fc.array(slip, { minLength: 1, maxLength: 4 }), (slips) => {
        const text = slips.reduce((held, [at, cut, put]) => held.slice(0, at) + put + held.slice(at + cut), FULL);
        const lines = text.split('\n').length;
        for (const { line, column, what, next } of problems(text)) {
          expect([line >= 1, line <= lines, column >= 1, what.length > 0, next.length > 0]).toEqual([true, true, true, true, true]);
          expect(`${what} ${next}`).not.toMatch(/NaN|undefined|\[object/);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('an anchor that holds itself is not followed for ever', () => {
    expect(problems('lasts: &a [*a]\ngateways: &g [*g]\nboards: &b [*b]').length).toBeGreaterThan(0);
  });

  test('a recipe that cannot be read', () => {
    const source = sourceOf({}, { broken: 'name: broken\nlimits: {}' });
    expect(problems(FLEET.replace('hello', 'broken'), source)).toMatchObject([
      { line: 6, column: 13, next: 'Mend the recipe; docs/recipes.md explains its keys.' },
    ]);
  });
});

describe('traces', () => {
  const WITH = marked(FLEET.replace('constant: 20', 'trace: ^air.csv'));
  const TRACES: [what: string, text: string | null][] = [
    ['there is no trace air.csv', null],
    ['air.csv, line 4: a gap of 50min before it, over 30min', 'ms,v\n0,1\n600000,2\n3600000,3\n4200000,3\n4800000,3'],
    ['air.csv, line 4: not later than the line before it', 's,v\n0,1\n60,2\n30,3'],
    ['air.csv, line 3: not later than the line before it', 's,v\n60,1\n60,2'],
    ['air.csv, line 3: "warm" is not a number', 's,v\n0,1\n60,warm'],
    ['air.csv, line 3: the value is missing', 's,v\n0,1\n60,'],
    ['air.csv, line 2: "2026-01-01T00:00" is no moment in ISO 8601 with a zone', 'time,v\n2026-01-01T00:00,1'],
    ['air.csv, line 1: the first heading is "when", it has to be one of ms, s, min, time', 'when,v\n0,1'],
    ['air.csv, line 1: there is no column for the values', 's\n0'],
    ['air.csv, line 2: fewer than two values', 's,v\n0,1'],
    ['air.csv, line 2: not a JSON object', '{"s":0,"value":1}\n{"s":'],
    ['air.csv, line 2: none of the keys ms, s, min, time', '{"s":0,"value":1}\n{"value":2}'],
  ];

  test.each(TRACES)('%s', (what, text) => {
    const found = problems(WITH.text, sourceOf(text === null ? {} : { 'air.csv': text }));
    expect(found).toMatchObject([{ line: WITH.line, column: WITH.column, what }]);
  });

  test('JSON lines, blank lines, comments and a byte order mark', () => {
    const jsonl = '{"min": 0, "value": 1}\n\n{"min": 1, "value": -2.5}\n{"min": 2, "value": 3}\n';
    const csv = '\uFEFFs,v\r\n# of the attic\r\n10,1\r\n70,-2.5\r\n130,3\r\n';
    for (const text of [jsonl, csv]) {
      expect(read(WITH.text, sourceOf({ 'air.csv': text })).boards[3]?.sensors[0]?.source).toEqual({
        kind: 'trace',
        points: [
          { atMs: 0, value: 1 },
          { atMs: 60_000, value: -2.5 },
          { atMs: 120_000, value: 3 },
        ],
      });
    }
  });

  test('a pause that is known of may be allowed', () => {
    const text = FLEET.replace('constant: 20', 'trace: { file: air.csv, gap: 1h }');
    expect(read(text, sourceOf({ 'air.csv': 'ms,v\n0,1\n600000,2\n3600000,3\n4200000,3' })).boards).toHaveLength(4);
  });
});
