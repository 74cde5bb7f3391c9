/** What a tenant's machine seals, and to whom. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSecrets, sealSecrets } from '../../../gateway/cli/secrets.ts';
import { openerFromSeed } from '../../../runtime/adapters/hpke.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { decodeAs } from '../../../runtime/protocol/noun.ts';
import { SECRETS_INFO, secretsText } from '../../../runtime/protocol/nouns/secrets.ts';
import { idOf, OWNER, TENANT } from '../../support/federation.ts';
import { OFFER, PaperBoard } from '../../support/paper-board.ts';

const KEY = openerFromSeed(new Uint8Array(32).fill(8));
const WHOSE = { tenant: TENANT, name: 'echo', filter: {} };
const FILES = { password: utf8('moin') };

const rowOf = (name: string, box: Uint8Array | null, by = name) => {
  const board = new PaperBoard(name);
  board.home = idOf<GatewayId>('gateway a');
  board.tenure = 1;
  board.offer = box === null ? OFFER : { ...OFFER, box };
  const forger = new PaperBoard(by);
  return { board: board.id, owner: OWNER, hello: hex(board.hello({ signer: forger.signer })) };
};

test('each board that is meant gets a box that it alone opens, and that says for what it is [secrets-1]', () => {
  const sealed = sealSecrets(FILES, WHOSE, [rowOf('board 1', KEY.publicKey), rowOf('board 2', null)], () => {});
  expect(sealed.map(({ board }) => board)).toEqual([idOf('board 1')]);
  const text = decodeAs(secretsText, KEY.open(utf8(SECRETS_INFO), new Uint8Array(0), sealed[0]!.box), 'secrets');
  expect(text).toEqual({ v: 1, tenant: TENANT, name: 'echo', board: idOf('board 1'), files: FILES });
});

test("nothing is sealed to a key that somebody else puts in the place of a board's [secrets-5]", () => {
  const noted: string[] = [];
  const forged = rowOf('board 1', KEY.publicKey, 'gateway a');
  expect(() => sealSecrets(FILES, WHOSE, [forged], (line) => noted.push(line))).toThrow('not-offered');
  expect(noted.join()).toContain('is not signed by the key that its id is made of');
  expect(sealSecrets(FILES, WHOSE, [forged, rowOf('board 2', KEY.publicKey)], () => {}).map(({ board }) => board)).toEqual([
    idOf('board 2'),
  ]);
});

test('a filter says who is meant', () => {
  const rows = [rowOf('board 1', KEY.publicKey), rowOf('board 2', KEY.publicKey)];
  const to = (filter: object) => sealSecrets(FILES, { ...WHOSE, filter }, rows, () => {}).length;
  expect([to({}), to({ board: idOf('board 2') }), to({ owner: OWNER })]).toEqual([2, 1, 2]);
  expect(() => to({ owner: idOf('nobody') })).toThrow('not-offered');
});

test('files are read whole, and named as files can be', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lichen-secrets-'));
  try {
    writeFileSync(join(directory, 'a'), 'x\n');
    expect(readSecrets([`api-key=${directory}/a`])).toEqual({ 'api-key': utf8('x\n') });
    expect(() => readSecrets([`../up=${directory}/a`])).toThrow('bad-usage');
    expect(() => readSecrets([`a=${directory}/a`, `a=${directory}/a`])).toThrow('given twice');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
