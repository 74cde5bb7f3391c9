/** The only place where the board is wired. */
import { existsSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBoardKey, rotateBoardKey } from './adapters/board-key.ts';
import { identityFromSeed } from './adapters/certificate.ts';
import { bootId, openClock } from './adapters/clock.ts';
import { nodeCrypto } from './adapters/crypto.ts';
import { closeInherited, keepFromChildren } from './adapters/descriptors.ts';
import { kernelEntropy } from './adapters/entropy.ts';
import { openFiles } from './adapters/files.ts';
import { holdFolder } from './adapters/folder.ts';
import { healthOf, openCard } from './adapters/health.ts';
import { nodeSealer, openerFromSeed } from './adapters/hpke.ts';
import { boardModel, readModel } from './adapters/inventory.ts';
import { openKeyFile } from './adapters/keyfile.ts';
import { openLmdbStore } from './adapters/lmdb-store.ts';
import { MqttLink } from './adapters/mqtt-link.ts';
import { NeighboursDoor } from './adapters/neighbours/door.ts';
import { readFrom } from './adapters/neighbours/giving.ts';
import { wearOf } from './adapters/partitions/log-keep.ts';
import { openPartitions } from './adapters/partitions/open.ts';
import { forgetClaim, readSetup } from './adapters/setup.ts';
import { openImageSlots } from './adapters/slots/open.ts';
import { StickFolder } from './adapters/stick-folder.ts';
import { StickLink } from './adapters/stick-link.ts';
import { dialThrough } from './adapters/tunnel.ts';
import { unpackZstd } from './adapters/zstd.ts';
import { boardCore } from './agent/agent.ts';
import { type Board, type Effect, type Event, type Of, type Pace, saidBy } from './agent/events.ts';
import { openRetelling } from './agent/retell.ts';
import { statusOf } from './agent/status.ts';
import { notGiven, offerOf } from './core/capacity.ts';
import { ONE, pairings } from './core/tables.ts';
import type { Files } from './ports/files.ts';
import type { Link } from './ports/link.ts';
import type { Neighbours } from './ports/neighbours.ts';
import type { PartitionEvent, PartitionStep, Partitions } from './ports/partitions.ts';
import type { Slots } from './ports/slots.ts';
import { hex } from './protocol/bytes.ts';
import type { Opener } from './protocol/crypto.ts';
import { asLichenError, ERRORS, refuse, tell } from './protocol/errors.ts';
import { type BoardId, idFrom, type OperatorId } from './protocol/ids.ts';
import type { Part } from './protocol/image.ts';
import type { Clock } from './turn/clock.ts';
import { Draft } from './turn/draft.ts';
import type { Store } from './turn/store.ts';
import { startTurn, type Turn } from './turn/turn.ts';
import { beginPairing, type Home } from './unpaired/pairing.ts';
import { findHome } from './unpaired/unpaired.ts';
import { asUsage, checked, HELP, lentIn, neighboursIn, number, OPTIONS, paceOf, type Values } from './words.ts';

export const SOFTWARE = 'lichen-runtime/0.1.0';

const clock = openClock();

/** One line of JSON a line: journald and people's eyes both read it. A board may not know what time it is, but how long it is up. */
const journal = (line: string, detail: Record<string, unknown> = {}): void => {
  const { wallMs, monoMs } = clock.now();
  const upS = Math.round(monoMs / 100) / 10;
  process.stderr.write(`${JSON.stringify({ at: new Date(wallMs).toISOString(), upS, line, ...detail })}\n`);
};

interface Doors {
  clock: Clock;
  partitions: Partitions;
  files: Files;
  link: Link;
  slots: Partial<Record<Part, Slots>> | null;
  neighbours: Neighbours | null;
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
    case 'neighbours':
      return doors.neighbours?.perform(effect.step);
    case 'wake':
      return void doors.clock.after(effect.afterMs, () => turn.submit({ kind: 'wake' }));
    case 'journal':
      return journal(effect.line);
  }
};

/** Not the key that it signs with: that one is handed over, and what was sealed stays sealed to this one. */
const openBoxKey = (data: string): Opener => openerFromSeed(openKeyFile(join(data, 'box.key')).seed);

/** A board comes to be where one is to run; whoever looks at one has to name the folder of one. Error: `not-found`. */
const dataOf = (values: Values): string => {
  const data = typeof values.data === 'string' ? values.data : '';
  if (data === '') throw asUsage('--data DIR is needed');
  const isThere = values.status === true || values.evict === true || values['rotate-key'] === true;
  if (isThere && !existsSync(join(data, 'board.key')))
    refuse('not-found', `no board has ever run in ${data}`, 'Name the folder that its runtime was started with: --data DIR.');
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

const words = (value: Values[string]): string | null => (typeof value === 'string' ? value : null);

const homeEvent = ({ claim, paired, address }: Home): Of<'paired'> => {
  const first = { gateway: claim.gateway, key: claim.key, name: 'first', region: 'first', address };
  return { kind: 'paired', operator: idFrom<OperatorId>(claim.operator), first, chains: paired.operators, owner: paired.owner };
};

const rowsOf = (store: Store): Draft<Effect> => new Draft<Effect>(store.snapshot(), new Map());

const beginTurn = (board: Board, doors: Doors, stick: StickLink | null, store: Store, owner: string): Turn<Event> => {
  const retell = openRetelling({
    monoMs: () => clock.now().monoMs,
    after: (ms, call) => void clock.after(ms, call),
    submit: (event) => turn.submit(event),
  });
  const turn: Turn<Event> = startTurn<Event, Effect>({
    store,
    clock,
    core: boardCore(board),
    release: (effect) => wire(turn, doors, withNotes(stick, effect)),
    owner,
    batch: 256,
    conflictsMax: 3,
    failed: (error, events) => {
      journal(`store: ${error.message}`, { events: events.length });
      // Another process has taken the store over: two runtimes on one identity would be a cloned card.
      if (error.code === 'conflict') process.exit(ERRORS.conflict.exit);
      retell(events);
    },
    defect: (thrown, event) => {
      journal(`${event.kind}: ${asLichenError(thrown).message}`);
      // What somebody says ends no runtime; without an event of its own it is not what it should be, and begins anew.
      const isSaid = event.kind === 'message' || event.kind === 'neighbour-seen' || event.kind === 'neighbour-gave';
      if (!isSaid) process.exit(ERRORS.internal.exit);
    },
  });
  doors.partitions.watch(turn.submit);
  doors.link.watch(turn.submit);
  doors.neighbours?.watch(turn.submit);
  turn.submit({ kind: 'boot' });
  return turn;
};

/** What was loaded beside it goes on meanwhile. */
const somethingIn = async (pipe: string): Promise<void> => {
  const file = await open(pipe);
  await file.read(Buffer.alloc(1));
  await file.close();
};

const run = async (given: Values): Promise<void> => {
  // Before anything is opened here.
  closeInherited(process.env);
  if (typeof given.after === 'string') await somethingIn(given.after);
  if (given.status !== true) journal('starts', { software: SOFTWARE });
  const data = dataOf(given);
  const { gateways = [], ...said } = readSetup(data, journal);
  const values: Values = { ...said, ...given };
  if (values['rotate-key'] === true) return rotateKey(data);
  const looksOnly = values.status === true || values.evict === true;
  if (!looksOnly) await holdFolder(data, 'board');
  const { id, seed, signer } = openBoardKey(data);
  const identity = identityFromSeed(seed, id);
  const pace = paceOf(values);
  const owner = `board ${id} ${hex(kernelEntropy.bytes(8))}`;
  const storePath = join(data, 'store.mdb');
  const store = openLmdbStore({ path: storePath, owner: looksOnly ? null : owner });
  keepFromChildren(storePath);
  if (values.status === true) {
    process.stdout.write(`${JSON.stringify({ ...statusOf(id, rowsOf(store)), logWear: wearOf(id, data), health: healthOf(data) })}\n`);
    return store.close();
  }
  const lent = lentIn(values, totalmem());
  const isPaired = pairings.get(rowsOf(store), ONE) !== null;
  const claim = isPaired || looksOnly ? null : words(values.claim);
  // Beside what is tried of this kernel: on a small board either takes seconds, most of which it waits.
  const pairing = claim === null ? null : beginPairing({ line: claim, gateways, identity, board: id, clock }, journal);
  const partitions = await partitionsOf(id, data, values);
  if (values.evict === true) {
    await evict(partitions);
    partitions.close();
    return store.close();
  }
  const { enforcement } = partitions;
  const opener = openBoxKey(data);
  const { slots, lacks: fixed, damaged } = openImageSlots(typeof values.slots === 'string' ? values.slots : '', data);
  const offer = {
    ...offerOf(enforcement, lent.capacity, process.arch, await boardModel(data), lent.grants),
    ...(enforcement.secrets && { box: opener.publicKey }),
    ...(slots !== null && { image: { board: slots.board, parts: slots.parts } }),
  };
  const files = openFiles({ path: data });
  const route = typeof values.proxy === 'string' ? { dial: dialThrough(values.proxy) } : {};
  const network = new MqttLink({ identity, keepaliveS: number(values, 'keepalive-s'), timeoutMs: pace.patienceMs, ...route });
  const stick = stickBeside(network, values.stick, { data, board: id, clock, freshMs: pace.reportMs });
  const link = stick ?? network;
  const port = neighboursIn(values);
  const read = readFrom(files.read, ...Object.values(slots?.doors ?? {}).map((door) => door.read));
  const neighbours = port === null ? null : new NeighboursDoor({ read, entropy: kernelEntropy, port, journal });
  const board: Board = {
    ...{ crypto: nodeCrypto, unpack: unpackZstd, sealer: nodeSealer, opener, signer, entropy: kernelEntropy },
    ...{ id, bootId: bootId(), software: SOFTWARE, offer, pace, neighbours: neighbours !== null },
  };
  const turn = beginTurn(board, { clock, partitions, files, link, slots: slots?.doors ?? null, neighbours }, stick, store, owner);
  const lacks = [...enforcement.lacks, ...fixed, ...notGiven(enforcement, lent.capacity, lent.grants)];
  if (isPaired) forgetClaim(data);
  else {
    const about = { software: SOFTWARE, hostname: hostname(), tier: offer.tier, engine: offer.engine, lacks };
    const page = values.page === undefined ? null : number(values, 'page');
    const print = (text: string): void => void process.stderr.write(text);
    const home = await findHome({ board: id, clock, pairing, page, notes: words(values.notes), about, journal, print });
    if (home !== null) turn.submit(homeEvent(home));
  }
  openCard(() => healthOf(data, damaged).card, clock).watch(turn.submit);
  journal('running', { board: id, tier: offer.tier, engine: offer.engine, lacks });
  beat(turn, pace);
  const stop = endOf(link, partitions, neighbours, store);
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
};

const beat = (turn: Turn<Event>, pace: Pace): void => {
  turn.submit({ kind: 'tick' });
  clock.after(pace.tickMs, () => beat(turn, pace));
};

/** Instances go on: the reapers hold them, and the next start adopts them. */
const endOf = (link: Link, partitions: Partitions, neighbours: Neighbours | null, store: { close(): void }) => (): void => {
  link.hangUp();
  neighbours?.close();
  partitions.close();
  store.close();
  process.exit(0);
};

/** Null: no folder is to be looked for. */
const stickBeside = (
  network: Link,
  path: Values[string],
  { data, ...more }: { data: string; board: string; clock: Clock; freshMs: number },
): StickLink | null =>
  typeof path === 'string'
    ? new StickLink(network, { ...more, folder: new StickFolder(path), memoryPath: join(data, 'carried.json'), crypto: nodeCrypto })
    : null;

/** What is refused is told in the folder, too. */
const withNotes = (stick: StickLink | null, effect: Effect): Effect => {
  if (effect.kind === 'journal') stick?.note(effect.line);
  return effect;
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
  else await run(checked(values));
} catch (thrown) {
  fail(thrown);
}
