/** What was charged in the end, for people; the judge reads the statements for itself. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import type { Billed } from '../report/report.ts';
import type { VirtualGateway } from './gateway.ts';

/** In order, as far as the gateway has closed periods and holds what they count. */
export const askStatements = (gateway: VirtualGateway, given: (statements: Bytes[]) => void): void => {
  const statements: Bytes[] = [];
  const ask = (period: number): void =>
    gateway.call('statement', { params: { period: String(period) } }, (answer) => {
      if (answer instanceof LichenError || !('bytes' in answer)) return given(statements);
      statements.push(answer.bytes);
      ask(period + 1);
    });
  ask(1);
};

/** By workload and currency. */
export const billedBy = (statements: Bytes[]): Billed[] => {
  const lines = new Map<string, Billed>();
  for (const { postings } of statements.flatMap((statement) => decodeStatement(statement).invoices)) {
    for (const { name, currency, debitMicro, creditMicro, feeMicro, fromSeq, toSeq } of postings) {
      const key = `${name} ${currency}`;
      const line = lines.get(key) ?? { workload: name, currency, chargedMicro: 0n, earnedMicro: 0n, feeMicro: 0n, records: 0 };
      line.chargedMicro += debitMicro;
      line.earnedMicro += creditMicro;
      line.feeMicro += feeMicro;
      line.records += toSeq - fromSeq;
      lines.set(key, line);
    }
  }
  return [...lines.values()];
};
