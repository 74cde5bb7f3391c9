/** Virtual programs say one word a second; what they said is worked out when somebody asks. */
import type { LogSpan, PartitionStep } from '../../runtime/ports/partitions.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';

const WORD = '2000-01-01T00:00:00.000Z o tick\n';

/** Of a program that has run for `ranMs`, and of whose log so much is kept. */
export const saidBy = (
  ranMs: number,
  logKib: number | undefined,
  { from, tailBytes }: Pick<Extract<PartitionStep, { kind: 'log' }>, 'from' | 'tailBytes'>,
): LogSpan => {
  const end = Math.floor(ranMs / 1000) * WORD.length;
  const start = Math.max(0, end - (logKib ?? LIMITS.logKib) * 1024);
  const wanted = from === null ? Math.max(0, end - tailBytes) : from > end ? start : from;
  // Positions are those of whole lines.
  const at = Math.ceil(Math.max(start, wanted) / WORD.length) * WORD.length;
  const text = WORD.repeat(Math.max(0, Math.floor(Math.min(end - at, LIMITS.logFrameBytes) / WORD.length)));
  return { from: at, next: at + text.length, missed: from === null ? 0 : Math.max(0, at - wanted), text };
};
