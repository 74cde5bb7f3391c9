/** `lichen invoice`: closed periods, what they bill, and the evidence by which anyone checks it. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { ERRORS, refuse } from '../../runtime/protocol/errors.ts';
import { decodeStatement, invoiceHash, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import { tenantId } from '../../runtime/protocol/schema.ts';
import { keysOf } from './answers.ts';
import { type ApiFlags, type Client, openClient } from './client.ts';
import { keepPeriod } from './invoice-keep.ts';
import { brief, emit, type JsonFlag, moment, table } from './output.ts';
import { fetchStatement } from './statement.ts';
import { addApi, addToken, addVerb } from './verbs.ts';
import { showMoney, wholeNumber, word } from './words.ts';

type Flags = ApiFlags & JsonFlag;

const MICRO_DECIMALS = 6;

const total = (vector: Record<string, number>): number => Object.values(vector).reduce((sum, size) => sum + size, 0);

const list = async (flags: Flags): Promise<void> => {
  const periods = await openClient(flags).ask('periods');
  emit(flags, periods, () =>
    table(
      ['PERIOD', 'CLOSED', 'GATEWAYS', 'ENTRIES'],
      periods.map(({ period, closedMs, vector }) => [
        String(period),
        moment(closedMs),
        String(Object.keys(vector).length),
        String(total(vector)),
      ]),
      'No period is closed yet. `lichen invoice close` closes one.',
    ),
  );
};

const close = async (flags: Flags): Promise<void> => {
  const closed = await openClient(flags).ask('close');
  emit(flags, closed, () => `period ${closed.period} is closed at ${total(closed.vector)} log entries`);
};

const statementOf = async (client: Client, period: number): Promise<Statement> => decodeStatement(await fetchStatement(client, period));

const money = (micro: bigint, currency: string): string => `${showMoney(micro, MICRO_DECIMALS)} ${currency}`;

const textOf = ({ period, closedMs, invoices, payouts, fees, totals }: Statement): string =>
  [
    `Period ${period}, closed ${moment(closedMs)}`,
    '',
    table(
      ['TENANT', 'NAME', 'BOARD', 'TIER', 'CPU', 'WALL', 'CHARGED', 'WHY NOT MORE'],
      invoices.flatMap(({ tenant, postings }) =>
        postings.map(({ name, index, board, tier, used, debitMicro, currency, reason }) => [
          tenant,
          `${name}/${index}`,
          brief(board),
          tier,
          `${showMoney(used.cpuMicros, 6)} s`,
          `${showMoney(used.wallMs, 3)} s`,
          money(debitMicro, currency),
          reason,
        ]),
      ),
      'Nothing was metered.',
    ),
    '',
    ...invoices.map(({ tenant, currency, totalMicro }) => `invoice  tenant ${tenant} pays ${money(totalMicro, currency)}`),
    ...payouts.map(({ owner, currency, creditMicro }) => `payout   owner ${owner} gets ${money(creditMicro, currency)}`),
    ...fees.map(({ operator, currency, feeMicro }) => `fee      operator ${operator} keeps ${money(feeMicro, currency)}`),
    ...totals.map(
      ({ currency, chargesMicro, earningsMicro, feesMicro, roundingMicro }) =>
        `total    ${money(chargesMicro, currency)} = ${showMoney(earningsMicro, MICRO_DECIMALS)} earned + ${showMoney(feesMicro, MICRO_DECIMALS)} fees + ${showMoney(roundingMicro, MICRO_DECIMALS)} rounding`,
    ),
  ].join('\n');

/** With `--tenant` only its invoices are shown; payouts, fees and totals are the whole period's. */
const show = async (text: string, flags: Flags & { tenant?: string }): Promise<void> => {
  const tenant = flags.tenant === undefined ? undefined : word(tenantId, flags.tenant, '--tenant');
  const statement = await statementOf(openClient(flags), wholeNumber(text, 'the period', 1));
  const invoices = statement.invoices.filter((invoice) => tenant === undefined || invoice.tenant === tenant);
  if (tenant !== undefined && invoices.length === 0) refuse('not-found', `period ${statement.period} bills nothing to tenant ${tenant}`);
  const hashed = invoices.map((invoice) => ({ ...invoice, hash: invoiceHash(nodeCrypto, invoice) }));
  emit(flags, { ...statement, invoices: hashed }, () => textOf({ ...statement, invoices }));
};

const keep = async (text: string, directory: string, flags: Flags): Promise<void> => {
  const kept = await keepPeriod(openClient(flags), wholeNumber(text, 'the period', 1), directory);
  emit(
    flags,
    kept,
    () =>
      `${plural(kept.entries, 'entry', 'entries')} of ${plural(kept.authors.length, 'log')} and the statement are in ${directory}\nCheck it: lichen invoice audit ${directory}`,
  );
};

const runAudit = async (directory: string, flags: JsonFlag): Promise<void> => {
  const [{ audit }, { readKept }] = await Promise.all([import('./audit.ts'), import('./kept.ts')]);
  const report = audit(readKept(directory), nodeCrypto);
  if (!report.ok) process.exitCode = ERRORS['bad-schema'].exit;
  emit(flags, report, () => {
    const { verified, findings, notes, operators } = report;
    return [
      ...findings.map(({ kind, subject, says }) => `${kind} ${subject}: ${says}`),
      ...notes,
      ...operators.map(({ operator, name, version }) => `rests on operator ${operator} "${name}", version ${version}`),
      [
        plural(verified.entries, 'entry', 'entries'),
        ...[plural(verified.signatures, 'signature'), plural(verified.leases, 'lease')],
        ...[plural(verified.records, 'record'), plural(verified.postings, 'posting')],
      ].join(', '),
      report.ok
        ? 'The statement is what the evidence gives, bit for bit.'
        : `${findings.length} finding${findings.length === 1 ? '' : 's'}: the statement does not stand.`,
    ].join('\n');
  });
};

const STATEMENT = ['v', 'period', 'previous', 'vector', 'closedMs', 'invoices', 'payouts', 'fees', 'totals'];

export const register = (noun: Command): void => {
  addApi(
    addVerb(noun, { usage: 'list', says: 'closed periods', examples: ['invoice list'], gives: { keys: keysOf.close, list: true } }),
  ).action(list);
  addToken(
    addVerb(noun, {
      usage: 'close',
      says: 'close the billing period at what is known now',
      examples: ['invoice close --token-file husum/admin.token'],
      gives: { keys: keysOf.close },
    }),
  ).action(close);
  addApi(
    addVerb(noun, {
      usage: 'show <period>',
      says: 'what a period bills, pays out and keeps',
      examples: ['invoice show 1', 'invoice show 1 --tenant ID --json'],
      gives: { keys: STATEMENT },
    }),
  )
    .option('--tenant <id>', "only this tenant's invoices")
    .action(show);
  addApi(
    addVerb(noun, {
      usage: 'keep <period> <folder>',
      says: 'fetch all logs and the statement as evidence',
      examples: ['invoice keep 1 evidence-1'],
      gives: { keys: ['period', 'folder', 'authors', 'entries'] },
    }),
  ).action(keep);
  addVerb(noun, {
    usage: 'audit <folder>',
    says: 'compute the bill anew from kept evidence and compare; needs no gateway',
    examples: ['invoice keep 1 evidence-1', 'invoice audit evidence-1'],
    gives: { keys: ['ok', 'findings', 'notes', 'operators', 'verified', 'expected'] },
  }).action(runAudit);
};
