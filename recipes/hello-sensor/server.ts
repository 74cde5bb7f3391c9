/** `GET /` the page, `GET /readings` the JSON, `GET /healthz` the promise. */
import { createHash } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { PAGE } from './page.ts';
import type { Now, Readings } from './readings.ts';

export interface ServerDoors {
  readings: Readings;
  now(): Now;
  /** Older than this is not fresh: the promise is broken. */
  freshMs: number;
}

const CONNECTIONS_MAX = 64;
const REQUEST_MS = 5_000;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
/** The page's own style and script, and no others. */
const POLICY = `default-src 'none'; connect-src 'self'; style-src ${hashOf(PAGE.style)}; script-src ${hashOf(PAGE.script)}; base-uri 'none'; form-action 'none'`;

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': POLICY,
  });
  // For HEAD, Node leaves the body out.
  response.end(body);
};

/** The first live reading stands at the top, so that `curl … | jq .value` is all it takes. */
export const answerOf = ({ readings, now }: Pick<ServerDoors, 'readings' | 'now'>) => {
  const all = readings.all();
  const [first] = all;
  const live = first?.state === 'live' ? first : null;
  const age = readings.ageMs(now());
  return {
    source: live?.source ?? null,
    kind: live?.kind ?? null,
    unit: live?.unit ?? null,
    value: live?.value ?? null,
    at: live?.at ?? null,
    ageMs: Number.isFinite(age) ? Math.round(age) : null,
    readings: all,
  };
};

export const createSensorServer = (doors: ServerDoors): Server => {
  const answer = (path: string, response: ServerResponse): void => {
    if (path === '/') return send(response, 200, 'text/html', PAGE.html);
    if (path === '/readings') return send(response, 200, 'application/json', `${JSON.stringify(answerOf(doors))}\n`);
    if (path !== '/healthz') return send(response, 404, 'text/plain', 'There are /, /readings and /healthz.\n');
    const age = doors.readings.ageMs(doors.now());
    if (age <= doors.freshMs) return send(response, 200, 'text/plain', 'fresh\n');
    const why = Number.isFinite(age) ? `the last reading is ${Math.round(age)} ms old` : 'nothing has been read yet';
    return send(response, 503, 'text/plain', `${why}\n`);
  };
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 8192 }, (request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') return answer((request.url ?? '/').split('?')[0] ?? '/', response);
    response.setHeader('allow', 'GET, HEAD');
    return send(response, 405, 'text/plain', 'Only GET and HEAD.\n');
  });
  server.maxConnections = CONNECTIONS_MAX;
  return server;
};
