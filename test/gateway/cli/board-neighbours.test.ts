/** An owner's word on what a board shares, as the command line signs it. */
import { expect, test } from 'vitest';
import { wordFor } from '../../../gateway/cli/board-neighbours.ts';
import { fromHex } from '../../../runtime/protocol/bytes.ts';
import { BOARD } from '../../support/board-world.ts';
import { OWNER, PUBLISHER } from '../../support/federation.ts';
import { refused } from './command.ts';

const RELEASE = 'ab'.repeat(32);

test('the first word on a board says nothing of its system', () => {
  expect(wordFor(BOARD, OWNER, null, false)).toEqual({ v: 1, board: BOARD, owner: OWNER, version: 1, publisher: null, neighbours: false });
});

test('what else was said goes on', () => {
  const rollout = { wave: 2, tolerated: 1, bakeMs: 60_000 };
  const windows = [{ fromMinute: 60, minutes: 30 }];
  const known = { version: 4, publisher: PUBLISHER, release: RELEASE, rollout, windows, neighbours: false };
  const kept = { publisher: PUBLISHER, release: fromHex(RELEASE), rollout, windows };
  expect(wordFor(BOARD, OWNER, known, true)).toEqual({ v: 1, board: BOARD, owner: OWNER, version: 5, neighbours: true, ...kept });
});

test('it is on or off', async () => {
  await refused('bad-usage', 64, ['board', 'neighbours', 'maybe', '--board', BOARD, '--owner-key', 'owner.key'], { cwd: '/', env: {} });
});
