/** What was charged in the end, for people; the judge reads the statements for itself. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import type { Billed } from '../report/report.ts';
import type { VirtualGateway } from './gateway.ts';

/** A run closes one period, its first. */
export const askStatement = (gateway: VirtualGateway, given: (bytes: Bytes) => void): void =>
  gateway.call('statement', { params: { period: '1' } }, (answer) => {
    if (!(answer instanceof LichenError) && 'bytes' in answer) given(answer.bytes);
  });

/** By workload and currency. */
export const billedBy = (statement: Bytes | undefined): Billed[] => {
  const lines = new Map<string, Billed>();
  for (const { postings } of statement === undefined ? [] : decodeStatement(statement).invoices) {
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
