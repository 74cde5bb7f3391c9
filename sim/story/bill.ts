/** Act 6: the period is closed, every survivor computes the same bytes, and the bill is held against the kernel's count. */
import * as v from 'valibot';
import { makeRequest } from '../../gateway/cli/ceremony.ts';
import { openPush } from '../../gateway/cli/mqtt-push.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, fromHex } from '../../runtime/protocol/bytes.ts';
import { decodeStatement, type Posting, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { askBytes, askJson, type GatewayProcess } from '../harness/gateway.ts';
import { cpuMicrosOf } from '../harness/kernel.ts';
import { until } from '../harness/wait.ts';
import { type Instance, instances, requestsOf, type Stage, statusOf } from './stage.ts';

export interface Bill {
  statement: Statement;
  bytes: Bytes;
  sameBytes: boolean;
  /** Lease → CPU by the kernel, read by the story while the groups stood and were empty. */
  kernel: Map<string, bigint>;
  logs: Map<string, { entries: Bytes[]; head: string }>;
}

const south = (stage: Stage): GatewayProcess => {
  const [gateway] = stage.gateways;
  if (gateway === undefined) throw new Error('no gateway is alive');
  return gateway;
};

/** The tenant's next word on every request, pushed over MQTT at a gateway that is alive. */
export const pushState = async (stage: Stage, state: 'started' | 'stopped' | 'destroyed'): Promise<void> => {
  const gateway = south(stage);
  const { tenant, tenantId } = stage.cast;
  const door = await openPush({
    address: gateway.address,
    gatewayKey: gateway.key,
    tenant: tenantId,
    seed: tenant.seed,
    timeoutMs: 10_000,
  });
  try {
    for (const [name, terms] of stage.requests) {
      const next = { ...terms, state, sequence: terms.sequence + 1 };
      stage.requests.set(name, next);
      const { ok, why } = await door.push(makeRequest(nodeCrypto, tenant.signer, next).document);
      if (!ok) throw new Error(why);
    }
  } finally {
    door.close();
  }
};

/**
 * Stopped first: the partitions stay, their groups are empty, and what the kernel counted can be read exactly. Only
 * then destroyed, upon which the boards sign the final records and take the groups away.
 */
export const stopAll = async (stage: Stage): Promise<Map<string, bigint>> => {
  // Without groups there is nothing to read once the processes have ended, so what they had used before counts.
  const before = new Map((await instances(stage)).map(({ lease }) => [lease, cpuMicrosOf(lease)]));
  await pushState(stage, 'stopped');
  const stopped = await until('every instance to have stopped', 30_000, async () => {
    const seen = await instances(stage);
    return seen.length > 0 && seen.every(({ report }) => report?.state === 'stopped') ? seen : null;
  });
  const kernel = new Map<string, bigint>();
  for (const { lease, name, index } of stopped) {
    const micros = cpuMicrosOf(lease) ?? before.get(lease) ?? null;
    if (micros !== null) kernel.set(lease, micros);
    stage.teller.say(
      `${name}/${index}: the kernel counted ${micros === null ? 'nothing readable' : `${(Number(micros) / 1e6).toFixed(3)} s of CPU`}`,
    );
  }
  await pushState(stage, 'destroyed');
  await until('every lease to be closed everywhere', 30_000, async () => {
    for (const gateway of stage.gateways) {
      const rows = await requestsOf(gateway);
      const open: Instance[] = await instances(stage);
      if (rows.some(({ state }) => state !== 'destroyed') || open.length > 0) return false;
    }
    return true;
  });
  stage.teller.check(true, 'all instances destroyed; every lease closed with a final record read from an empty group');
  return kernel;
};

const logPage = v.object({ size: v.number(), head: v.nullable(v.string()), entries: v.array(v.string()) });

/** A whole log as a gateway holds it, with its signed head. */
const fetchLog = async (gateway: GatewayProcess, author: string): Promise<{ entries: Bytes[]; head: string }> => {
  const entries: Bytes[] = [];
  let head = '';
  for (;;) {
    const page = parse(logPage, await askJson(gateway, 'log', { params: { author, from: String(entries.length) } }), 'log');
    if (page.head === null) return { entries, head };
    entries.push(...page.entries.map(fromHex));
    head = page.head;
  }
};

export const closeAndState = async (stage: Stage, kernel: Map<string, bigint>): Promise<Bill> => {
  const closer = south(stage);
  const { period } = parse(v.object({ period: v.number() }), await askJson(closer, 'close', { body: '' }), 'close');
  const statements = await Promise.all(
    stage.gateways.map((gateway) =>
      until(`the statement at ${gateway.name}`, 15_000, () => askBytes(gateway, 'statement', { params: { period: String(period) } })),
    ),
  );
  const [bytes = new Uint8Array()] = statements;
  const sameBytes = statements.length === stage.gateways.length && statements.every((other) => equal(other, bytes));
  stage.teller.check(
    sameBytes,
    `period ${period} is closed; ${stage.gateways.map(({ name }) => name).join(' and ')} compute the same ${bytes.length} bytes`,
  );
  const logs = new Map<string, { entries: Bytes[]; head: string }>();
  for (const author of Object.keys((await statusOf(closer)).vector)) logs.set(author, await fetchLog(closer, author));
  return { statement: decodeStatement(bytes), bytes, sameBytes, kernel, logs };
};

export const postingsOf = (statement: Statement): Posting[] => statement.invoices.flatMap(({ postings }) => postings);

/** Records covered by more than one posting: none may be. */
export const billedTwice = (statement: Statement): number => {
  const rows = postingsOf(statement).sort((a, b) => (a.lease === b.lease ? a.fromSeq - b.fromSeq : a.lease < b.lease ? -1 : 1));
  return rows.reduce((count, row, i) => {
    const before = rows[i - 1];
    return before?.lease === row.lease && before.toSeq > row.fromSeq ? count + before.toSeq - row.fromSeq : count;
  }, 0);
};
