/** The only place where the gateway is wired. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import * as v from 'valibot';
import { identityFromSeed } from '../runtime/adapters/certificate.ts';
import { openClock } from '../runtime/adapters/clock.ts';
import { nodeCrypto } from '../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../runtime/adapters/entropy.ts';
import { holdFolder } from '../runtime/adapters/folder.ts';
import { openKeyFile } from '../runtime/adapters/keyfile.ts';
import { openLmdbStore } from '../runtime/adapters/lmdb-store.ts';
import { unpackZstd } from '../runtime/adapters/zstd.ts';
import type { DecidedCall } from '../runtime/protocol/api.ts';
import { type Bytes, hex } from '../runtime/protocol/bytes.ts';
import type { Signer } from '../runtime/protocol/crypto.ts';
import { asLichenError, ERRORS, LichenError, refuse } from '../runtime/protocol/errors.ts';
import { fingerprint, type GatewayId, idFrom, type OperatorId } from '../runtime/protocol/ids.ts';
import { LIMITS } from '../runtime/protocol/limits.ts';
import { parse } from '../runtime/protocol/schema.ts';
import { Draft } from '../runtime/turn/draft.ts';
import { type Store, UNREAD } from '../runtime/turn/store.ts';
import { startTurn, type Turn } from '../runtime/turn/turn.ts';
import { CarriedFront } from './api/carried.ts';
import { type ApiOptions, openApi } from './api/server.ts';
import { type Door, openDoor } from './broker/door.ts';
import type { Rows } from './core/context.ts';
import type { Gatekeeper, Shelf } from './service/doors.ts';
import type { ApiAnswer, ApiInput, Effect, Event, Service } from './service/events.ts';
import { admitSession } from './service/gatekeeper.ts';
import { gatewayCore } from './service/gateway.ts';
import { contentShelf } from './service/hot.ts';

const SOFTWARE = 'lichen-gateway/0.1.0';
const TICK_MS = 500;
const RETELL_MS = 1000;

export interface GatewayOptions {
  data: string;
  /** Which gateway this is; default: the fingerprint of its key, as long as that was never rotated. */
  gateway?: string;
  operator: string;
  /** Files of signed operator documents, each operator's oldest version first. */
  operatorDocs: string[];
  name: string;
  region: string;
  /** Where the TLS door listens and, as others reach it, its address. */
  host: string;
  port: number;
  address: string;
  apiHost: string;
  apiPort: number;
  /** A peer silent for this long counts as gone. */
  silenceMs: number;
  /** Bytes of releases that it holds at most. */
  contentBytes: number;
}

export interface RunningGateway {
  gateway: GatewayId;
  port: number;
  apiPort: number;
  token: string;
  close(): Promise<void>;
}

const journal = (line: string): void => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), line })}\n`);
};

/** The operator's token: whoever can read the file may use the operator's calls. */
const openToken = (path: string): string => {
  if (!existsSync(path)) writeFileSync(path, hex(kernelEntropy.bytes(32)), { mode: 0o600 });
  return readFileSync(path, 'utf8').trim();
};

type Replies = Map<number, (answer: ApiAnswer | LichenError) => void>;

/** Reads of what is committed, outside any turn. */
const readOnly = (store: Store): Rows => new Draft(store.snapshot(), new Map());

/** Reads where a front has room, between turns. */
const shelfOf = (store: Store, service: Service): Shelf => {
  const get = (key: string): Bytes | null => {
    const bytes = store.lend(key);
    return bytes === UNREAD ? refuse('internal', 'content in a store that answers later') : bytes;
  };
  return contentShelf(get, service);
};

/** Where effects go. */
interface Ways {
  door: Door;
  carried: CarriedFront;
  shelf: Shelf;
  replies: Replies;
  goOn(): void;
  /** An event that the store could not keep. */
  retell(event: Event): void;
}

const perform = ({ door, carried, shelf, replies, goOn }: Ways, effect: Effect): void => {
  switch (effect.kind) {
    case 'send':
      return (carried.owns(effect.session) ? carried : door.front).send(effect.session, effect.topic, effect.payload);
    case 'give':
      return (carried.owns(effect.session) ? carried : door.front).give(effect.session, effect.hashes, shelf);
    case 'settle':
      return (carried.ownsReceipt(effect.receipt) ? carried : door.front).settle(effect.receipt, effect.error);
    case 'answer-pairing':
      return door.front.answerPairing(effect.receipt, effect.answer);
    case 'drop':
      return (carried.owns(effect.session) ? carried : door.front).drop(effect.session, effect.error);
    case 'reach':
      return door.peers.reach(effect.gateways);
    case 'peer-send':
      return door.peers.send(effect.session, effect.frame);
    case 'peer-drop':
      return door.peers.drop(effect.session, effect.error);
    case 'reply': {
      replies.get(effect.id)?.(effect.answer);
      replies.delete(effect.id);
      return;
    }
    case 'go-on':
      return goOn();
    case 'journal':
      return journal(effect.line);
  }
};

/** What the store could not keep was not acknowledged; whoever waits is told. */
const failAll = (ways: Ways, error: LichenError, events: Event[]): void => {
  journal(`store: ${error.message}`);
  // Another process runs on this folder now; sessions must not be served from two.
  if (error.code === 'conflict') process.exit(ERRORS.conflict.exit);
  for (const event of events) fail(ways, error, event);
};

/** Whoever waits for what becomes of an event is told that nothing did. */
const fail = (ways: Ways, error: LichenError, event: Event): void => {
  // An end is not told twice, and who is gone must not be held for present. Whoever came while nothing could be kept comes again.
  if (event.kind === 'disconnected' || event.kind === 'peer-down' || event.kind === 'configured') ways.retell(event);
  else if (event.kind === 'connected') perform(ways, { kind: 'drop', session: event.session, error });
  else if (event.kind === 'peer-up') perform(ways, { kind: 'peer-drop', session: event.session, error });
  else if (event.kind === 'message') perform(ways, { kind: 'settle', receipt: event.receipt, error });
  else if (event.kind === 'pairing') ways.door.front.answerPairing(event.receipt, error);
  else if (event.kind === 'call') perform(ways, { kind: 'reply', id: event.id, answer: error });
};

/** What came from outside is refused; without one of its own the gateway is not what it should be, and begins anew. */
const giveUp = (ways: Ways, error: LichenError, event: Event): void => {
  journal(`${event.kind}: ${error.message}`);
  if (event.kind === 'peer-frame') perform(ways, { kind: 'peer-drop', session: event.session, error });
  else if (['connected', 'message', 'pairing', 'call', 'peer-up'].includes(event.kind)) fail(ways, error, event);
  else process.exit(ERRORS.internal.exit);
};

/** Error: `conflict` when another process runs on its folder; and what keeps it from its store and its ports. */
export const runGateway = async (options: GatewayOptions): Promise<RunningGateway> => {
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  const held = await holdFolder(options.data, 'gateway');
  try {
    const running = await runOn(options);
    return { ...running, close: () => running.close().finally(held.release) };
  } catch (thrown) {
    held.release();
    throw thrown;
  }
};

const serviceOf = (options: GatewayOptions, me: GatewayId, signer: Signer): Service => ({
  crypto: nodeCrypto,
  signer,
  me,
  operator: idFrom<OperatorId>(options.operator),
  silenceMs: options.silenceMs,
  name: options.name,
  region: options.region,
  address: options.address,
  entropy: (length) => kernelEntropy.bytes(length),
  unpack: unpackZstd,
  software: SOFTWARE,
  contentBytes: options.contentBytes,
  ledgerEntries: Math.floor(getHeapStatistics().heap_size_limit / LIMITS.ledgerEntryBytes),
});

const runOn = async (options: GatewayOptions): Promise<RunningGateway> => {
  const key = openKeyFile(join(options.data, 'gateway.key'));
  const me = options.gateway === undefined ? fingerprint<GatewayId>(nodeCrypto, key.signer.publicKey) : idFrom<GatewayId>(options.gateway);
  const token = openToken(join(options.data, 'admin.token'));
  const owner = `gateway ${me} ${hex(kernelEntropy.bytes(8))}`;
  const store = openLmdbStore({ path: join(options.data, 'store.mdb'), owner });
  const clock = openClock();
  const service = serviceOf(options, me, key.signer);
  const replies: Replies = new Map();
  const gatekeeper: Gatekeeper = (party, id, shown) => admitSession(readOnly(store), service, party, id, shown);
  const calls = callsOf((event) => turn.submit(event), replies);
  const carried = new CarriedFront({
    ...{ crypto: nodeCrypto, clock, gatekeeper },
    submit: (event) => turn.submit(event),
    boardsHere: async () => boardsIn(await calls('status', { params: {}, body: null })),
  });
  let door: Door | null = null;
  const opened = (): Door => door ?? refuse('internal', 'an effect before the door is open');
  const shelf = shelfOf(store, service);
  let running = true;
  const submitIn = (ms: number, event: Event): void =>
    void clock.after(ms, () => {
      if (running) turn.submit(event);
    });
  const goOn = (): void => submitIn(0, { kind: 'go-on' });
  const retell = (event: Event): void => submitIn(RETELL_MS, event);
  const ways = (): Ways => ({ door: opened(), carried, shelf, replies, goOn, retell });
  const turn: Turn<Event> = startTurn<Event, Effect>({
    store,
    clock,
    core: gatewayCore(service),
    release: (effect) => perform(ways(), effect),
    owner,
    batch: 512,
    conflictsMax: 3,
    failed: (error, events) => failAll(ways(), error, events),
    defect: (thrown, event) => giveUp(ways(), asLichenError(thrown), event),
  });
  door = await openDoor({
    host: options.host,
    port: options.port,
    identity: identityFromSeed(key.seed, me),
    gatekeeper,
    listener: turn.submit,
    crypto: nodeCrypto,
    clock,
    entropy: kernelEntropy,
    note: (error) => journal(error.message),
    peerTimings: { heartbeatMs: Math.max(250, options.silenceMs / 3), silenceMs: options.silenceMs },
  });
  turn.submit({ kind: 'configured', documents: options.operatorDocs.map((path) => new Uint8Array(readFileSync(path))) });
  const api = await openApi({
    host: options.apiHost,
    port: options.apiPort,
    token,
    call: calls,
    carry: (body) => carried.take(body),
  }).catch(async (thrown: unknown) => {
    // A start that failed leaves nothing listening.
    await opened().close();
    store.close();
    throw thrown;
  });
  const tick = (): void => {
    if (!running) return;
    turn.submit({ kind: 'tick' });
    clock.after(TICK_MS, tick);
  };
  tick();
  const close = async (): Promise<void> => {
    running = false;
    api.close();
    await opened().close();
    store.close();
  };
  return { gateway: me, port: door.port, apiPort: api.port, token, close };
};

/** A call is a turn of its own; its answer comes as an effect. */
const callsOf = (submit: (event: Event) => void, replies: Replies): ApiOptions['call'] => {
  let calls = 0;
  return (name: DecidedCall, input: ApiInput) =>
    new Promise((resolve) => {
      const id = ++calls;
      replies.set(id, resolve);
      submit({ kind: 'call', id, name, input });
    });
};

const statusSchema = v.object({ boardsHere: v.array(v.string()) });

const boardsIn = (answer: ApiAnswer | LichenError): string[] =>
  answer instanceof LichenError || !('json' in answer) ? [] : parse(statusSchema, answer.json, 'status').boardsHere;
