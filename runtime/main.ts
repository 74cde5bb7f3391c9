/** The only place where the board is wired. */
import { mkdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBoardKey, rotateBoardKey } from './adapters/board-key.ts';
import { type Identity, identityFromSeed } from './adapters/certificate.ts';
import { bootId, openClock } from './adapters/clock.ts';
import { nodeCrypto } from './adapters/crypto.ts';
import { kernelEntropy } from './adapters/entropy.ts';
import { openFiles } from './adapters/files.ts';
import { healthOf } from './adapters/health.ts';
import { nodeSealer, openerFromSeed } from './adapters/hpke.ts';
import { boardModel, readModel } from './adapters/inventory.ts';
import { openKeyFile } from './adapters/keyfile.ts';
import { openLmdbStore } from './adapters/lmdb-store.ts';
import { MqttLink } from './adapters/mqtt-link.ts';
import { pair } from './adapters/pair.ts';
import { wearOf } from './adapters/partitions/log-keep.ts';
import { openPartitions } from './adapters/partitions/open.ts';
import { forgetClaim, importSetup, readSetup } from './adapters/setup.ts';
import { openImageSlots } from './adapters/slots/open.ts';
import { dialThrough } from './adapters/tunnel.ts';
import { unpackZstd } from './adapters/zstd.ts';
import { boardCore } from './agent/agent.ts';
import { type Board, type Effect, type Event, type Of, type Pace, saidBy } from './agent/events.ts';
import { openRetelling } from './agent/retell.ts';
import { statusOf } from './agent/status.ts';
import { type Capacity, notGiven, offerOf, parseCapacity, parseGrants } from './core/capacity.ts';
import { ONE, pairings } from './core/tables.ts';
import type { Files } from './ports/files.ts';
import type { Link } from './ports/link.ts';
import type { PartitionEvent, PartitionStep, Partitions } from './ports/partitions.ts';
import type { Slots } from './ports/slots.ts';
import { hex } from './protocol/bytes.ts';
import { parseClaim } from './protocol/claim.ts';
import type { Opener } from './protocol/crypto.ts';
import { asLichenError, ERRORS, LichenError, tell } from './protocol/errors.ts';
import { type BoardId, idFrom, type OperatorId } from './protocol/ids.ts';
import type { Part } from './protocol/image.ts';
import type { Clock } from './turn/clock.ts';
import { Draft } from './turn/draft.ts';
import { startTurn, type Turn } from './turn/turn.ts';

export const SOFTWARE = 'lichen-runtime/0.1.0';

const OPTIONS = {
  data: { type: 'string' },
  claim: { type: 'string' },
  capacity: { type: 'string' },
  grants: { type: 'string' },
  tier: { type: 'string' },
  'tick-ms': { type: 'string', default: '1000' },
  'meter-ms': { type: 'string', default: '60000' },
  'record-ms': { type: 'string', default: '900000' },
  'report-ms': { type: 'string', default: '60000' },
  'patience-ms': { type: 'string', default: '10000' },
  'keepalive-s': { type: 'string', default: '10' },
  proxy: { type: 'string' },
  import: { type: 'string' },
  slots: { type: 'string' },
  status: { type: 'boolean', default: false },
  evict: { type: 'boolean', default: false },
  'rotate-key': { type: 'boolean', default: false },
  inventory: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const HELP = `lichen-runtime --data DIR [--claim LICHEN1:...] [--capacity memory=MIB,cpu=MILLIS,partitions=N,data=MIB,ports=FIRST-LAST]
                          [--grants internet,lan,gpio,...]

  --data DIR        identity, store and files of this board
  --claim LINE      pairs the board; once is enough
  --capacity LIST   what of this machine is offered; default: half its memory, its cores, 8 partitions
                    ports=FIRST-LAST: ports of this machine on which instances may be published; default: none
  --grants LIST     what instances may be given of network and devices: internet, lan, gpio, i2c, spi, serial, camera,
                    1wire, usb:VENDOR:PRODUCT; default: none. What is given besides has to be in the owner's binding
  --proxy HOST:PORT reaches gateways through an HTTP proxy
  --import FILE     takes claim, hostname, capacity, grants and proxy from a lichen.json, removes it, and ends; what the
                    command line says goes before what was imported
  --slots FILE      where the start of an image has written down which system slots there are
  --status          says what the store holds, as JSON, and ends
  --rotate-key      hands over to a new key and says with which documents, as JSON: push them, start the board again
  --evict           stops and takes away every partition of this board, and ends
  --tier dev        without root's means, even for root
  --meter-ms N      between two samples of the kernel's counters (60000)
  --record-ms N     between two signed usage records (900000)
  --tick-ms, --report-ms, --patience-ms, --keepalive-s   other paces
`;

/** One line of JSON a line: journald and people's eyes both read it. */
const journal = (line: string, detail: Record<string, unknown> = {}): void => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), line, ...detail })}\n`);
};

const number = (values: Record<string, string | boolean | undefined>, name: string): number => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw asUsage(`--${name} takes a whole number from 1`);
  return value;
};

const asUsage = (detail: string): LichenError => new LichenError('bad-usage', detail);

type Values = Record<string, string | boolean | undefined>;

const paceOf = (values: Values): Pace => ({
  tickMs: number(values, 'tick-ms'),
  meterMs: number(values, 'meter-ms'),
  recordMs: number(values, 'record-ms'),
  reportMs: number(values, 'report-ms'),
  patienceMs: number(values, 'patience-ms'),
});

/** What the owner sets aside and sets free. */
const lentIn = (values: Values): { capacity: Capacity; grants: string[] } => ({
  capacity: parseCapacity(typeof values.capacity === 'string' ? values.capacity : '', Math.floor(totalmem() / 2 ** 21)),
  grants: parseGrants(typeof values.grants === 'string' ? values.grants : ''),
});

interface Doors {
  clock: Clock;
  partitions: Partitions;
  files: Files;
  link: Link;
  slots: Partial<Record<Part, Slots>> | null;
}

/** Sources and sinks of the turn: every effect goes to its door, every door's answer comes back as an event. */
const wire = (turn: Turn<Event>, doors: Doors, effect: Effect): void => {
  switch (effect.kind) {
    case 'dial':
      return doors.link.dial(effect.gateway, effect.patienceMs);
    case 'hang-up':
      return doors.link.hangUp();
    case 'publish':
      return doors.link.publish(effect.topic, effect.payload);
    case 'partition':
      return doors.partitions.perform(effect.step, turn.submit);
    case 'files':
      return doors.files.perform(effect.step, turn.submit);
    case 'slots':
      return doors.slots?.[effect.part]?.perform(effect.step, (event) => turn.submit(saidBy(effect.part, event)));
    case 'wake':
      return void doors.clock.after(effect.afterMs, () => turn.submit({ kind: 'wake' }));
    case 'journal':
      return journal(effect.line);
  }
};

/** Not the key that it signs with: that one is handed over, and what was sealed stays sealed to this one. */
const openBoxKey = (data: string): Opener => openerFromSeed(openKeyFile(join(data, 'box.key')).seed);

const dataOf = (values: Values): string => {
  const data = typeof values.data === 'string' ? values.data : '';
  if (data === '') throw asUsage('--data DIR is needed');
  mkdirSync(data, { recursive: true, mode: 0o711 });
  return data;
};

const partitionsOf = (board: BoardId, dataPath: string, { tier }: Values): Promise<Partitions> =>
  openPartitions({
    board,
    dataPath,
    nodePath: process.execPath,
    ...(tier === 'dev' && { tier: 'dev' as const }),
    log: (line) => journal(line),
  });

const run = async (given: Values): Promise<void> => {
  const data = dataOf(given);
  const values: Values = { ...readSetup(data), ...given };
  if (values['rotate-key'] === true) return rotateKey(data);
  const key = openBoardKey(data);
  const { id } = key;
  const identity = identityFromSeed(key.seed, id);
  const pace = paceOf(values);
  const looksOnly = values.status === true || values.evict === true;
  const owner = `board ${id} ${hex(kernelEntropy.bytes(8))}`;
  const store = openLmdbStore({ path: join(data, 'store.mdb'), owner: looksOnly ? null : owner });
  if (values.status === true) {
    const status = statusOf(id, new Draft<Effect>(store.snapshot(), new Map()));
    process.stdout.write(`${JSON.stringify({ ...status, logWear: wearOf(id, data), health: healthOf(data) })}\n`);
    return store.close();
  }
  const lent = lentIn(values);
  const clock = openClock();
  const partitions = await partitionsOf(id, data, values);
  if (values.evict === true) {
    await evict(partitions);
    partitions.close();
    return store.close();
  }
  const { enforcement } = partitions;
  const opener = openBoxKey(data);
  const { slots, lacks: fixed } = openImageSlots(typeof values.slots === 'string' ? values.slots : '', data);
  const offer = {
    ...offerOf(enforcement, lent.capacity, process.arch, await boardModel(data), lent.grants),
    ...(enforcement.secrets && { box: opener.publicKey }),
    ...(slots !== null && { image: { board: slots.board, parts: slots.parts } }),
  };
  const files = openFiles({ path: data });
  const route = typeof values.proxy === 'string' ? { dial: dialThrough(values.proxy) } : {};
  const link = new MqttLink({ identity, keepaliveS: number(values, 'keepalive-s'), timeoutMs: pace.patienceMs, ...route });
  const board: Board = {
    ...{ crypto: nodeCrypto, unpack: unpackZstd, sealer: nodeSealer, opener, signer: key.signer, entropy: kernelEntropy },
    ...{ id, bootId: bootId(), software: SOFTWARE, offer, pace },
  };
  const retell = openRetelling({
    monoMs: () => clock.now().monoMs,
    after: (ms, call) => void clock.after(ms, call),
    submit: (event) => turn.submit(event),
  });
  const turn: Turn<Event> = startTurn<Event, Effect>({
    store,
    clock,
    core: boardCore(board),
    release: (effect) => wire(turn, { clock, partitions, files, link, slots: slots?.doors ?? null }, effect),
    owner,
    batch: 256,
    conflictsMax: 3,
    failed: (error, events) => {
      journal(`store: ${error.message}`, { events: events.length });
      // Another process has taken the store over: two runtimes on one identity would be a cloned card.
      if (error.code === 'conflict') process.exit(ERRORS.conflict.exit);
      retell(events);
    },
  });
  partitions.watch(turn.submit);
  link.watch(turn.submit);
  turn.submit({ kind: 'boot' });
  if (pairings.get(new Draft<Effect>(store.snapshot(), new Map()), ONE) !== null) forgetClaim(data);
  else if (typeof values.claim === 'string') turn.submit(await pairWith(values.claim, identity, id, clock));
  else askToBePaired(id);
  const lacks = [...enforcement.lacks, ...fixed, ...notGiven(enforcement, lent.capacity, lent.grants)];
  journal('running', { board: id, tier: offer.tier, engine: offer.engine, lacks });
  beat(turn, clock, pace);
  const stop = (): void => {
    // Instances go on: the reapers hold them, and the next start adopts them.
    link.hangUp();
    partitions.close();
    store.close();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
};

const beat = (turn: Turn<Event>, clock: Clock, pace: Pace): void => {
  turn.submit({ kind: 'tick' });
  clock.after(pace.tickMs, () => beat(turn, clock, pace));
};

/** A board that runs meanwhile goes on with the key it started with, until its gateway knows better. */
const rotateKey = (data: string): void => {
  const { id, signer, rotations } = rotateBoardKey(data);
  process.stdout.write(`${JSON.stringify({ board: id, key: hex(signer.publicKey), rotations: rotations.map(hex) })}\n`);
};

const performed = (partitions: Partitions, step: PartitionStep): Promise<PartitionEvent> =>
  new Promise((resolve) => partitions.perform(step, resolve));

/** For a machine that is to be left as it was found. What ran since its last record is not billed. */
const evict = async (partitions: Partitions): Promise<void> => {
  const found = await performed(partitions, { kind: 'survey' });
  if (found.kind !== 'surveyed') return;
  for (const { partition } of found.found) {
    await performed(partitions, { kind: 'stop', partition, graceMs: 1000 });
    await performed(partitions, { kind: 'remove', partition, data: true });
    journal(`partition ${partition} taken away`);
  }
};

const askToBePaired = (board: BoardId): void => {
  const ways = '"claim" in lichen.json on the first partition of its image, or --claim';
  journal('unpaired', { board, next: `this board asks to be paired: give it the line that "lichen board claim" prints, by ${ways}` });
};

const PAIR_RETRY_MS = 5_000;

/** A first boot may come before the network does: only an answer ends the trying, silence does not. */
const pairWith = async (line: string, identity: Identity, id: BoardId, clock: Clock): Promise<Of<'paired'>> => {
  const claim = parseClaim(line);
  const first = { gateway: claim.gateway, key: claim.key, name: 'first', region: 'first', address: claim.address };
  for (;;) {
    try {
      const { operators, owner } = await pair({ claim, identity, boardId: id, timeoutMs: 10_000 });
      return { kind: 'paired', operator: idFrom<OperatorId>(claim.operator), first, chains: operators, owner };
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (error.code !== 'unavailable') throw error;
      journal(`pairing: ${error.message}`);
      await new Promise<void>((resolve) => clock.after(PAIR_RETRY_MS, resolve));
    }
  }
};

const fail = (thrown: unknown): void => {
  // What parseArgs throws is about the words of the command line.
  const spelled = thrown instanceof TypeError && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS');
  const told = tell(spelled ? asUsage(thrown.message) : asLichenError(thrown));
  process.stderr.write(`${told.says} ${told.why}\n${told.next}\n`);
  process.exit(ERRORS[told.code].exit);
};

try {
  const { values } = parseArgs({ options: OPTIONS, strict: true });
  if (values.help) process.stdout.write(HELP);
  else if (values.inventory) process.stdout.write(await readModel());
  else if (values.import !== undefined)
    process.stdout.write(`imported: ${Object.keys(importSetup(values.import, dataOf(values))).join(', ')}\n`);
  else await run(values);
} catch (thrown) {
  fail(thrown);
}
