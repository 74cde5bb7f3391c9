/** The acts in their order, and what is reported of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { audit } from '../../gateway/cli/audit.ts';
import { writeKept } from '../../gateway/cli/kept.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { NOT_PAYABLE } from '../../runtime/protocol/money.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { entrySchema } from '../../runtime/protocol/nouns/log.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { startBoard, statusOfBoard } from '../harness/board.ts';
import { cpuMicrosOf, rssBytesOf } from '../harness/kernel.ts';
import { until } from '../harness/wait.ts';
import { type Bill, billedTwice, closeAndState, postingsOf, pushState, stopAll } from './bill.ts';
import { awaitPromises, openGateways, pairBoards, pushSoftware, readSensor } from './open.ts';
import { boardsOf, homeOf, type Instance, instances, type Stage, statusOf } from './stage.ts';
import { playTrouble } from './trouble.ts';

export interface Staging {
  root: string;
  tier: 'dev' | null;
  keep: string | null;
  /** Without it the fleet is set up anew for the live view once the bill is settled. */
  once: boolean;
}

const sum = (values: Iterable<bigint>): bigint => [...values].reduce((total, value) => total + value, 0n);

/** What the boards say they signed, against what the survivors' logs hold. */
const countRecords = async (stage: Stage, bill: Bill): Promise<{ signed: number; lost: number }> => {
  const held = new Set<string>();
  for (const { entries } of bill.logs.values()) {
    for (const bytes of entries) {
      const entry = decodeAs(entrySchema, bytes, 'entry');
      if (entry.kind !== 'usage') continue;
      const { value } = unseal(nodeCrypto, usageNoun, entry.body);
      held.add(`${value.board}/${value.seq}`);
    }
  }
  let signed = 0;
  for (const { setup, process } of stage.boards.values()) {
    await process.kill('SIGTERM');
    const { recordsSigned } = parse(v.object({ recordsSigned: v.number() }), await statusOfBoard(stage.runtime, setup), 'status');
    signed += recordsSigned;
  }
  return { signed, lost: signed - held.size };
};

/** For those who stay: boards and requests as before, for the live view. */
const encore = async (stage: Stage): Promise<void> => {
  for (const [board, { setup }] of stage.boards) stage.boards.set(board, { setup, process: startBoard(stage.runtime, setup) });
  for (const { name, board } of stage.cast.boards) await until(`board ${name} to be back`, 30_000, () => homeOf(stage, board));
  await pushState(stage, 'started');
  await awaitPromises(stage);
};

/** Kernel and bill agree when they are the same to the microsecond; unprivileged tiers count in clock ticks. */
const agree = (kernel: bigint, billed: bigint, exact: boolean): boolean => {
  const difference = kernel > billed ? kernel - billed : billed - kernel;
  return exact ? difference === 0n : difference * 10n <= kernel + 2_000_000n;
};

const checkBill = (stage: Stage, bill: Bill, tier: string) => {
  const { teller } = stage;
  const postings = postingsOf(bill.statement);
  const overlapCpuMicros = sum(postings.map(({ uncharged, reason }) => (reason === 'overlap' ? uncharged.cpuMicros : 0n)));
  const billedCpuMicros = sum(postings.map(({ used, uncharged }) => used.cpuMicros - uncharged.cpuMicros));
  const kernelCpuMicros = sum(bill.kernel.values());
  for (const invoice of bill.statement.invoices)
    teller.say(`invoice: ${invoice.postings.length} slices, ${(Number(invoice.totalMicro) / 1e6).toFixed(6)} ${invoice.currency}`);
  for (const payout of bill.statement.payouts)
    teller.say(`owner ${payout.owner.slice(0, 8)} earns ${(Number(payout.creditMicro) / 1e6).toFixed(6)} ${payout.currency}`);
  for (const fee of bill.statement.fees)
    teller.say(`operator ${fee.operator.slice(0, 8)} takes a fee of ${(Number(fee.feeMicro) / 1e6).toFixed(6)} ${fee.currency}`);
  const totals = bill.statement.totals;
  const [charges, earnings, fees, rounding] = (['chargesMicro', 'earningsMicro', 'feesMicro', 'roundingMicro'] as const).map((key) =>
    sum(totals.map((row) => row[key])),
  );
  teller.check(
    totals.length > 0 && charges === (earnings ?? 0n) + (fees ?? 0n) + (rounding ?? 0n),
    `charges ${charges} = earnings ${earnings} + fees ${fees} + rounding ${rounding} (micro-units)`,
  );
  teller.check(bill.kernel.size === postings.length, `the kernel's counters were read for all ${postings.length} leases`);
  teller.check(
    agree(kernelCpuMicros, billedCpuMicros + overlapCpuMicros, tier !== 'dev'),
    `the kernel counted ${kernelCpuMicros} µs of CPU, the bill says ${billedCpuMicros} µs and ${overlapCpuMicros} µs uncharged overlap`,
  );
  teller.check(kernelCpuMicros > BILLED_MICROS_MIN, 'the bill is about more than a second of CPU');
  return {
    chargesMicro: String(charges),
    earningsMicro: String(earnings),
    feesMicro: String(fees),
    roundingMicro: String(rounding),
    kernelCpuMicros: String(kernelCpuMicros),
    billedCpuMicros: String(billedCpuMicros),
    overlapCpuMicros: String(overlapCpuMicros),
  };
};

/** What the sensor says of how it is reached comes up through board and gateway. */
const published = async (stage: Stage): Promise<void> => {
  const found = await until('what the sensors publish', 20_000, async () => {
    const said = (await instances(stage)).filter(({ name }) => name === 'hello-sensor').map(({ report }) => report?.connection ?? null);
    return said.length > 0 && said.every((connection) => connection !== null) ? said : null;
  });
  stage.teller.check(
    found.every((connection) => connection === '{"port":8080,"path":"/"}'),
    `hello-sensor publishes ${found[0] ?? 'nothing'}, as its release declares`,
  );
};

const sensors = async (stage: Stage, running: Instance[]): Promise<void> => {
  for (const { name, index, report } of running.filter((instance) => instance.name === 'hello-sensor')) {
    const text = await readSensor(report?.address ?? null);
    if (text !== null) {
      const { source, kind, value, unit } = parse(
        v.object({ source: v.string(), kind: v.string(), value: v.number(), unit: v.string() }),
        JSON.parse(text),
        'readings',
      );
      stage.teller.say(`${name}/${index} serves ${kind} ${value} ${unit} from ${source}`);
    }
  }
};

/** The work that the bill is about: primes runs until the kernel has counted a few seconds, or is done sooner. */
const awaitWork = async (stage: Stage, running: Instance[]): Promise<void> => {
  const lease = running.find(({ name }) => name === 'primes')?.lease ?? '';
  const started = performance.now();
  const micros = await until('primes to have worked', 60_000, () => {
    const counted = cpuMicrosOf(lease) ?? 0n;
    return counted >= WORK_MICROS || (counted > BILLED_MICROS_MIN && performance.now() - started > DONE_MS) ? counted : null;
  });
  stage.teller.say(`primes has worked for ${(Number(micros) / 1e6).toFixed(1)} s by the kernel's count`);
};

const WORK_MICROS = 5_000_000n;
/** Less would say little about a meter. */
const BILLED_MICROS_MIN = 1_000_000n;
/** A fast machine is through before, with less. */
const DONE_MS = 6_000;

export const play = async (stage: Stage, { root, tier, keep, once }: Staging): Promise<Record<string, unknown>> => {
  const { teller } = stage;
  teller.act(1, 'Three gateways of two operators federate');
  await openGateways(stage, join(root, 'gateway', 'lichen.ts'));
  teller.act(2, 'Three boards are paired');
  await pairBoards(stage, tier);
  const [north] = stage.gateways;
  const offers = (north === undefined ? [] : await boardsOf(north)).flatMap(({ offer }) => (offer === null ? [] : [offer]));
  const worst = offers.some((offer) => offer.tier === 'dev') ? 'dev' : (offers[0]?.tier ?? 'dev');
  teller.check(
    offers.every(({ tier: found }) => found === worst),
    'every board found the same tier on this machine',
  );
  teller.say(`tier ${worst}, engine ${offers[0]?.engine ?? '?'}`);
  teller.act(3, "A publisher's releases and a tenant's requests are pushed over MQTT");
  await pushSoftware(stage, root);
  teller.act(4, 'Instances run in partitions, promises turn green, the kernel counts');
  const running = await awaitPromises(stage);
  await sensors(stage, running);
  await published(stage);
  await awaitWork(stage, running);
  const rss = [...stage.boards.values()].map(({ process }) => rssBytesOf(process.pid));
  teller.act(5, 'A cut link, a dead gateway, a killed runtime');
  const trouble = await playTrouble(stage, running);
  const held = await until('all promises after the trouble', 30_000, async () => {
    const seen = await instances(stage);
    return seen.length === running.length && seen.every(({ report }) => report?.promise === 'held') ? seen : null;
  });
  teller.check(
    held.every(({ lease }) => running.some((before) => before.lease === lease)),
    'the same leases hold as before the trouble',
  );
  teller.act(6, 'The period is closed and the bill is checked');
  const kernel = await stopAll(stage);
  const bill = await closeAndState(stage, kernel);
  const money = checkBill(stage, bill, worst);
  const kept = { logs: bill.logs, statement: bill.bytes };
  const report = audit(kept, nodeCrypto);
  for (const finding of report.findings.slice(0, 5)) teller.say(`audit: ${finding.kind} ${finding.subject}: ${finding.says}`);
  teller.check(
    report.ok,
    `the audit recomputes the bill from ${report.verified.signatures} signatures: ${report.ok ? 'the same, bit for bit' : 'NOT the same'}`,
  );
  if (keep !== null)
    writeKept(keep, kept, { cpuMicros: Object.fromEntries([...kernel].map(([lease, micros]) => [lease, String(micros)])) });
  const vector = await statusOf(stage.gateways[0] ?? missing());
  teller.check(vector.pending === 0, 'no log entry waits for another');
  const records = await countRecords(stage, bill);
  teller.check(records.lost === 0, `${records.signed} usage records were signed, ${records.lost} lost`);
  const twice = billedTwice(bill.statement);
  teller.check(twice === 0, `${twice} records billed twice`);
  if (!once) await encore(stage);
  return {
    boards: stage.cast.boards.length,
    gateways: stage.cast.gateways.length,
    tier: worst,
    billable: bill.statement.totals.every(({ currency }) => currency !== NOT_PAYABLE),
    instances: running.length,
    promisesHeld: held.length,
    ...trouble,
    recordsSigned: records.signed,
    recordsLost: records.lost,
    recordsBilledTwice: twice,
    ...money,
    auditMatches: report.ok,
    runtimeBundleBytes: readFileSync(stage.runtime).length,
    runtimeRssBytes: Math.max(...rss),
  };
};

const missing = (): never => {
  throw new Error('no gateway is alive');
};
