/** The HTTP API: the protocol's table of calls, mounted. Reading asks for nothing, the operator's calls for its token. */
import { type ServerType, serve } from '@hono/node-server';
import { Hono, type Context as HttpContext } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { API, CALL_NAMES, type CallName, type DecidedCall } from '../../runtime/protocol/api.ts';
import { type Bytes, equal, utf8 } from '../../runtime/protocol/bytes.ts';
import { asLichenError, cannotListen, ERRORS, LichenError, tell } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { ApiAnswer, ApiInput } from '../service/events.ts';

export interface ApiOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  token: string;
  /** Takes a call into the turn; answers once it is committed. */
  call(name: DecidedCall, input: ApiInput): Promise<ApiAnswer | LichenError>;
  /** Of a session that a folder carries. */
  carry(body: Bytes): Promise<Bytes>;
}

export interface ApiServer {
  port: number;
  close(): void;
}

const REQUEST_TIMEOUT_MS = 30_000;
const CBOR_TYPE = { 'content-type': 'application/cbor' };
const JSON_TYPE = { 'content-type': 'application/json' };

const refusal = (error: LichenError): Response =>
  new Response(JSON.stringify({ error: tell(error) }), { status: ERRORS[error.code].http, headers: JSON_TYPE });

/** Counters and money are decimal strings, bytes are hex. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === 'bigint') return entry.toString();
    return entry instanceof Uint8Array ? Buffer.from(entry).toString('hex') : entry;
  });

const isToken = (header: string | undefined, token: string): boolean =>
  header !== undefined && equal(utf8(header), utf8(`Bearer ${token}`));

const answer = async (options: ApiOptions, name: CallName, context: HttpContext): Promise<Response> => {
  const given = context.req.header('authorization');
  if (API[name].admin && !isToken(given, options.token))
    return refusal(
      new LichenError('not-authorised', given === undefined ? 'no token is given' : "the token that is given is not this gateway's"),
    );
  const body: Bytes | null = API[name].method === 'POST' ? new Uint8Array(await context.req.arrayBuffer()) : null;
  if (name === 'carry') return context.body(new Uint8Array(await options.carry(body ?? new Uint8Array())), 200, CBOR_TYPE);
  const outcome = await options.call(name, { params: { ...context.req.query(), ...context.req.param() }, body });
  if (outcome instanceof LichenError) return refusal(outcome);
  if ('bytes' in outcome) return context.body(new Uint8Array(outcome.bytes), 200, CBOR_TYPE);
  return context.body(toJson(outcome.json), 200, JSON_TYPE);
};

export const openApi = (options: ApiOptions): Promise<ApiServer> => {
  const app = new Hono();
  app.use(
    bodyLimit({
      maxSize: LIMITS.bodyBytes,
      onError: () => refusal(new LichenError('too-large', `a body has at most ${LIMITS.bodyBytes} bytes`)),
    }),
  );
  for (const name of CALL_NAMES) app.on(API[name].method, API[name].path, (context) => answer(options, name, context));
  app.notFound((context) => refusal(new LichenError('not-found', context.req.path)));
  app.onError((thrown) => refusal(asLichenError(thrown)));
  return new Promise((resolve, reject) => {
    const server: ServerType = serve({ fetch: app.fetch, hostname: options.host, port: options.port }, (address) => {
      resolve({ port: address.port, close: () => server.close() });
    });
    server.once('error', (thrown) => reject(cannotListen(`${options.host}:${options.port}`, thrown, '--api-listen')));
    if ('requestTimeout' in server) server.requestTimeout = REQUEST_TIMEOUT_MS;
  });
};
