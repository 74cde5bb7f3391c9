/** The only place where the board is wired. */
import { mkdirSync } from 'node:fs';
import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBoardKey, rotateBoardKey } from './adapters/board-key.ts';
import { identityFromSeed } from './adapters/certificate.ts';
import { bootId, openClock } from './adapters/clock.ts';
import { nodeCrypto } from './adapters/crypto.ts';
import { kernelEntropy } from './adapters/entropy.ts';
import { openFiles } from './adapters/files.ts';
import { modelOfMachine } from './adapters/hardware.ts';
import { nodeSealer, openerFromSeed } from './adapters/hpke.ts';
import { openKeyFile } from './adapters/keyfile.ts';
import { openLmdbStore } from './adapters/lmdb-store.ts';
import { MqttLink } from './adapters/mqtt-link.ts';
import { wearOf } from './adapters/partitions/log-keep.ts';
import { openPartitions } from './adapters/partitions/open.ts';
import { forgetClaim, readSetup } from './adapters/setup.ts';
import { dialThrough } from './adapters/tunnel.ts';
import { unpackZstd } from './adapters/zstd.ts';
import { boardCore } from './agent/agent.ts';
import type { Board, Effect, Event, Of, Pace } from './agent/events.ts';
import { openRetelling } from './agent/retell.ts';
import { statusOf } from './agent/status.ts';
import { type Capacity, notGiven, offerOf, parseCapacity, parseGrants } from './core/capacity.ts';
import { ONE, pairings } from './core/tables.ts';
import type { Files } from './ports/files.ts';
import type { Link } from './ports/link.ts';
import type { PartitionEvent, PartitionStep, Partitions } from './ports/partitions.ts';
import { hex } from './protocol/bytes.ts';
import type { Opener } from './protocol/crypto.ts';
import { asLichenError, ERRORS, LichenError, tell } from './protocol/errors.ts';
import { idFrom, type OperatorId } from './protocol/ids.ts';
import type { Clock } from './turn/clock.ts';
import { Draft } from './turn/draft.ts';
import type { Store } from './turn/store.ts';
import { startTurn, type Turn } from './turn/turn.ts';
import type { Home } from './unpaired/pairing.ts';
import { findHome } from './unpaired/unpaired.ts';

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
  page: { type: 'string' },
  notes: { type: 'string' },
  status: { type: 'boolean', default: false },
  evict: { type: 'boolean', default: false },
  'rotate-key': { type: 'boolean', default: false },
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
  --page PORT       shows on the network what this board is and waits for, until it is paired (and by mDNS as HOSTNAME.local)
  --notes DIR       folder of what the start of the board left for people: setup.json and said
  --status          says what the store holds, as JSON, and ends
  --rotate-key      hands over to a new key and says with which documents, as JSON: push them, start the board again
  --evict           stops and takes away every partition of this board, and ends
  --tier dev        without root's means, even for root
  --meter-ms N      between two samples of the kernel's counters (60000)
  --record-ms N     between two signed usage records (900000)
  --tick-ms, --report-ms, --patience-ms, --keepalive-s   other paces
`;

const clock = openClock();

/** One line of JSON a line: journald and people's eyes both read it. A board may not know what time it is, but how long it is up. */
const journal = (line: string, detail: Record<string, unknown> = {}): void => {
  const { wallMs, monoMs } = clock.now();
  const upS = Math.round(monoMs / 100) / 10;
  process.stderr.write(`${JSON.stringify({ at: new Date(wallMs).toISOString(), upS, line, ...detail })}\n`);
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

const words = (value: Values[string]): string | null => (typeof value === 'string' ? value : null);

const homeEvent = ({ claim, paired, address }: Home): Of<'paired'> => {
  const first = { gateway: claim.gateway, key: claim.key, name: 'first', region: 'first', address };
  return { kind: 'paired', operator: idFrom<OperatorId>(claim.operator), first, chains: paired.operators };
};

const rowsOf = (store: Store): Draft<Effect> => new Draft<Effect>(store.snapshot(), new Map());

const beginTurn = (board: Board, doors: Doors, store: Store, owner: string): Turn<Event> => {
  const retell = openRetelling({
    monoMs: () => clock.now().monoMs,
    after: (ms, call) => void clock.after(ms, call),
    submit: (event) => turn.submit(event),
  });
  const turn: Turn<Event> = startTurn<Event, Effect>({
    store,
    clock,
    core: boardCore(board),
    release: (effect) => wire(turn, doors, effect),
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
  doors.partitions.watch(turn.submit);
  doors.link.watch(turn.submit);
  turn.submit({ kind: 'boot' });
  return turn;
};

const run = async (given: Values): Promise<void> => {
  const data = dataOf(given);
  const { gateways = [], ...said } = readSetup(data, journal);
  const values: Values = { ...said, ...given };
  if (values['rotate-key'] === true) return rotateKey(data);
  const key = openBoardKey(data);
  const { id } = key;
  const identity = identityFromSeed(key.seed, id);
  const pace = paceOf(values);
  const looksOnly = values.status === true || values.evict === true;
  const owner = `board ${id} ${hex(kernelEntropy.bytes(8))}`;
  const store = openLmdbStore({ path: join(data, 'store.mdb'), owner: looksOnly ? null : owner });
  if (values.status === true) {
    process.stdout.write(`${JSON.stringify({ ...statusOf(id, rowsOf(store)), logWear: wearOf(id, data) })}\n`);
    return store.close();
  }
  const lent = lentIn(values);
  const partitions = await openPartitions({
    board: id,
    dataPath: data,
    nodePath: process.execPath,
    ...(values.tier === 'dev' ? { tier: 'dev' as const } : {}),
    log: (line) => journal(line),
  });
  if (values.evict === true) {
    await evict(partitions);
    partitions.close();
    return store.close();
  }
  const { enforcement } = partitions;
  const opener = openBoxKey(data);
  const plain = offerOf(enforcement, lent.capacity, process.arch, modelOfMachine(), lent.grants);
  const offer = enforcement.secrets ? { ...plain, box: opener.publicKey } : plain;
  const files = openFiles({ path: data });
  const route = typeof values.proxy === 'string' ? { dial: dialThrough(values.proxy) } : {};
  const link = new MqttLink({ identity, keepaliveS: number(values, 'keepalive-s'), timeoutMs: pace.patienceMs, ...route });
  const board: Board = {
    ...{ crypto: nodeCrypto, unpack: unpackZstd, sealer: nodeSealer, opener, signer: key.signer, entropy: kernelEntropy },
    ...{ id, bootId: bootId(), software: SOFTWARE, offer, pace },
  };
  const turn = beginTurn(board, { clock, partitions, files, link }, store, owner);
  const lacks = [...enforcement.lacks, ...notGiven(enforcement, lent.capacity, lent.grants)];
  if (pairings.get(rowsOf(store), ONE) !== null) forgetClaim(data);
  else {
    const about = { software: SOFTWARE, hostname: hostname(), tier: offer.tier, engine: offer.engine, lacks };
    const [claim, notes] = [words(values.claim) ?? undefined, words(values.notes)];
    const page = values.page === undefined ? null : number(values, 'page');
    const print = (text: string): void => void process.stderr.write(text);
    const home = await findHome({ board: id, identity, clock, claim, gateways, page, notes, about, journal, print });
    if (home !== null) turn.submit(homeEvent(home));
  }
  journal('running', { board: id, tier: offer.tier, engine: offer.engine, lacks });
  const tick = (): void => {
    turn.submit({ kind: 'tick' });
    clock.after(pace.tickMs, tick);
  };
  tick();
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
  else await run(values);
} catch (thrown) {
  fail(thrown);
}
