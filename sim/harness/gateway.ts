/** A gateway as a process of its own, and the HTTP API through which a person looks at it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { API, type CallName } from '../../runtime/protocol/api.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { type Process, start } from './processes.ts';
import { until } from './wait.ts';

export interface GatewaySetup {
  name: string;
  region: string;
  /** Its id: the fingerprint of the key in `data`. */
  gateway: string;
  key: Uint8Array;
  operator: string;
  operatorFiles: string[];
  data: string;
  port: number;
  apiPort: number;
  silenceMs: number;
}

export interface GatewayProcess extends GatewaySetup {
  address: string;
  api: string;
  process: Process;
}

export const startGateway = (entry: string, setup: GatewaySetup): GatewayProcess => {
  const address = `127.0.0.1:${setup.port}`;
  const documents = setup.operatorFiles.flatMap((path) => ['--operator', path]);
  const args = [
    entry,
    'gateway',
    'run',
    '--data',
    setup.data,
    '--operator-id',
    setup.operator,
    ...documents,
    '--name',
    setup.name,
    '--region',
    setup.region,
    '--listen',
    address,
    '--address',
    address,
    '--api-listen',
    `127.0.0.1:${setup.apiPort}`,
    '--silence-ms',
    String(setup.silenceMs),
    '--json',
  ];
  const process = start({ name: setup.name, args, logPath: `${setup.data}.log` });
  return { ...setup, address, api: `http://127.0.0.1:${setup.apiPort}`, process };
};

export const tokenOf = (gateway: GatewayProcess): string => readFileSync(join(gateway.data, 'admin.token'), 'utf8').trim();

export interface Asked {
  params?: Record<string, string>;
  body?: Uint8Array | string;
}

const request = async (gateway: GatewayProcess, name: CallName, { params = {}, body }: Asked): Promise<Response> => {
  const { method, path } = API[name];
  const rest = { ...params };
  const filled = path.replace(/:([a-z]+)/g, (_whole, key: string) => {
    const value = rest[key] ?? '';
    delete rest[key];
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams(rest).toString();
  const headers = { authorization: `Bearer ${tokenOf(gateway)}` };
  const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) };
  const response = await fetch(`${gateway.api}${filled}${query === '' ? '' : `?${query}`}`, {
    method,
    headers,
    signal: AbortSignal.timeout(20_000),
    ...sent,
  });
  if (!response.ok) throw new LichenError('unavailable', `${gateway.name} ${name}: ${response.status} ${await response.text()}`);
  return response;
};

export const askJson = async (gateway: GatewayProcess, name: CallName, asked: Asked = {}): Promise<unknown> =>
  (await request(gateway, name, asked)).json();

export const askBytes = async (gateway: GatewayProcess, name: CallName, asked: Asked = {}): Promise<Uint8Array> =>
  new Uint8Array(await (await request(gateway, name, asked)).arrayBuffer());

export const ready = (gateway: GatewayProcess): Promise<unknown> =>
  until(`gateway ${gateway.name} to answer`, 20_000, () =>
    gateway.process.exitCode() === null ? askJson(gateway, 'status') : failed(gateway),
  );

const failed = (gateway: GatewayProcess): never => {
  throw new LichenError('unavailable', `gateway ${gateway.name} ended with ${gateway.process.exitCode()}; see ${gateway.process.logPath}`);
};
