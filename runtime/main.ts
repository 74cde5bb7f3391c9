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
import { StickFolder } from './adapters/stick-folder.ts';
import { StickLink } from './adapters/stick-link.ts';
import { dialThrough } from './adapters/tunnel.ts';
import { unpackZstd } from './adapters/zstd.ts';
import { boardCore } from './agent/agent.ts';
import type { Board, Effect, Event, Of, Pace } from './agent/events.ts';
import { openRetelling } from './agent/retell.ts';
import { statusOf } from './agent/status.ts';
import { notGiven, offerOf } from './core/capacity.ts';
import { ONE, pairings } from './core/tables.ts';
import type { Files } from './ports/files.ts';
import type { Link } from './ports/link.ts';
import type { PartitionEvent, PartitionStep, Partitions } from './ports/partitions.ts';
import type { Slots } from './ports/slots.ts';
import { hex } from './protocol/bytes.ts';
import { parseClaim } from './protocol/claim.ts';
import type { Opener } from './protocol/crypto.ts';
import { asLichenError, ERRORS, tell } from './protocol/errors.ts';
import { type BoardId, idFrom, type OperatorId } from './protocol/ids.ts';
import type { Clock } from './turn/clock.ts';
import { Draft } from './turn/draft.ts';
import { startTurn, type Turn } from './turn/turn.ts';
import { asUsage, HELP, lentIn, number, OPTIONS, paceOf, type Values } from './words.ts';

export const SOFTWARE = 'lichen-runtime/0.1.0';

/** One line of JSON a line: journald and people's eyes both read it. */
const journal = (line: string, detail: Record<string, unknown> = {}): void => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), line, ...detail })}\n`);
};

interface Doors {
  clock: Clock;
  partitions: Partitions;
  files: Files;
  link: Link;
  slots: Slots | null;
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
      return doors.slots?.perform(effect.step, turn.submit);
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
    process.stdout.write(`${JSON.stringify({ ...status, logWear: wearOf(id, data) })}\n`);
    return store.close();
  }
  const lent = lentIn(values, totalmem());
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
    ...(slots !== null && { image: { board: slots.board } }),
  };
  const files = openFiles({ path: data });
  const route = typeof values.proxy === 'string' ? { dial: dialThrough(values.proxy) } : {};
  const network = new MqttLink({ identity, keepaliveS: number(values, 'keepalive-s'), timeoutMs: pace.patienceMs, ...route });
  const stick = stickBeside(network, values.stick, { data, board: id, clock, freshMs: pace.reportMs });
  const link = stick ?? network;
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
    release: (effect) => wire(turn, { clock, partitions, files, link, slots: slots?.door ?? null }, withNotes(stick, effect)),
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
  await beginPaired(new Draft<Effect>(store.snapshot(), new Map()), { data, claim: values.claim, identity, id, clock }, turn);
  const lacks = [...enforcement.lacks, ...fixed, ...notGiven(enforcement, lent.capacity, lent.grants)];
  journal('running', { board: id, tier: offer.tier, engine: offer.engine, lacks });
  beat(turn, clock, pace);
  const stop = endOf(link, partitions, store);
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
};

const beat = (turn: Turn<Event>, clock: Clock, pace: Pace): void => {
  turn.submit({ kind: 'tick' });
  clock.after(pace.tickMs, () => beat(turn, clock, pace));
};

/** Instances go on: the reapers hold them, and the next start adopts them. */
const endOf = (link: Link, partitions: Partitions, store: { close(): void }) => (): void => {
  link.hangUp();
  partitions.close();
  store.close();
  process.exit(0);
};

interface Unpaired {
  data: string;
  claim: Values[string];
  identity: Identity;
  id: BoardId;
  clock: Clock;
}

const beginPaired = async (held: Draft<Effect>, { data, claim, identity, id, clock }: Unpaired, turn: Turn<Event>): Promise<void> => {
  if (pairings.get(held, ONE) !== null) forgetClaim(data);
  else if (typeof claim === 'string') turn.submit(await pairWith(claim, identity, id, clock));
  else askToBePaired(id);
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
