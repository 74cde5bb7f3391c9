/** The plug is pulled while a board gives itself another system: at moments of one update, and again and again. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { text } from '../../firmware-images/tree.ts';
import { copyCard, startsFrom, systemIn } from './cut.ts';
import { boardWhen } from './federation.ts';
import { spoilFile } from './image.ts';
import { Machine } from './machine.ts';
import { BOOT_LIMIT_MS, phase, runs, UPDATE_LIMIT_MS, Updating } from './updating.ts';

const SEED = Number(process.env.LICHEN_SEED ?? 1);
/** Of so many moments of an update the card is started as it was; so many at once. */
const [CUTS, BESIDE] = [20, 2];
/** As many times as fit in so long the plug is pulled, and so many however slowly it starts. */
const CUTS_MS = Number(process.env.LICHEN_CUTS_MS ?? 60_000);
const PULLS_LEAST = 2;
const CUT_WITHIN_MS = 45_000;
const EARLY = 0.2;

let updating: Updating;

beforeAll(async () => {
  updating = await Updating.open('alder');
  await updating.first(1);
  const board = updating.start();
  const { board: id } = await boardWhen(
    updating.federation,
    'the board to be at home',
    BOOT_LIMIT_MS,
    ({ system }) => system?.slot === 'a',
  );
  expect(board.transcript).not.toMatch(/Kernel panic/);
  await updating.follow(id);
});
afterAll(async () => updating?.close());

/** Mulberry32: which moments they are is known afterwards. */
const seeded = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const MIB = 1024 ** 2;
/** So much is written at most between one cut and the next: while the root is, while the boot partition is, and from then on. */
const STEPS = { root: 16 * MIB, boot: 2 * MIB, after: 0.125 * MIB };
/** Cards that are kept, at least half of them. */
const CUTS_MAX = 48;

/** Of one update: cards as they were. When that is depends on what was written to them, not on how fast. */
const cutsDuring = async (seed: number, release: string): Promise<string[]> => {
  const draw = seeded(seed);
  const { machine, card } = updating;
  const isOver = (): boolean => machine.transcript.includes(`${release} works and is kept`);
  const looks = (): string => spawnSync('mdir', ['-a', '-i', `${card}@@1M`, '::lichen/b'], { encoding: 'utf8' }).stdout;
  const before = looks();
  const step = (): number => {
    if (machine.transcript.includes(`${release} is in the other slot`)) return STEPS.after;
    return looks() === before ? STEPS.root : STEPS.boot;
  };
  let cuts: string[] = [];
  let wider = 1;
  for (let last = machine.writtenBytes, part = draw(), made = 0; !isOver(); await sleep(100)) {
    if (machine.writtenBytes - last < part * step() * wider) continue;
    const cut = updating.at(`cut-${made++}`);
    await machine.still(() => copyCard(card, cut));
    cuts.push(cut);
    [last, part] = [machine.writtenBytes, draw()];
    if (cuts.length < CUTS_MAX) continue;
    // More is written than was thought: every other one goes, and the next are further apart.
    for (const odd of cuts.filter((_, place) => place % 2 === 1)) rmSync(odd);
    cuts = cuts.filter((_, place) => place % 2 === 0);
    wider *= 2;
  }
  return cuts;
};

/** Without a network: it is one board, and others are it at the same time. */
const startsFromCut = async (card: string, slot: string): Promise<void> => {
  const board = new Machine({ disks: [{ path: card }], memoryMib: 512, alone: true });
  try {
    expect(await board.line(/started from slot/, BOOT_LIMIT_MS)).toContain(`slot ${slot}`);
    await board.line(/"line":"running"/, BOOT_LIMIT_MS);
    expect(board.transcript).not.toMatch(/lost some of the root|Kernel panic/);
  } finally {
    await board.close();
  }
};

test(
  `whenever in an update the plug is pulled, one of both systems starts, whole: ${CUTS} times`,
  async () => {
    const second = await updating.offer(2, (root) => root.set('etc/second', text('two\n'.repeat(1000))));
    const cuts = await cutsDuring(SEED, second);
    const systems = { a: systemIn(updating.at('system-1')), b: systemIn(updating.at('system-2')) };
    // Those that are started are as far apart as they can be.
    const slots = cuts.map((card) => startsFrom(card, systems, updating.at('scratch')));
    process.stderr.write(`seed ${SEED}: the card at ${cuts.length} moments, and what would be started: ${slots.join(' ')}\n`);
    const chosen = Array.from({ length: CUTS }, (_, at) => Math.floor((at * cuts.length) / CUTS));
    expect(new Set(chosen).size, `${cuts.length} moments were seen`).toBe(CUTS);
    const row = await boardWhen(updating.federation, 'the update', UPDATE_LIMIT_MS, runs(second));
    expect(phase(row)).toBe('b kept');
    await updating.machine.close();
    for (let next = 0; next < CUTS; next += BESIDE)
      await Promise.all(chosen.slice(next, next + BESIDE).map((cut) => startsFromCut(cuts[cut] ?? '', slots[cut] ?? '')));
    expect(new Set(slots), 'before and after').toEqual(new Set(['a', 'b']));
  },
  2 * UPDATE_LIMIT_MS + (CUTS / BESIDE) * BOOT_LIMIT_MS,
);

test(
  'a board whose plug is pulled again and again is updated in the end, also over a slot of which the card has lost a byte meanwhile',
  async () => {
    const draw = seeded(SEED);
    await spoilFile(updating.card, 'a', /^usr\/bin\/node$/);
    // Nobody reads the slot that is not run.
    expect(await updating.start().line(/started from slot|lost some of the root/, BOOT_LIMIT_MS)).toContain('started from slot b');
    const third = await updating.offer(3, (root) => root.set('etc/third', text('three\n'.repeat(1000))));
    const began = performance.now();
    let times = 0;
    for (; times < PULLS_LEAST || performance.now() - began < CUTS_MS; times++) {
      await updating.machine.line(/started from slot/, BOOT_LIMIT_MS);
      if (draw() > EARLY) await updating.machine.line(/"line":"at home"/, BOOT_LIMIT_MS);
      await sleep(draw() * CUT_WITHIN_MS);
      await updating.machine.close();
      updating.start();
    }
    process.stderr.write(`the plug was pulled ${times} times\n`);
    const row = await boardWhen(updating.federation, 'the update', UPDATE_LIMIT_MS, runs(third));
    expect(phase(row)).toBe('a kept');
  },
  CUTS_MS + 2 * UPDATE_LIMIT_MS,
);
