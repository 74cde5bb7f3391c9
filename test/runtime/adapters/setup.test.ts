/** `lichen.json`: what is taken from it, what is left of it, and what is said of one that is wrong. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetClaim, importSetup, readSetup } from '../../../runtime/adapters/setup.ts';
import { formatClaim } from '../../../runtime/protocol/claim.ts';
import { idFrom } from '../../../runtime/protocol/ids.ts';

let folder: string;
let file: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lichen-setup-'));
  file = join(folder, 'lichen.json');
  data = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true }));

const claim = formatClaim({
  v: 1,
  token: new Uint8Array(32),
  gateway: idFrom('a'.repeat(32)),
  key: new Uint8Array(32),
  operator: idFrom('b'.repeat(32)),
  address: '192.0.2.1:8883',
});

test('is kept where only the board reads it, and is gone from the card', () => {
  writeFileSync(file, `\ufeff${JSON.stringify({ claim, hostname: 'beech', capacity: 'partitions=2' })}`);
  importSetup(file, data);
  expect(existsSync(file)).toBe(false);
  expect(readSetup(data)).toEqual({ claim, hostname: 'beech', capacity: 'partitions=2' });
  expect(statSync(join(data, 'setup.json')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(data, 'hostname'), 'utf8')).toBe('beech\n');
});

test('its claim is forgotten once it was used, and nothing else', () => {
  writeFileSync(file, JSON.stringify({ claim, proxy: '10.0.0.1:3128' }));
  importSetup(file, data);
  forgetClaim(data);
  expect(readSetup(data)).toEqual({ proxy: '10.0.0.1:3128' });
  expect(readFileSync(join(data, 'setup.json'), 'utf8')).not.toContain('LICHEN1');
});

test('a board that was given none has none', () => expect(readSetup(folder)).toEqual({}));

test.each([
  ['half written', '{"claim": "LICH', /half written/],
  ['a misspelt word', '{"host": "beech"}', /host/],
  ['a name that is no host name', '{"hostname": "My Board"}', /hostname|letters/],
  ['a claim that is none', '{"claim": "LICHEN1:AAAA"}', /lichen board claim/],
  ['no claim at all', '{"claim": "secret"}', /lichen board claim/],
  ['not an object', '[]', /lichen.json/],
  ['too long', JSON.stringify({ hostname: 'a'.repeat(9000) }), /longer/],
])('%s is refused with the reason, and left for whoever wrote it', (_name, text, why) => {
  writeFileSync(file, text);
  expect(() => importSetup(file, data)).toThrow(why);
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect(readSetup(folder)).toEqual({});
});
