/** An owner's word on a system as the command line signs it, and what a person reads of a board's. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Board } from '../../../gateway/cli/answers.ts';
import { systemText } from '../../../gateway/cli/board-update.ts';
import type { Client } from '../../../gateway/cli/client.ts';
import { planOf, planText } from '../../../gateway/cli/update-plan.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { BOARD } from '../../support/board-world.ts';
import { testCrypto } from '../../support/crypto.ts';
import { PUBLISHER } from '../../support/federation.ts';
import { refused, told } from './command.ts';

let folder: string;
let place: { cwd: string; env: Record<string, string> };
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-board-update-'));
  place = { cwd: folder, env: {} };
  await told(['key', 'new', 'owner.key'], place);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const RELEASE = 'ab'.repeat(32);

describe('board update', () => {
  const words = ['board', 'update', '--board', BOARD, '--owner-key', 'owner.key', '--version', '3', '--out', 'word.cose'];
  const signed = () => unseal(testCrypto, upkeepNoun, new Uint8Array(readFileSync(join(folder, 'word.cose')))).value;

  test('signs whose images a board follows, and which', async () => {
    const made = await told<{ owner: string }>([...words, '--publisher', PUBLISHER, '--release', RELEASE], place);
    const boards = [{ board: BOARD, version: 3, wave: null, file: 'word.cose' }];
    expect(made).toEqual({ owner: made.owner, publisher: PUBLISHER, release: RELEASE, boards, plan: null });
    expect({ ...signed(), release: hex(signed().release ?? new Uint8Array()) }).toEqual({
      ...{ v: 1, board: BOARD, owner: made.owner, version: 3, publisher: PUBLISHER, release: RELEASE },
    });
  });

  test('signs at what times of the day', async () => {
    await told([...words, '--publisher', PUBLISHER, '--window', '01:00-02:30'], place);
    expect(signed().windows).toEqual([{ fromMinute: 60, minutes: 90 }]);
    expect(signed().rollout).toBeUndefined();
  });

  test('signs that it follows nobody', async () => {
    expect(await told([...words, '--end'], place)).toMatchObject({ publisher: null, release: null });
    expect(signed()).toMatchObject({ publisher: null });
  });

  test('refuses a board that is named twice, and waves for whom follows nobody', async () => {
    await refused('bad-usage', 64, [...words, BOARD, '--publisher', PUBLISHER], place);
    await refused('bad-usage', 64, [...words, '--end', '--wave', '1'], place);
    await refused('bad-usage', 64, ['board', 'update', '--owner-key', 'owner.key', '--publisher', PUBLISHER], place);
  });

  test.each([[[]], [['--end', '--publisher', PUBLISHER]], [['--publisher', PUBLISHER, '--release', 'ab']]])('refuses %j', async (more) => {
    await refused('bad-usage', 64, [...words, ...more], place);
  });
});

describe('the plan of an update', () => {
  const image = { ...{ image: 'generic-amd64', part: 'system', publisher: PUBLISHER, missing: 0 } };
  const releases = [
    { ...image, release: 'aa', sequence: 2 },
    { ...image, release: 'bb', sequence: 3 },
    { ...image, release: 'cc', sequence: 9, missing: 4 },
    { ...image, release: 'dd', sequence: 9, part: 'runtime', image: 'pi' },
  ];
  const asked: unknown[] = [];
  // Of the client no more than this is used.
  const client = {
    ask: (route: string, input?: unknown) => {
      if (route === 'releases') return Promise.resolve(releases);
      asked.push(input);
      return Promise.resolve({ wireBytes: 1_500_000 });
    },
  } as unknown as Client;
  const row = (board: string, release: string | null, kind = 'generic-amd64') =>
    ({ board, offer: { image: { board: kind, parts: ['system'] } }, system: { release }, runtime: { release: 'ee' } }) as unknown as Board;

  test('says who is given what after what, and how much of it', async () => {
    const known = [row('one', 'aa'), row('two', null), row('three', 'bb'), row('four', 'aa', 'pi')];
    const plan = [
      { who: 'the first 1', boards: ['one'] },
      { who: 'all others', boards: ['two', 'three', 'four'] },
    ];
    const told = await planOf(client, { publisher: PUBLISHER, plan, known, kbitPerS: 100, bakeMs: 600_000 });
    const system = { part: 'system' };
    const given = { ...system, release: 'bb', bytes: 1_500_000, minutes: 2 };
    expect(told.waves).toEqual([
      { who: 'the first 1', afterMinutes: 0, boards: [{ board: 'one', before: 'aa', ...given }] },
      {
        who: 'all others',
        afterMinutes: 12,
        boards: [
          { board: 'two', before: null, ...given },
          { ...system, board: 'three', before: 'bb', release: 'bb', bytes: 0, minutes: 0 },
          { ...system, board: 'four', before: 'aa', release: null, bytes: 0, minutes: 0 },
          { board: 'four', part: 'runtime', before: 'ee', release: 'dd', bytes: 1_500_000, minutes: 2 },
        ],
      },
    ]);
    expect(asked).toEqual([
      { path: { release: 'bb' }, query: { from: 'aa' } },
      { path: { release: 'bb' }, query: {} },
      { path: { release: 'dd' }, query: {} },
    ]);
    expect(planText(told)).toMatch(
      /wave 1, the first 1: 1 of them\n {2}board one: aa to bb, at most 1\.4 MiB, 2 min\nwave 2, all others, 12 min later: 3 of them\n/,
    );
    expect(planText(told)).toMatch(/board four, its runtime: ee to dd/);
  });
});

describe('what runs on a board', () => {
  const update = { release: RELEASE, phase: 'trial' as const, detail: '' };
  const none = { slot: 'image', release: null, update: null, fleet: null };

  test('is said in a few words', () => {
    expect(systemText({ system: null, runtime: null })).toBe('-');
    expect(systemText({ system: { slot: 'a', release: null, update: null, fleet: null }, runtime: none })).toBe('a:card');
    expect(
      systemText({ system: { slot: 'b', release: RELEASE, update: { ...update, phase: 'kept' as const }, fleet: null }, runtime: none }),
    ).toMatch(/^b:abab\S*$/);
    const failing = {
      slot: 'a',
      release: null,
      update: { ...update, phase: 'failed' as const, detail: 'it did not come home' },
      fleet: null,
    };
    expect(systemText({ system: failing, runtime: none })).toMatch(/^a:card, abab\S* failed \(it did not come home\)$/);
    expect(
      systemText({
        system: { slot: 'a', release: null, update: null, fleet: null },
        runtime: { slot: 'data', release: RELEASE, update: null, fleet: null },
      }),
    ).toMatch(/^a:card; runtime data:abab/);
    const fleet = {
      release: RELEASE,
      state: 'rolling' as const,
      wave: 2,
      open: 1,
      of: 3,
      trial: 'old' as const,
      why: 'board x is out of reach',
    };
    expect(systemText({ system: { slot: 'a', release: null, update: null, fleet }, runtime: none })).toMatch(
      /^a:card, abab\S* in wave 1 of 3, this board is in 2: board x is out of reach$/,
    );
  });
});
