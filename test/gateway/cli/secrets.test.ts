/** What a tenant's machine seals, and to whom. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSecrets, sealSecrets } from '../../../gateway/cli/secrets.ts';
import { openerFromSeed } from '../../../runtime/adapters/hpke.ts';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { decodeAs, sealMany } from '../../../runtime/protocol/noun.ts';
import { rotationNoun } from '../../../runtime/protocol/nouns/request.ts';
import { SECRETS_INFO, secretsText } from '../../../runtime/protocol/nouns/secrets.ts';
import { keyOf } from '../../support/crypto.ts';
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
  return { board: board.id, owner: OWNER, hello: hex(board.hello({ signer: forger.signer })), rotations: [] as string[] };
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
  expect(noted.join()).toContain('is signed neither by the key that its id is made of nor by one after it');
  expect(sealSecrets(FILES, WHOSE, [forged, rowOf('board 2', KEY.publicKey)], () => {}).map(({ board }) => board)).toEqual([
    idOf('board 2'),
  ]);
});

test('a board that has handed over to another key is sealed to by who sees how it did, and by nobody else [secrets-5]', () => {
  const rotation = (version: number, from: string, to: string, by = [from, to]): string => {
    const doc = {
      v: 1 as const,
      kind: 'board' as const,
      subject: idOf('board 1'),
      version,
      from: keyOf(from).publicKey,
      to: keyOf(to).publicKey,
    };
    return hex(sealMany(rotationNoun, doc, by.map(keyOf)));
  };
  const row = rowOf('board 1', KEY.publicKey, 'third key');
  const good = [rotation(1, 'board 1', 'second key'), rotation(2, 'second key', 'third key')];
  const sealedWith = (rotations: string[], of = row): number => {
    try {
      return sealSecrets(FILES, WHOSE, [{ ...of, rotations }], () => {}).length;
    } catch {
      return 0;
    }
  };
  expect(sealedWith(good)).toBe(1);
  expect([[], good.slice(0, 1), good.slice(1), [good[1]!, good[0]!]].map((rotations) => sealedWith(rotations))).toEqual([0, 0, 0, 0]);
  // Of a thief who has neither key before it, and of one who has the new one alone.
  expect(sealedWith([rotation(1, 'thief', 'third key')])).toBe(0);
  expect(sealedWith([rotation(1, 'board 1', 'third key', ['third key', 'thief'])])).toBe(0);
  // The former key is the board's no more.
  expect(sealedWith(good, rowOf('board 1', KEY.publicKey))).toBe(0);
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
