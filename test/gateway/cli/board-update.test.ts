/** An owner's word on a system as the command line signs it, and what a person reads of a board's. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemText } from '../../../gateway/cli/board-update.ts';
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
    expect(made).toEqual({ board: BOARD, owner: made.owner, version: 3, publisher: PUBLISHER, release: RELEASE, file: 'word.cose' });
    expect({ ...signed(), release: hex(signed().release ?? new Uint8Array()) }).toEqual({
      ...{ v: 1, board: BOARD, owner: made.owner, version: 3, publisher: PUBLISHER, release: RELEASE },
    });
  });

  test('signs that it follows nobody', async () => {
    expect(await told([...words, '--end'], place)).toMatchObject({ publisher: null, release: null });
    expect(signed()).toMatchObject({ publisher: null });
  });

  test.each([[[]], [['--end', '--publisher', PUBLISHER]], [['--publisher', PUBLISHER, '--release', 'ab']]])('refuses %j', async (more) => {
    await refused('bad-usage', 64, [...words, ...more], place);
  });
});

describe('what runs on a board', () => {
  const update = { release: RELEASE, phase: 'trial' as const, detail: '' };
  const none = { slot: 'image', release: null, update: null };

  test('is said in a few words', () => {
    expect(systemText({ system: null, runtime: null })).toBe('-');
    expect(systemText({ system: { slot: 'a', release: null, update: null }, runtime: none })).toBe('a:card');
    expect(systemText({ system: { slot: 'b', release: RELEASE, update: { ...update, phase: 'kept' } }, runtime: none })).toMatch(
      /^b:abab\S*$/,
    );
    const failing = { slot: 'a', release: null, update: { ...update, phase: 'failed' as const, detail: 'it did not come home' } };
    expect(systemText({ system: failing, runtime: none })).toMatch(/^a:card, abab\S* failed \(it did not come home\)$/);
    expect(
      systemText({ system: { slot: 'a', release: null, update: null }, runtime: { slot: 'data', release: RELEASE, update: null } }),
    ).toMatch(/^a:card; runtime data:abab/);
  });
});
