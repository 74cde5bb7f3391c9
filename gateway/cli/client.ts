/** The HTTP API as a person's machine uses it: one typed call for each row of the table, every answer parsed. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { API, type CallName } from '../../runtime/protocol/api.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { ERRORS, type ErrorCode, LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { ANSWERS, type Answers, type JsonCall } from './answers.ts';
import { misused } from './words.ts';

export interface ApiFlags {
  api?: string;
  tokenFile?: string;
}

/** `:author` in the path, `?from` behind it. */
export interface Input {
  path?: Record<string, string>;
  query?: Record<string, string>;
  /** Bytes as they are, anything else as JSON. */
  body?: unknown;
}

export interface Client {
  /** Where it asks. */
  url: string;
  ask<Name extends JsonCall>(name: Name, input?: Input): Promise<Answers[Name]>;
  askBytes(name: Exclude<CallName, JsonCall>, input?: Input): Promise<Bytes>;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';
/** Longer than a gateway keeps anybody waiting. */
const TIMEOUT_MS = 60_000;
/** The largest answer is a batch of 512 log entries of 128 KiB in hex. */
const ANSWER_BYTES_MAX = 160 * 1024 * 1024;

const toldSchema = v.object({ error: v.object({ code: v.string(), says: v.string(), why: v.string(), next: v.string() }) });

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** A refusal as the gateway told it. One that this build has no row for keeps its own words. */
export const toldError = ({ code, says, why, next }: { code: string; says: string; why: string; next: string }): LichenError => {
  if (!isKnown(code)) return new LichenError('internal', `the gateway answered ${code}: ${says} ${why} ${next}`);
  // MQTT answers say both in one text.
  return new LichenError(code, why.startsWith(ERRORS[code].says) ? why.slice(ERRORS[code].says.length).trim() : why, next);
};

const urlOf = (flags: ApiFlags): string => {
  const text = flags.api ?? process.env.LICHEN_API ?? DEFAULT_URL;
  const name = flags.api === undefined ? 'LICHEN_API' : '--api';
  const url = URL.parse(text) ?? misused(`${name} is a URL such as ${DEFAULT_URL}, not "${text}"`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') misused(`${name} begins with http:// or https://, not "${text}"`);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
};

const TOKEN = 'Give `--token-file DIR/admin.token`, where DIR is the folder of the gateway, or set LICHEN_TOKEN to what is in it.';

/** Read when it is needed, so that calls which ask for no token do not fail for a missing one. */
const tokenOf = (flags: ApiFlags): string => {
  const token = flags.tokenFile === undefined ? (process.env.LICHEN_TOKEN ?? '') : readFileSync(flags.tokenFile, 'utf8');
  if (token.trim() === '')
    refuse(
      'not-authorised',
      flags.tokenFile === undefined ? 'neither --token-file nor LICHEN_TOKEN is given' : `${flags.tokenFile} is empty`,
      TOKEN,
    );
  return /^[\x21-\x7e]+$/.test(token.trim()) ? token.trim() : refuse('not-authorised', 'what is given as token cannot be one', TOKEN);
};

const fill = (path: string, values: Record<string, string>): string =>
  path.replace(/:([a-z]+)/g, (_all, key: string) => encodeURIComponent(values[key] ?? refuse('internal', `${path} asks for ${key}`)));

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it hung up',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name could not be looked up',
  UND_ERR_SOCKET: 'it hung up',
};

const reasonOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = thrown;
  if (!(cause instanceof Error)) return thrown.message;
  const code = 'code' in cause ? String(cause.code) : '';
  return REASONS[code] ?? cause.message;
};

const readAll = async (response: Response): Promise<Bytes> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > ANSWER_BYTES_MAX) refuse('too-large', `the answer of ${response.url} has more than ${ANSWER_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
};

const bodyOf = (body: unknown): Uint8Array<ArrayBuffer> | string | null => {
  if (body === undefined) return null;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
};

const fetched = async (flags: ApiFlags, url: string, name: CallName, input: Input): Promise<{ response: Response; bytes: Bytes }> => {
  const { method, path, admin } = API[name];
  const query = new URLSearchParams(input.query).toString();
  const target = `${url}${fill(path, input.path ?? {})}${query === '' ? '' : `?${query}`}`;
  const headers: Record<string, string> = admin ? { authorization: `Bearer ${tokenOf(flags)}` } : {};
  try {
    // A redirect would carry the token to whoever is named there.
    const response = await fetch(target, {
      method,
      headers,
      body: bodyOf(input.body),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { response, bytes: await readAll(response) };
  } catch (thrown) {
    if (thrown instanceof LichenError) throw thrown;
    return refuse('unavailable', `${url}: ${reasonOf(thrown)}`);
  }
};

const jsonOf = (url: string, bytes: Bytes): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return refuse('bad-schema', `${url} does not answer as a gateway of Lichen`);
  }
};

/** Errors: what the gateway refuses with, `unavailable`, `not-authorised`, `bad-schema` when it is no gateway. */
export const openClient = (flags: ApiFlags): Client => {
  const url = urlOf(flags);
  const answer = async (name: CallName, input: Input): Promise<Bytes> => {
    const { response, bytes } = await fetched(flags, url, name, input);
    if (response.ok) return bytes;
    const told = v.safeParse(toldSchema, jsonOf(url, bytes));
    throw told.success ? toldError(told.output.error) : new LichenError('bad-schema', `${url} answers ${response.status} and no reason`);
  };
  return {
    url,
    ask: async (name, input = {}) => parse(ANSWERS[name], jsonOf(url, await answer(name, input)), name),
    askBytes: answer,
  };
};
