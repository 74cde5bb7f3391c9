/** The stage: running processes and what can be seen of them through the API. Every look is parsed before it is used. */
import * as v from 'valibot';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import type { BoardSetup } from '../harness/board.ts';
import { askJson, type GatewayProcess } from '../harness/gateway.ts';
import type { Process } from '../harness/processes.ts';
import { type CuttableLink, openLinkProxy } from '../harness/proxy.ts';
import { type Cast, makeCast } from './cast.ts';
import type { Teller } from './tell.ts';

export interface BoardOnStage {
  setup: BoardSetup;
  process: Process;
}

export interface Stage {
  cast: Cast;
  teller: Teller;
  /** Gateways that are alive. */
  gateways: GatewayProcess[];
  boards: Map<string, BoardOnStage>;
  link: CuttableLink;
  /** The newest terms of each request, by name. */
  requests: Map<string, Omit<Request, 'v' | 'tenant'>>;
  runtime: string;
}

/** Empty yet: nothing runs but the proxy through which one board will dial. */
export const openStage = async (dir: string, runtime: string, teller: Teller): Promise<Stage> => ({
  cast: await makeCast(dir),
  teller,
  gateways: [],
  boards: new Map(),
  link: await openLinkProxy(),
  requests: new Map(),
  runtime,
});

const report = v.object({
  state: v.string(),
  promise: v.string(),
  address: v.nullable(v.string()),
  restarts: v.number(),
  detail: v.string(),
  connection: v.nullable(v.string()),
  atMs: v.number(),
});
const instance = v.object({
  lease: v.string(),
  name: v.string(),
  index: v.number(),
  term: v.number(),
  board: v.string(),
  currency: v.string(),
  opened: v.boolean(),
  report: v.nullable(report),
});
export type Instance = v.InferOutput<typeof instance>;
const board = v.object({
  board: v.string(),
  here: v.boolean(),
  bound: v.boolean(),
  usage: v.object({ seq: v.number(), replicated: v.number() }),
  home: v.nullable(v.object({ tenure: v.number(), gateway: v.string() })),
  offer: v.nullable(v.object({ tier: v.picklist(['dev', 'reduced', 'full']), engine: v.string(), model: v.string() })),
});
export type Board = v.InferOutput<typeof board>;
const status = v.object({
  boardsHere: v.array(v.string()),
  vector: v.record(v.string(), v.number()),
  pending: v.number(),
  peers: v.array(v.object({ gateway: v.string(), up: v.boolean() })),
});
export type Status = v.InferOutput<typeof status>;
const request = v.object({ name: v.string(), sequence: v.number(), state: v.string(), leases: v.array(v.nullable(v.string())) });
export type RequestRow = v.InferOutput<typeof request>;

const look =
  <T>(schema: v.GenericSchema<unknown, T>, call: 'status' | 'boards' | 'instances' | 'requests') =>
  async (gateway: GatewayProcess): Promise<T> =>
    parse(schema, await askJson(gateway, call), call);

export const statusOf = look(status, 'status');
export const boardsOf = look(v.array(board), 'boards');
const instancesOf = look(v.array(instance), 'instances');
export const requestsOf = look(v.array(request), 'requests');

/** A report reaches only the board's home, so the newest over all gateways counts. */
export const instances = async (stage: Stage): Promise<Instance[]> => {
  const best = new Map<string, Instance>();
  for (const gateway of stage.gateways) {
    for (const seen of await instancesOf(gateway)) {
      const known = best.get(seen.lease);
      if (known === undefined || (seen.report?.atMs ?? 0) > (known.report?.atMs ?? 0)) best.set(seen.lease, seen);
    }
  }
  return [...best.values()].sort((a, b) => (a.name === b.name ? a.index - b.index : a.name < b.name ? -1 : 1));
};

export const nameOfGateway = (stage: Stage, id: string): string => stage.cast.gateways.find(({ gateway }) => gateway === id)?.name ?? id;
export const nameOfBoard = (stage: Stage, id: string): string => stage.cast.boards.find(({ board }) => board === id)?.name ?? id;

/** The gateway at which a board is in session now, by what the gateways themselves say. */
export const homeOf = async (stage: Stage, id: string): Promise<GatewayProcess | null> => {
  for (const gateway of stage.gateways) if ((await statusOf(gateway)).boardsHere.includes(id)) return gateway;
  return null;
};
