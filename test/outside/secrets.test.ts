/** A secret from a tenant's command line over a real gateway to the board that it is sealed to, and through the next sequence. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { openerFromSeed } from '../../runtime/adapters/hpke.ts';
import { hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { requestNoun } from '../../runtime/protocol/nouns/request.ts';
import { SECRETS_INFO, secretsText } from '../../runtime/protocol/nouns/secrets.ts';
import { until } from '../../sim/harness/wait.ts';
import { OFFER, PaperBoard } from './board.ts';
import { bindingOf, owner, piecesOf, publisher, smallRelease } from './documents.ts';
import { federate, Gateway, PATIENCE_MS, tenant } from './gateway.ts';

const LICHEN = fileURLToPath(new URL('../../gateway/lichen.ts', import.meta.url));
const KEY = openerFromSeed(new Uint8Array(32).fill(4));
const SECRET = utf8('correct horse\n');
const release = smallRelease('safe');

let gateway: Gateway;
let keeps: PaperBoard;
let plain: PaperBoard;
let directory: string;

const lichen = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [LICHEN, ...args, '--api', gateway.url], { cwd: directory, timeout: 30_000 })).stdout;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lichen-outside-'));
  writeFileSync(join(directory, 'tenant.key'), tenant.seed, { mode: 0o600 });
  writeFileSync(join(directory, 'password'), SECRET);
  gateway = await Gateway.open(await federate('north'), 'north');
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document, ...piecesOf(release));
  keeps = await PaperBoard.pair(gateway, 'keeps', owner.id);
  plain = await PaperBoard.pair(gateway, 'plain', owner.id);
  await keeps.arrive({ offer: { ...OFFER, box: KEY.publicKey } });
  await plain.arrive();
  await gateway.accepts(bindingOf(keeps.id, 1), bindingOf(plain.id, 1));
});
afterAll(async () => {
  keeps?.close();
  plain?.close();
  await gateway?.end();
  rmSync(directory, { recursive: true, force: true });
});

const sealedIn = async (sequence: number) => {
  const entries = await until('the request to be logged', PATIENCE_MS, async () => {
    const found = (await gateway.log())
      .filter(({ kind }) => kind === 'request')
      .map(({ body }) => unseal(nodeCrypto, requestNoun, body).value);
    return found.find((one) => one.sequence === sequence);
  });
  return entries.secrets ?? [];
};

test('is sealed to the board that keeps secrets, brought to it, and stays in the request when it is stopped', async () => {
  const terms = ['--release', hex(release.hash), '--name', 'safe', '--cap', '1.00', '--currency', 'EUR', '--secret', 'password=password'];
  await lichen('request', 'make', '--tenant-key', 'tenant.key', ...terms, '--sequence', '1', '--out', 'safe.request');
  await lichen('request', 'push', 'safe.request.voucher', 'safe.request');
  expect((await keeps.lease('safe')).board).toBe(keeps.id);
  const sealed = await sealedIn(1);
  expect(sealed.map(({ board }) => board)).toEqual([keeps.id]);
  const text = decodeAs(secretsText, KEY.open(utf8(SECRETS_INFO), new Uint8Array(0), sealed[0]!.box), 'secrets');
  expect(text).toEqual({ v: 1, tenant: tenant.id, name: 'safe', board: keeps.id, files: { password: SECRET } });
  await lichen('request', 'stop', 'safe', '--tenant-key', 'tenant.key');
  expect((await sealedIn(2)).map(({ box }) => hex(box))).toEqual([hex(sealed[0]!.box)]);
  const shown = JSON.stringify([await gateway.get('/1/requests'), await gateway.get('/1/boards'), await gateway.get('/1/instances')]);
  expect(shown).not.toContain('correct horse');
  expect(shown).not.toContain(hex(SECRET));
});
