/** What was said of a board is kept with its data; a claim only until it was used. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetClaim, keepSetup, readSetup, readTold } from '../../../runtime/adapters/setup.ts';
import { formatClaim } from '../../../runtime/protocol/claim.ts';
import { idFrom } from '../../../runtime/protocol/ids.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'lichen-setup-'));
});
afterEach(() => rmSync(data, { recursive: true }));

const claim = formatClaim({
  v: 1,
  token: new Uint8Array(32),
  gateway: idFrom('a'.repeat(32)),
  key: new Uint8Array(32),
  operator: idFrom('b'.repeat(32)),
  address: '192.0.2.1:8883',
});

test('a claim is forgotten once it was used, and nothing else', () => {
  keepSetup(data, { claim, proxy: '10.0.0.1:3128' });
  forgetClaim(data);
  expect(readSetup(data)).toEqual({ proxy: '10.0.0.1:3128' });
  expect(readFileSync(join(data, 'setup.json'), 'utf8')).not.toContain('LICHEN1');
});

test('what a card has spoilt is put aside and told, not stumbled over for ever', () => {
  writeFileSync(join(data, 'setup.json'), '\0\0\0');
  const said: string[] = [];
  expect(readSetup(data, (line) => said.push(line))).toEqual({});
  expect(said).toEqual([expect.stringContaining('lichen.json again')]);
  keepSetup(data, { hostname: 'beech' });
  expect(readSetup(data)).toEqual({ hostname: 'beech' });
});

test('a board that was given nothing has nothing', () => {
  expect(readSetup(data)).toEqual({});
  expect(readTold(join(data, 'none'))).toEqual({ imported: [], ignored: [], wrong: [] });
});

test('what the start told is read back as it was', () => {
  const told = { imported: ['claim'], ignored: [], wrong: [{ file: 'user-data', why: 'a', next: 'b' }] };
  writeFileSync(join(data, 'told'), JSON.stringify(told));
  expect(readTold(join(data, 'told'))).toEqual(told);
});
