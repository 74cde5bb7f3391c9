/** A board that gives itself another system: fetched from its gateway, tried, kept; a bad one is left, and the plug is pulled at will. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Tree, text } from '../../firmware-images/tree.ts';
import { until } from '../../sim/harness/wait.ts';
import { told } from '../gateway/cli/command.ts';
import { copyCard, startsFrom, systemIn } from './cut.ts';
import { type BoardRow, boardWhen, type Federation, makePublisher, openFederation, writeSetup } from './federation.ts';
import { otherImage, putOn, spoilFile, type TestImage, testImage, writeCard } from './image.ts';
import { Machine } from './machine.ts';

const HELLO = fileURLToPath(new URL('../../recipes/hello-sensor', import.meta.url));
const BOOT_LIMIT_MS = 600_000;
/** The running slot is read, cut and copied by an emulated processor. */
const UPDATE_LIMIT_MS = 1_200_000;
const SEED = Number(process.env.LICHEN_SEED ?? 1);
/** Of so many moments of an update the card is started as it was; so many at once. */
const [CUTS, BESIDE] = [20, 2];
/** As many times as fit in so long the plug is pulled. */
/** However slowly it starts. */
const PULLS_LEAST = 2;
const CUTS_MS = Number(process.env.LICHEN_CUTS_MS ?? 60_000);
const CUT_WITHIN_MS = 45_000;
const EARLY = 0.2;

let folder: string;
let image: TestImage;
let federation: Federation;
let machine: Machine;
let publisher: string;
const at = (path: string): string => join(folder, path);

const start = (): Machine => {
  machine = new Machine({ disks: [{ path: at('card') }], memoryMib: 512, reboots: true, reaches: [federation.gateway.ready.port] });
  return machine;
};

/** Makes and pushes a system; the board's owner has it follow the publisher from the first one on. */
const offer = async (sequence: number, change: (root: Tree) => void): Promise<string> => {
  const name = `system-${sequence}`;
  await otherImage(image, at(`${name}.img`), change);
  const words = ['--key', 'release.key', '--publisher', publisher, '--sequence', String(sequence), '--label', `test ${sequence}`];
  const { release } = await told<{ release: string }>(['image', 'release', at(`${name}.img`), ...words, '--out', name], federation.place);
  await told(['release', 'push', name, '--publisher', 'publisher-1.cose'], federation.place);
  rmSync(at(`${name}.img`));
  return release;
};

const phase = ({ system }: BoardRow): string => `${system?.slot} ${system?.update?.phase ?? '-'}`;
const runs = (release: string) => (row: BoardRow) => row.here && row.system?.release === release && row.system.update?.phase === 'kept';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-update-'));
  image = await testImage();
  federation = await openFederation(folder);
  publisher = await makePublisher(federation);
  const setup = await writeSetup(federation, 'beech');
  writeCard(image, at('card'));
  putOn(at('card'), setup, 'lichen.json');
});

afterAll(async () => {
  await machine?.close();
  await federation?.gateway.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

let second: string;

test('a board updates itself from its gateway, comes back on the new slot and says so', async () => {
  const board = start();
  const { board: id } = await boardWhen(federation, 'the board to be at home', BOOT_LIMIT_MS, ({ system }) => system?.slot === 'a');
  second = await offer(2, (root) => root.set('etc/second', text('two\n')));
  await told(['board', 'update', '--board', id, '--owner-key', 'owner.key', '--publisher', publisher], federation.place);
  await board.line(/is in the other slot, and is started next/, UPDATE_LIMIT_MS);
  await board.line(/started from slot b/, BOOT_LIMIT_MS);
  await board.line(/slot b works and is kept/, BOOT_LIMIT_MS);
  const row = await boardWhen(federation, 'the board to say so', BOOT_LIMIT_MS, runs(second));
  expect(phase(row)).toBe('b kept');
});

test('a slot of which the card has lost a byte is left for the other one, and given again', async () => {
  await machine.close();
  await spoilFile(at('card'), 'b', /^usr\/bin\/node$/);
  const board = start();
  await board.line(/lost some of the root of slot b: slot a is started instead/, BOOT_LIMIT_MS);
  await board.line(/started from slot a/, BOOT_LIMIT_MS);
  await board.line(/is in the other slot, and is started next/, UPDATE_LIMIT_MS);
  const row = await boardWhen(federation, 'the board to have it again', UPDATE_LIMIT_MS, runs(second));
  expect(phase(row)).toBe('b kept');
  expect(board.transcript).not.toMatch(/Kernel panic/);
});

interface Instance {
  name: string;
  report: { state: string; promise: string } | null;
}

/** The one instance, once its promise holds. */
const instanceHeld = (): Promise<Instance> =>
  until('the promise to hold', BOOT_LIMIT_MS, async () => {
    const [row] = await told<Instance[]>(['instance', 'list'], federation.place);
    return row?.report?.promise === 'held' ? row : null;
  });

const runInstance = async (board: string): Promise<Instance> => {
  const { place } = federation;
  const terms = ['--owner-key', 'owner.key', '--payee', 'DE02', '--currency', 'EUR'];
  await told(['board', 'bind', '--board', board, ...terms], place);
  const recipe = [HELLO, '--key', 'release.key', '--publisher', publisher, '--sequence', '1', '--out', 'hello', '--cache', 'cache'];
  const { release } = await told<{ release: string }>(['release', 'build', ...recipe], place);
  await told(['tenant', 'admit', '--key', 'tenant.key', '--name', 'Museum'], place);
  await told(['release', 'push', 'hello'], place);
  const wish = ['--tenant-key', 'tenant.key', '--release', release, '--name', 'museum', '--cap', '5.00', '--currency', 'EUR'];
  await told(['request', 'make', ...wish, '--out', 'museum.request'], place);
  await told(['request', 'push', 'museum.request', 'museum.request.voucher'], place);
  return instanceHeld();
};

test('its runtime is replaced alone, while an instance runs on', async () => {
  const { board: id } = await boardWhen(federation, 'the board', BOOT_LIMIT_MS, ({ here }) => here);
  await runInstance(id);
  const started = machine.transcript.split('"line":"running"').length;
  const words = ['--key', 'release.key', '--publisher', publisher, '--sequence', '1', '--label', 'test', '--out', 'runtime'];
  const { release } = await told<{ release: string }>(['image', 'runtime', 'generic-amd64', ...words], federation.place);
  await told(['release', 'push', 'runtime'], federation.place);
  await machine.line(new RegExp(`runtime: ${release} works and is kept`), UPDATE_LIMIT_MS);
  const row = await boardWhen(
    federation,
    'the board to say so',
    BOOT_LIMIT_MS,
    ({ here, runtime }) => here && runtime?.release === release && runtime.update?.phase === 'kept',
  );
  expect(row).toMatchObject({ system: { slot: 'b', release: second }, runtime: { slot: 'data' } });
  expect(machine.transcript.split('"line":"running"')).toHaveLength(started + 1);
  expect((await instanceHeld()).report).toMatchObject({ state: 'running' });
  expect(machine.transcript).not.toMatch(/"line":"instance /);
});

test('one that does not start is tried three times, and left; it is not tried again', async () => {
  const bad = await offer(3, (root) => root.delete('usr/sbin/linuxrc'));
  const row = await boardWhen(
    federation,
    'the board to be back',
    UPDATE_LIMIT_MS,
    ({ here, system }) => here && system?.update?.phase === 'failed',
  );
  expect(row.system).toMatchObject({ slot: 'b', release: second, update: { release: bad, phase: 'failed' } });
  expect(machine.transcript.match(/Attempted to kill init/g)).toHaveLength(3);
});

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
const STEPS = { root: 48 * MIB, boot: 4 * MIB, after: 0.5 * MIB };
/** Cards that are kept, at least half of them. */
const CUTS_MAX = 48;

/** Of one update: cards as they were. When that is depends on what was written to them, not on how fast. */
const cutsDuring = async (seed: number, isOver: () => boolean): Promise<string[]> => {
  const draw = seeded(seed);
  const looks = (): string => spawnSync('mdir', ['-a', '-i', `${at('card')}@@1M`, '::lichen/a'], { encoding: 'utf8' }).stdout;
  const before = looks();
  const step = (): number => {
    if (machine.transcript.includes(`${fourth} is in the other slot`)) return STEPS.after;
    return looks() === before ? STEPS.root : STEPS.boot;
  };
  let cuts: string[] = [];
  let wider = 1;
  for (let last = machine.writtenBytes, part = draw(), made = 0; !isOver(); await sleep(100)) {
    if (machine.writtenBytes - last < part * step() * wider) continue;
    const cut = at(`cut-${made++}`);
    await machine.still(() => copyCard(at('card'), cut));
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

let fourth: string;

test(
  `whenever in an update the plug is pulled, one of both systems starts, whole: ${CUTS} times`,
  async () => {
    fourth = await offer(4, (root) => root.set('etc/fourth', text('four\n'.repeat(1000))));
    const cuts = await cutsDuring(SEED, () => machine.transcript.includes(`${fourth} works and is kept`));
    const systems = { a: systemIn(at('system-4')), b: systemIn(at('system-2')) };
    // Those that are started are as far apart as they can be.
    const slots = cuts.map((card) => startsFrom(card, systems, at('scratch')));
    process.stderr.write(`seed ${SEED}: the card at ${cuts.length} moments, and what would be started: ${slots.join(' ')}\n`);
    const chosen = Array.from({ length: CUTS }, (_, at) => Math.floor((at * cuts.length) / CUTS));
    expect(new Set(chosen).size, `${cuts.length} moments were seen`).toBe(CUTS);
    const row = await boardWhen(federation, 'the update', UPDATE_LIMIT_MS, runs(fourth));
    expect(phase(row)).toBe('a kept');
    await machine.close();
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
    await spoilFile(at('card'), 'b', /^usr\/bin\/node$/);
    // Nobody reads the slot that is not run.
    expect(await start().line(/started from slot|lost some of the root/, BOOT_LIMIT_MS)).toContain('started from slot a');
    const fifth = await offer(5, (root) => root.set('etc/fifth', text('five\n'.repeat(1000))));
    const began = performance.now();
    let times = 0;
    for (; times < PULLS_LEAST || performance.now() - began < CUTS_MS; times++) {
      await machine.line(/started from slot/, BOOT_LIMIT_MS);
      if (draw() > EARLY) await machine.line(/"line":"at home"/, BOOT_LIMIT_MS);
      await sleep(draw() * CUT_WITHIN_MS);
      await machine.close();
      start();
    }
    process.stderr.write(`the plug was pulled ${times} times\n`);
    const row = await boardWhen(federation, 'the update', UPDATE_LIMIT_MS, runs(fifth));
    expect(phase(row)).toBe('b kept');
  },
  CUTS_MS + 2 * UPDATE_LIMIT_MS,
);
