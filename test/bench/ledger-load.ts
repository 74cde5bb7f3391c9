/**
 * A gateway that holds so many usage records of so many boards is asked for the statement of a period that counts them all,
 * and meanwhile, again and again, for its status. Real store, real signatures. Says on stdout what it took, as JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closes as closeRows, frontiers, logRows } from '../../gateway/core/tables.ts';
import type { Effect, Event, Service } from '../../gateway/service/events.ts';
import { gatewayCore } from '../../gateway/service/gateway.ts';
import { openClock } from '../../runtime/adapters/clock.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { openLmdbStore } from '../../runtime/adapters/lmdb-store.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { open1 } from '../../runtime/protocol/cose.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { append, EMPTY } from '../../runtime/protocol/merkle.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import { usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { entryBytes, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import { Draft } from '../../runtime/turn/draft.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import { startTurn } from '../../runtime/turn/turn.ts';
import { keyOf } from '../support/crypto.ts';
import { closeAt, type Fact, groundwork, idOf, lease, OPERATOR, signedLease, signedRequest, usageChain } from '../support/federation.ts';

const { values } = parseArgs({ options: { boards: { type: 'string', default: '20' }, records: { type: 'string', default: '100000' } } });
const [boards, records] = [Number(values.boards), Number(values.records)];

const AUTHOR = idOf<GatewayId>('gateway b');
const OWNER = 'bench';
const BATCH = 5000;
const SAMPLE = 5000;
const SLICE_MS = 900_000;
const ASK_EVERY_MS = 20;

const names = Array.from({ length: boards }, (_, i) => `board ${i}`);
const leases = names.map((on, index) => lease({ on, index }));

/** A point each quarter of an hour; what is used is as good as any. */
const usageOf = (i: number, count: number): Fact[] => {
  const of = leases[i];
  if (of === undefined) return [];
  return usageChain(
    names[i] ?? '',
    Array.from({ length: count }, (_, n) => ({
      lease: of.lease,
      kind: n === 0 ? ('open' as const) : ('point' as const),
      wallMs: of.openedMs + n * SLICE_MS,
      registers: { wallMs: BigInt(n * SLICE_MS), cpuMicros: BigInt(n) * 18_000_000n, memoryMibS: BigInt(n) * 28_800n },
    })),
  );
};

const folder = mkdtempSync(join(tmpdir(), 'lichen-ledger-'));
const store = openLmdbStore({ path: join(folder, 'store.mdb'), owner: OWNER });
const commit = (write: (draft: Draft<never>) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const draft = new Draft<never>(store.snapshot(), new Map());
    write(draft);
    store.commit(draft.toCommit(OWNER), (outcome) => (outcome.kind === 'committed' ? resolve() : reject(new Error(outcome.kind))));
  });

/** Writes the log as if it had come from its author; gives some of the usage. */
const fill = async (): Promise<{ size: number; sample: Bytes[] }> => {
  let tip = EMPTY;
  let batch: [string, Bytes][] = [];
  const sample: Bytes[] = [];
  const flush = async (): Promise<void> => {
    const rows = batch;
    batch = [];
    await commit((draft) => {
      for (const [key, data] of rows) draft.put(key, data);
      frontiers.put(draft, tip, AUTHOR);
    });
  };
  const log = async ({ kind, body }: Fact): Promise<void> => {
    const entry: LogEntry = { v: 1, author: AUTHOR, seq: tip.size, wallMs: 1_700_000_000_000 + tip.size, kind, body };
    const data = entryBytes(entry);
    batch.push([`${logRows}/${AUTHOR}/${ordinal(entry.seq)}`, data]);
    tip = append(nodeCrypto, tip, data);
    if (kind === 'usage' && sample.length < SAMPLE) sample.push(body);
    if (batch.length >= BATCH) await flush();
  };
  for (const fact of groundwork(names)) await log(fact);
  await log(signedRequest({ replicas: boards, sequence: 2 }));
  for (const of of leases) await log(signedLease(of));
  for (let i = 0; i < boards; i++) for (const fact of usageOf(i, Math.ceil(records / boards))) await log(fact);
  await flush();
  await commit((draft) => closeRows.put(draft, closeAt(1, { [AUTHOR]: tip.size }), ordinal(1)));
  return { size: tip.size, sample };
};

const { size, sample } = await fill();
/** What lives, of the heap and beside it. */
const livingMb = (): number => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
};
const service: Service = {
  ...{ crypto: nodeCrypto, signer: keyOf('gateway a'), me: idOf<GatewayId>('gateway a'), operator: OPERATOR, silenceMs: 15_000 },
  ...{ name: 'bench', region: 'here', address: 'bench:1', software: 'bench', contentBytes: 1 << 30, unpack: unpackZstd },
  ledgerEntries: Number.MAX_SAFE_INTEGER,
  entropy: (length) => kernelEntropy.bytes(length),
};
const waiting = new Map<number, (answer: Extract<Effect, { kind: 'reply' }>['answer']) => void>();
const clock = openClock();
const turn = startTurn<Event, Effect>({
  ...{ store, clock, core: gatewayCore(service), owner: OWNER, batch: 512, conflictsMax: 3 },
  release: (effect) => {
    if (effect.kind === 'reply') waiting.get(effect.id)?.(effect.answer);
    if (effect.kind === 'go-on') clock.after(0, () => turn.submit({ kind: 'go-on' }));
  },
  failed: (error) => {
    throw error;
  },
  defect: (thrown) => {
    throw thrown;
  },
});
let calls = 0;
const call = (name: 'status' | 'statement', params: Record<string, string> = {}) =>
  new Promise<Extract<Effect, { kind: 'reply' }>['answer']>((resolve) => {
    const id = ++calls;
    waiting.set(id, resolve);
    turn.submit({ kind: 'call', id, name, input: { params, body: null } });
  });

const ms = (): number => Number(process.hrtime.bigint()) / 1e6;
const pause = (forMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, forMs));

/** The floor: signatures verified, and nothing else; of so many as the sample has. */
const verifying = ms();
for (const body of sample) open1(nodeCrypto, usageNoun.typ, body);
const verifyPerS = sample.length / ((ms() - verifying) / 1000);

const emptyMb = livingMb();
turn.submit({ kind: 'configured', documents: [] });
await call('status');
const waits: number[] = [];
let isStated = false;
const began = ms();
const asking = (async () => {
  while (!isStated) {
    const asked = ms();
    await call('status');
    waits.push(ms() - asked);
    await pause(ASK_EVERY_MS);
  }
})();
let answer = await call('statement', { period: '1' });
const seconds = (ms() - began) / 1000;
isStated = true;
await asking;
if (!('bytes' in answer)) throw new Error(JSON.stringify(answer));
const { postings } = decodeStatement(answer.bytes).invoices[0] ?? { postings: [] };
const foldedMb = livingMb() - emptyMb;
const againAt = ms();
answer = await call('statement', { period: '1' });
const againMs = ms() - againAt;
store.close();
rmSync(folder, { recursive: true });
const said = { entries: size, postings: postings.length, charged: postings.filter(({ debitMicro }) => debitMicro > 0n).length };
process.stdout.write(
  `${JSON.stringify({ ...said, seconds, recordsPerS: records / seconds, verifyPerS, longestWaitMs: Math.max(...waits), keptKbPerRecord: (foldedMb * 1024) / records, againMs })}\n`,
);
