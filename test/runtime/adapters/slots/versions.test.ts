/** The runtime in two versions, and the script of the image that chooses between them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openVersions } from '../../../../runtime/adapters/slots/versions.ts';
import type { Slots, SlotsContentEvent, SlotsEvent, SlotsStep } from '../../../../runtime/ports/slots.ts';
import { entriesOf, receive } from '../../../contract/receive.ts';
import { filesOf } from '../../../support/files-of.ts';
import { FIRST_ROOT, hexOf, runtimeRelease, system } from '../../../support/system.ts';

const SCRIPT = fileURLToPath(new URL('../../../../firmware-images/board-files/slots', import.meta.url));
const [two, three] = [runtimeRelease(2), runtimeRelease(3)];

let folder: string;
let ends = 0;
/** Of the system; another one brings its own runtime. */
let slot = 'a';
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-versions-'));
  writeFileSync(at('own.mjs'), FIRST_ROOT);
  [ends, slot] = [0, 'a'];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As the image starts a runtime: `release` is empty for the one that came with the system. */
const start = (): { release: string; door: Slots } => {
  const says = `tell() { :; }; own_slot() { echo ${slot}; }; . ${SCRIPT}; VERSIONS=${at('versions')}; choose_runtime; echo "$release|$file|$system"`;
  const [release = '', file = '', on = ''] = execFileSync('sh', ['-c', says], { encoding: 'utf8' }).trim().split('|');
  const door = openVersions({
    ...{ path: at('versions'), running: release === '' ? null : release, system: on, forgetCached: () => {} },
    file: release === '' ? at('own.mjs') : file,
    restart: () => {
      ends++;
    },
  });
  return { release, door };
};

const NOWHERE = { running: null, system: 'a:', forgetCached: () => {}, restart: () => {} };

const perform = (door: Slots, step: SlotsStep): Promise<SlotsEvent | SlotsContentEvent> =>
  new Promise((answer) => door.perform(step, answer));
const survey = async (door: Slots) => {
  const event = await perform(door, { kind: 'survey-slots' });
  return event.kind === 'slots-surveyed' ? event.state : null;
};
const arm = async (door: Slots, one = two): Promise<void> => {
  await receive(door, one);
  expect(await perform(door, { kind: 'arm', release: one.release })).toMatchObject({ kind: 'armed' });
};

describe('the runtime alone', () => {
  test('is the one of the system until there is another, which is started and kept', async () => {
    const first = start();
    expect([first.release, await survey(first.door)]).toMatchObject(['', { running: 'image', trial: false, idle: 'empty' }]);
    await arm(first.door);
    expect(await survey(first.door)).toMatchObject({ idle: 'armed', idleRelease: hexOf(two) });
    const second = start();
    expect(second.release).toBe(hexOf(two));
    expect(readFileSync(at(`versions/${second.release}.mjs`))).toEqual(Buffer.from(two.root));
    expect(await survey(second.door)).toMatchObject({ running: 'data', runningRelease: hexOf(two), trial: true });
    expect(await perform(second.door, { kind: 'keep' })).toEqual({ kind: 'slot-kept' });
    for (let again = 0; again < 5; again++) expect(start().release).toBe(hexOf(two));
    expect(await survey(start().door)).toMatchObject({ trial: false, runningRelease: hexOf(two) });
  });

  test('[delivery-13] is given piece by piece: while it comes, and as what runs', async () => {
    const pieces = filesOf(entriesOf(two)).flatMap(({ file, pieces: all }) =>
      [...all].map(({ offset, chunk }) => ({ offset, chunk, file })),
    );
    const given = async (door: Slots): Promise<number> => {
      const all = await Promise.all(pieces.map(({ file, offset, chunk }) => door.read({ file, offset, chunk })));
      return all.filter((bytes) => bytes !== null).length;
    };
    const first = start().door;
    await receive(first, two);
    expect(await given(first)).toBe(pieces.length);
    await perform(first, { kind: 'arm', release: two.release });
    expect(await given(first)).toBe(pieces.length);
    expect(await given(start().door)).toBe(pieces.length);
    expect(await given(openVersions({ ...NOWHERE, path: at('elsewhere'), file: at('own.mjs') }))).toBeLessThan(pieces.length);
  });

  test('asks only for what the one that runs has not got', async () => {
    expect(await receive(start().door, two)).toBeLessThan(two.content.size - 2);
  });

  test('is started three times and not again when it is never kept', async () => {
    await arm(start().door);
    for (let tries = 0; tries < 3; tries++) expect(start().release).toBe(hexOf(two));
    const back = start();
    expect(back.release).toBe('');
    expect(await survey(back.door)).toMatchObject({ running: 'image', idle: 'spent', idleRelease: hexOf(two) });
  });

  test('is left for the one that was kept before', async () => {
    await arm(start().door);
    await perform(start().door, { kind: 'keep' });
    await arm(start().door, three);
    const trial = start();
    expect(trial.release).toBe(hexOf(three));
    expect(await perform(trial.door, { kind: 'leave' })).toEqual({ kind: 'slot-left' });
    expect(start().release).toBe(hexOf(two));
    expect(ends).toBe(0);
    trial.door.perform({ kind: 'restart' }, () => {});
    await survey(trial.door);
    expect(ends).toBe(1);
  });

  test('is not started on another system, and older ones are taken away', async () => {
    await arm(start().door);
    await perform(start().door, { kind: 'keep' });
    await arm(start().door, three);
    await perform(start().door, { kind: 'keep' });
    expect(existsSync(at(`versions/${hexOf(two)}.mjs`))).toBe(false);
    slot = 'b';
    expect(start().release).toBe('');
    slot = 'a';
    expect(start().release).toBe(hexOf(three));
  });

  test('takes no system for a runtime, and arms nothing that is not whole', async () => {
    const { door } = start();
    const step = { kind: 'receive' as const, release: two.release, entries: [] };
    expect(await perform(door, step)).toMatchObject({ kind: 'slots-refused', error: { code: 'bad-release' } });
    await expect(receive(door, system(2))).rejects.toThrow();
    expect(await perform(door, { kind: 'arm', release: two.release })).toMatchObject({ kind: 'slots-refused' });
  });
});
