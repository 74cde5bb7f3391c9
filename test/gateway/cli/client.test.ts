/** The client against servers that are no gateway, or another one than expected: whatever comes is told, nothing is believed. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openClient } from '../../../gateway/cli/client.ts';
import { fetchStatement } from '../../../gateway/cli/statement.ts';

describe('the client', () => {
  let server: Server;
  let answer: RequestListener = () => {};
  let seen: { method: string; url: string; authorization: string | undefined; body: string }[];
  let api: string;

  beforeEach(async () => {
    seen = [];
    server = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      seen.push({ method: request.method!, url: request.url!, authorization: request.headers.authorization, body });
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const says = (status: number, text: string, headers = {}) => {
    answer = (_request, response) => void response.writeHead(status, headers).end(text);
  };
  const asked = (name: 'boards' | 'periods' = 'periods') => openClient({ api }).ask(name);
  const told = (code: string) => JSON.stringify({ error: { code, says: 'It says.', why: 'because', next: 'Do this.' } });

  test('a newer gateway may say more', async () => {
    says(200, JSON.stringify([{ period: 1, vector: {}, closedMs: 5, colour: 'red' }]));
    expect(await asked()).toEqual([{ period: 1, vector: {}, closedMs: 5 }]);
  });

  test.each([
    ['a web page', 200, '<html>'],
    ['another API', 200, '{"hello":"world"}'],
    ['a wrong type', 200, '[{"period":"1","vector":{},"closedMs":5}]'],
    ['an error without a reason', 500, '{"message":"oops"}'],
    ['an error page', 502, 'Bad Gateway'],
  ])('%s is no answer', async (_name, status, text) => {
    says(status, text);
    await expect(asked()).rejects.toMatchObject({ code: 'bad-schema' });
  });

  test('a refusal keeps its code and its reason', async () => {
    says(409, told('stale'));
    await expect(asked()).rejects.toMatchObject({ code: 'stale', detail: 'because' });
  });

  test('a refusal that this build does not know is shown as it came', async () => {
    says(418, told('teapot'));
    await expect(asked()).rejects.toMatchObject({ code: 'internal', detail: expect.stringContaining('teapot: It says. because Do this.') });
    says(418, told('constructor'));
    await expect(asked()).rejects.toMatchObject({ code: 'internal' });
  });

  test('a redirect is not followed: it would carry the token along', async () => {
    process.env.LICHEN_TOKEN = 'secret';
    try {
      says(307, '', { location: `${api}/elsewhere` });
      await expect(openClient({ api }).ask('close')).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      delete process.env.LICHEN_TOKEN;
    }
    expect(seen).toMatchObject([{ method: 'POST', url: '/1/periods', authorization: 'Bearer secret' }]);
  });

  test("the token goes to the operator's calls only, and a path is spelled safely", async () => {
    process.env.LICHEN_TOKEN = 'secret';
    try {
      says(200, '[]');
      await asked('boards');
      await openClient({ api: `${api}/behind/a/proxy/` }).askBytes('statement', { path: { period: '../1?x=#' } });
    } finally {
      delete process.env.LICHEN_TOKEN;
    }
    expect(seen).toMatchObject([
      { url: '/1/boards', authorization: undefined },
      { url: '/behind/a/proxy/1/periods/..%2F1%3Fx%3D%23/statement', authorization: undefined },
    ]);
  });

  test('a statement is asked for until it is worked out', async () => {
    let asks = 0;
    answer = (_request, response) =>
      ++asks < 3 ? void response.writeHead(503).end(told('not-ready')) : void response.writeHead(200).end('statement');
    const bytes = await fetchStatement(openClient({ api }), 2);
    expect(new TextDecoder().decode(bytes)).toBe('statement');
    expect(seen.map(({ url }) => url)).toEqual(Array(3).fill('/1/periods/2/statement'));
    says(404, told('not-found'));
    await expect(fetchStatement(openClient({ api }), 3)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a connection that breaks, and one that nobody takes', async () => {
    answer = (request) => request.socket.destroy();
    await expect(asked()).rejects.toMatchObject({ code: 'unavailable', detail: `${api}: it hung up` });
    await new Promise((resolve) => server.close(resolve));
    await expect(asked()).rejects.toMatchObject({ code: 'unavailable', detail: `${api}: nothing listens there` });
  });

  test.each(['nonsense', 'ftp://127.0.0.1', ''])('%j is no URL of an API', (wrong) => {
    expect(() => openClient({ api: wrong })).toThrow(expect.objectContaining({ code: 'bad-usage' }));
  });
});
