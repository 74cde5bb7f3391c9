/** A board that gives itself another system: fetched from its gateway, tried, kept; a bad one is left, and its runtime is replaced alone. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { text } from '../../firmware-images/tree.ts';
import { until } from '../../sim/harness/wait.ts';
import { told } from '../gateway/cli/command.ts';
import { boardWhen, type Federation } from './federation.ts';
import { spoilFile } from './image.ts';
import { BOOT_LIMIT_MS, phase, runs, UPDATE_LIMIT_MS, Updating } from './updating.ts';

const HELLO = fileURLToPath(new URL('../../recipes/hello-sensor', import.meta.url));

let updating: Updating;
let federation: Federation;

beforeAll(async () => {
  updating = await Updating.open('beech');
  ({ federation } = updating);
});
afterAll(async () => updating?.close());

let second: string;

test('a board updates itself from its gateway, comes back on the new slot and says so', async () => {
  const board = updating.start();
  const { board: id } = await boardWhen(federation, 'the board to be at home', BOOT_LIMIT_MS, ({ system }) => system?.slot === 'a');
  second = await updating.offer(2, (root) => root.set('etc/second', text('two\n')));
  await updating.follow(id);
  await board.line(/is in the other slot, and is started next/, UPDATE_LIMIT_MS);
  await board.line(/started from slot b/, BOOT_LIMIT_MS);
  await board.line(/slot b works and is kept/, BOOT_LIMIT_MS);
  const row = await boardWhen(federation, 'the board to say so', BOOT_LIMIT_MS, runs(second));
  expect(phase(row)).toBe('b kept');
});

test('a slot of which the card has lost a byte is left for the other one, and given again', async () => {
  await updating.machine.close();
  await spoilFile(updating.card, 'b', /^usr\/bin\/node$/);
  const board = updating.start();
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
  const { publisher } = updating;
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
  const { machine } = updating;
  const started = machine.transcript.split('"line":"running"').length;
  const words = ['--key', 'release.key', '--publisher', updating.publisher, '--sequence', '1', '--label', 'test', '--out', 'runtime'];
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
  const bad = await updating.offer(3, (root) => root.delete('usr/sbin/linuxrc'));
  const row = await boardWhen(
    federation,
    'the board to be back',
    UPDATE_LIMIT_MS,
    ({ here, system }) => here && system?.update?.phase === 'failed',
  );
  expect(row.system).toMatchObject({ slot: 'b', release: second, update: { release: bad, phase: 'failed' } });
  expect(updating.machine.transcript.match(/Attempted to kill init/g)).toHaveLength(3);
});
