/** Reports as a run would leave them behind: a small one that held, one that broke, and one as large as they come. */
import type { Lane, Mark, RunReport, Span } from '../../../sim/report/report.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
export const BOARD_ID = '0a'.repeat(16);

export const held = (over: Partial<RunReport> = {}): RunReport => ({
  ok: true,
  scenario: 'first-day',
  about: 'Two boards, one gateway, one day.',
  path: 'recipes/museum/scenario.yaml',
  seed: 7,
  tier: 'a',
  crypto: 'stand-in',
  traceHash: 'ab'.repeat(32),
  boards: 2,
  gateways: 1,
  simulatedMs: DAY,
  wallSeconds: 1.23456,
  events: 12_345,
  faults: { 'power-cut': 2, captive: 1 },
  missed: {},
  recordsSigned: 384,
  recordsLost: 0,
  recordsBilledTwice: 0,
  overlaps: 2,
  worstOverlapMs: 1500,
  overlapStopMs: 0,
  worstRehomeMs: 8600,
  violations: [],
  expectations: [{ says: 'museum runs within an hour', held: true, detail: 'first at 00:04:10' }],
  incidents: [
    { atMs: 2 * HOUR, kind: 'power-cut', on: 'kitchen', forMs: 600_000, with: { write: 3 } },
    { atMs: 5 * HOUR, kind: 'captive', on: 'attic', forMs: HOUR, with: {} },
    { atMs: 9 * HOUR, kind: 'power-cut', on: 'attic', forMs: 60_000, with: { write: 0 } },
  ],
  shrunk: null,
  names: { [BOARD_ID]: 'kitchen' },
  lanes: [
    {
      name: 'village',
      kind: 'gateway',
      spans: [{ kind: 'fault', fromMs: 12 * HOUR, toMs: 13 * HOUR, label: 'gateway-kill' }],
      marks: [],
    },
    {
      name: 'kitchen',
      kind: 'board',
      spans: [
        { kind: 'run', fromMs: 0, toMs: 2 * HOUR, label: 'museum' },
        { kind: 'down', fromMs: 2 * HOUR, toMs: 2 * HOUR + 600_000, label: '' },
        { kind: 'run', fromMs: 2 * HOUR + 620_000, toMs: DAY, label: 'museum' },
        { kind: 'home', fromMs: 0, toMs: 2 * HOUR, label: 'village' },
        { kind: 'home', fromMs: 2 * HOUR + 630_000, toMs: DAY, label: 'village' },
        { kind: 'fault', fromMs: 2 * HOUR, toMs: 2 * HOUR + 600_000, label: 'power-cut' },
      ],
      marks: [
        ...Array.from({ length: 96 }, (_, at): Mark => ({ kind: 'record', atMs: at * 900_000, label: '' })),
        { kind: 'restart', atMs: 2 * HOUR + 620_000, label: 'museum' },
        { kind: 'lease', atMs: 1000, label: 'museum' },
        { kind: 'fault', atMs: 2 * HOUR, label: 'power-cut' },
      ],
    },
    {
      name: 'attic',
      kind: 'board',
      spans: [
        { kind: 'run', fromMs: 0, toMs: 9 * HOUR, label: 'museum' },
        { kind: 'unreachable', fromMs: 5 * HOUR, toMs: 6 * HOUR, label: '' },
        { kind: 'down', fromMs: 9 * HOUR, toMs: 9 * HOUR + 60_000, label: '' },
        { kind: 'home', fromMs: 0, toMs: 5 * HOUR, label: 'village' },
      ],
      marks: [{ kind: 'refusal', atMs: 7 * HOUR, label: 'no-room' }],
    },
  ],
  billed: [
    { workload: 'museum', currency: 'EUR', chargedMicro: 1_250_001n, earnedMicro: 1_125_000n, feeMicro: 125_000n, records: 190 },
    { workload: 'primes', currency: 'EUR', chargedMicro: 40n, earnedMicro: 36n, feeMicro: 4n, records: 194 },
  ],
  ...over,
});

export const broke = (over: Partial<RunReport> = {}): RunReport =>
  held({
    ok: false,
    recordsBilledTwice: 2,
    violations: [
      {
        promise: 2,
        code: 'billed-twice',
        atMs: 3 * HOUR,
        who: BOARD_ID,
        what: `record 12 of ${BOARD_ID} stands on two invoices: 40 and 41 micro-units`,
      },
    ],
    expectations: [
      { says: 'museum runs within an hour', held: false, detail: 'seen at most: 0' },
      { says: 'some power-cut', held: true, detail: '' },
    ],
    shrunk: [0, 2],
    ...over,
  });

/** Text as nobody sane would write it, wherever a scenario or a board can put some. */
export const HOSTILE = `</script><img src=x onerror="document.title='owned'">&amp;'\u0000\u2028]]>|\`%0A::error::`;

export const hostile = (): RunReport => {
  const text = (lane: Lane): Lane => ({
    ...lane,
    name: HOSTILE,
    spans: lane.spans.map((span) => ({ ...span, label: HOSTILE })),
    marks: lane.marks.map((mark) => ({ ...mark, label: HOSTILE })),
  });
  const report = broke();
  return {
    ...report,
    scenario: HOSTILE,
    about: HOSTILE,
    path: HOSTILE,
    names: { [BOARD_ID]: HOSTILE },
    expectations: [{ says: HOSTILE, held: false, detail: HOSTILE }],
    lanes: report.lanes.map(text),
    incidents: report.incidents.map((one) => ({ ...one, on: HOSTILE, with: { [HOSTILE]: HOSTILE } })),
    billed: report.billed.map((one) => ({ ...one, workload: HOSTILE, currency: HOSTILE })),
  };
};

/** Small and repeatable: Lehmer's generator with the constants of Park and Miller. */
const dice = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
};

const WORKLOADS = ['museum', 'bee-scale', 'greenhouse', 'primes', 'doorbell'];

const busyBoard = (number: number, days: number, roll: (below: number) => number): Lane => {
  const end = days * DAY;
  const spans: Span[] = [];
  const marks: Mark[] = [];
  const [first = '', second = ''] = [WORKLOADS[number % 5], WORKLOADS[(number + 2) % 5]];
  const gateways = ['village-hall', 'school', 'fire-station'];
  let at = roll(4) * HOUR;
  let from = at;
  const close = (until: number, home: string) => {
    spans.push(
      { kind: 'run', fromMs: from, toMs: until, label: first },
      { kind: 'run', fromMs: from + 60_000, toMs: until, label: second },
    );
    spans.push({ kind: 'home', fromMs: from + 8000, toMs: until, label: home });
  };
  marks.push({ kind: 'lease', atMs: at, label: first });
  for (;;) {
    const next = at + (2 + roll(70)) * HOUR;
    if (next >= end) break;
    const lasts = (1 + roll(40)) * 600_000;
    const home = gateways[(number + roll(2)) % 3] ?? '';
    if (roll(3) === 0) {
      spans.push({ kind: 'unreachable', fromMs: next, toMs: Math.min(end, next + lasts * 3), label: '' });
      spans.push({ kind: 'fault', fromMs: next, toMs: Math.min(end, next + lasts * 3), label: 'link-cut' });
      at = next + lasts * 3;
      continue;
    }
    close(next, home);
    spans.push({ kind: 'down', fromMs: next, toMs: Math.min(end, next + lasts), label: '' });
    marks.push({ kind: 'fault', atMs: next, label: 'power-cut' }, { kind: 'restart', atMs: next + lasts, label: first });
    if (roll(9) === 0) marks.push({ kind: 'refusal', atMs: next + lasts + HOUR, label: 'stale: a newer document is known' });
    at = Math.min(end, next + lasts);
    from = at;
  }
  close(end, gateways[number % 3] ?? '');
  for (let ms = 0; ms < end; ms += 900_000) {
    const isDown = spans.some(({ kind, fromMs, toMs }) => kind === 'down' && fromMs <= ms && ms < toMs);
    if (!isDown) marks.push({ kind: 'record', atMs: ms, label: first }, { kind: 'record', atMs: ms + 3000, label: second });
    marks.push({ kind: 'replicated', atMs: ms + 5000, label: '' });
  }
  return { name: `house-${String(number + 1).padStart(2, '0')}`, kind: 'board', spans, marks };
};

export const large = (boards = 47, days = 30): RunReport => {
  const roll = dice(20_260_101);
  const lanes: Lane[] = [
    { name: 'village-hall', kind: 'gateway', spans: [], marks: [] },
    {
      name: 'school',
      kind: 'gateway',
      spans: [{ kind: 'fault', fromMs: 4 * DAY, toMs: 6 * DAY, label: 'gateway-cut' }],
      marks: [],
    },
    {
      name: 'fire-station',
      kind: 'gateway',
      spans: [{ kind: 'down', fromMs: 19.5 * DAY, toMs: days * DAY, label: '' }],
      marks: [{ kind: 'fault', atMs: 19.5 * DAY, label: 'gateway-kill' }],
    },
    ...Array.from({ length: boards }, (_, number) => busyBoard(number, days, roll)),
  ];
  lanes[5]?.marks.push({ kind: 'violation', atMs: 12.25 * DAY, label: 'record 812 stands on two invoices' });
  const incidents = lanes.flatMap(({ name, marks }) =>
    marks.flatMap(({ kind, atMs }) =>
      kind === 'fault' ? [{ atMs, kind: 'power-cut' as const, on: name, forMs: 600_000 * (1 + roll(40)), with: { write: 0 } }] : [],
    ),
  );
  incidents.sort((a, b) => a.atMs - b.atMs);
  return broke({
    scenario: 'thirty-days-in-the-village',
    about: 'Forty-seven houses and three gateways, power and links as they are in the mountains, and one gateway that dies for good.',
    path: 'village',
    boards,
    gateways: 3,
    simulatedMs: days * DAY,
    lanes,
    incidents,
    shrunk: [3, 17],
    faults: { 'power-cut': incidents.length, 'link-cut': 90, 'gateway-kill': 1 },
    recordsSigned: 281_233,
    violations: [
      { promise: 2, code: 'billed-twice', atMs: 12.25 * DAY, who: BOARD_ID, what: `record 812 of ${BOARD_ID} stands on two invoices` },
    ],
    billed: WORKLOADS.map((workload, at) => ({
      workload,
      currency: 'EUR',
      chargedMicro: 81_234_567n + BigInt(at) * 7_654_321n,
      earnedMicro: 73_111_110n + BigInt(at) * 6_888_889n,
      feeMicro: 8_123_456n + BigInt(at) * 765_432n,
      records: 51_234 + at,
    })),
  });
};
