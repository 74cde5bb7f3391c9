/** What the HTTP door refuses, and that it says so in JSON with what, why and what next. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hex } from '../../runtime/protocol/bytes.ts';
import { ERRORS, type ErrorCode } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { owner } from './documents.ts';
import { federate, Gateway, tenant, told } from './gateway.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.open(await federate('north'), 'north');
});
afterAll(() => gateway.end());

const refused = async (path: string, init: RequestInit, code: ErrorCode, why: RegExp): Promise<void> => {
  const before = await gateway.state();
  expect(await gateway.ask(path, init)).toEqual({ status: ERRORS[code].http, body: { error: told(code, why) } });
  expect(await gateway.state()).toEqual(before);
};

const post = (body: NonNullable<RequestInit['body']>, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers,
});
const asOperator = (): Record<string, string> => ({ authorization: `Bearer ${gateway.token}` });

test('a body over its limit', async () => {
  await refused('/1/push', post(new Uint8Array(LIMITS.bodyBytes + 1)), 'too-large', /a body has at most 131072 bytes/);
  // As large as it may be, it is judged by what it says.
  await refused('/1/push', post(new Uint8Array(LIMITS.bodyBytes)), 'not-found', /names content/);
});

test('a body without end', async () => {
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
  });
  const init = { ...post(endless), duplex: 'half' } as RequestInit;
  await refused('/1/push', init, 'too-large', /a body has at most 131072 bytes/);
});

test.each(['/1/admissions', '/1/claims', '/1/periods'])('%s without the token, or with another', async (path) => {
  for (const headers of [
    {},
    { authorization: 'Bearer wrong' },
    { authorization: gateway.token },
    { authorization: `bearer ${gateway.token}` },
  ]) {
    await refused(
      path,
      post('{}', headers as Record<string, string>),
      'not-authorised',
      /^no token is given$|^the token that is given is not this gateway's$/,
    );
  }
});

test('a path that there is not', async () => {
  await refused('/1/nothing', {}, 'not-found', /\/1\/nothing/);
  await refused('/', {}, 'not-found', /^\/$/);
  await refused('/1/status', { method: 'DELETE' }, 'not-found', /\/1\/status/);
  await refused('/1/%ff', {}, 'not-found', /\/1\//);
  await refused('/1/periods/1/statement', {}, 'not-found', /period 1 is not closed/);
  await refused('/1/periods/../../etc/passwd', {}, 'not-found', /passwd/);
});

test('words that are no JSON', async () => {
  for (const body of ['', '{', 'null trailing', '\u0000']) {
    await refused('/1/claims', post(body, asOperator()), 'bad-schema', /the body is not JSON/);
  }
  expect(await gateway.order('/1/claims', { owner: owner.id })).toMatchObject({ claim: expect.stringMatching(/^LICHEN1:/) });
});

test('JSON of another form', async () => {
  for (const body of [null, [], 7, {}, { owner: 7 }, { owner: 'OWNER' }, { owner: owner.id, more: true }]) {
    await refused('/1/claims', post(JSON.stringify(body), asOperator()), 'bad-schema', /claim/);
  }
  const key = hex(tenant.key);
  for (const body of [
    { role: 'root', key, name: 'x' },
    { role: 'tenant', key: 'AA', name: 'x' },
    { role: 'tenant', key, name: 'x'.repeat(2000) },
  ]) {
    await refused('/1/admissions', post(JSON.stringify(body), asOperator()), 'bad-schema', /admi/);
  }
  expect(await gateway.admit(tenant)).toEqual({ id: tenant.id });
});

test('a place in a log that is no number', async () => {
  for (const from of ['-1', 'x', '1e99', '0.5']) await refused(`/1/logs/${gateway.entry.gateway}?from=${from}`, {}, 'bad-schema', /from/);
});

test('the log of an author that is none', async () => {
  expect(await gateway.ask('/1/logs/nobody')).toMatchObject({ status: 200, body: { size: 0, entries: [] } });
});

test('no HTTP at all', async () => {
  const before = await gateway.state();
  const port = Number(new URL(gateway.url).port);
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('\x16\x03\x01 hello\r\n\r\n'));
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.once('close', () => resolve(text));
    socket.once('error', reject);
  });
  expect(said).toMatch(/^HTTP\/1\.1 400 /);
  expect(await gateway.state()).toEqual(before);
});
