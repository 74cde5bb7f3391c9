/** Secrets: opened for a start by the board that they are sealed to, for the request that they are in, and never told. */
import { expect, test } from 'vitest';
import { nodeSealer } from '../../../runtime/adapters/hpke.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, TenantId } from '../../../runtime/protocol/ids.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { SECRETS_INFO, type SecretsText, secretsText } from '../../../runtime/protocol/nouns/secrets.ts';
import { BOARD, BoardWorld, OPENER, type Placed, placed } from '../../support/board-world.ts';
import { idOf, request } from '../../support/federation.ts';

const PASSWORD = utf8('correct horse');

const boxOf = (changes: Partial<SecretsText> = {}, to: Bytes = OPENER.publicKey): Bytes => {
  const { tenant, name } = request();
  const text = encodeAs(secretsText, { v: 1, tenant, name, board: BOARD, files: { password: PASSWORD }, ...changes }, 'secrets');
  return nodeSealer.sealTo(to, utf8(SECRETS_INFO), new Uint8Array(0), text, new Uint8Array(32).fill(3));
};

const started = (box: Bytes, board: BoardId = BOARD): { world: BoardWorld; one: Placed } => {
  const world = new BoardWorld();
  const one = placed(world, { request: { secrets: [{ board, box }] } });
  world.pair().assign(one).pass(5_000);
  return { world, one };
};
const given = (world: BoardWorld): Record<string, Bytes>[] =>
  world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.secrets] : []));

test('are given with each start, also by a board that reaches nobody [secrets-2]', () => {
  const { world, one } = started(boxOf());
  expect(given(world).map(({ password }) => hex(password!))).toEqual([hex(PASSWORD)]);
  for (const gateway of world.gateways) gateway.up = false;
  world.cut();
  world.reboot().pass(60_000);
  expect(given(world).length).toBeGreaterThan(1);
  expect(hex(given(world).at(-1)!.password!)).toBe(hex(PASSWORD));
  expect(world.instance(one.lease)).not.toBeNull();
});

test('stand in nothing that a board keeps, tells or says [secrets-3]', () => {
  const { world } = started(boxOf());
  const text = hex(PASSWORD);
  for (const [, { value }] of world.disk.rows) expect(hex(value ?? new Uint8Array())).not.toContain(text);
  expect(JSON.stringify(world.gateways.map(({ reports }) => reports))).not.toContain('correct horse');
  expect(world.journal.join()).not.toContain('correct horse');
});

test.each<[string, () => Bytes, BoardId, string]>([
  ['to another board only', () => boxOf(), idOf<BoardId>('board 2'), 'not-offered'],
  ['to another key', () => boxOf({}, nodeKey()), BOARD, 'bad-signature'],
  ["for another tenant's request", () => boxOf({ tenant: idOf<TenantId>('second tenant') }), BOARD, 'wrong-signer'],
  ['for another request', () => boxOf({ name: 'other' }), BOARD, 'wrong-signer'],
  ['for another board, and put into this place', () => boxOf({ board: idOf<BoardId>('board 2') }), BOARD, 'wrong-signer'],
  ['and changed', () => boxOf().fill(0, 40, 44), BOARD, 'bad-signature'],
])('sealed %s: nothing is started, and it is said why [secrets-1]', (_what, box, board, code) => {
  const { world, one } = started(box(), board);
  expect(given(world)).toEqual([]);
  expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringMatching(`^${code}: `) });
});

const nodeKey = (): Bytes => Uint8Array.from([9, ...new Uint8Array(31)]);
