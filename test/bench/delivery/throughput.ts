/** Throughput over a line that is slow and far away, whole and with losses, against a bare TLS stream on the same line. */
import { join } from 'node:path';
import { timeProcess } from '../measure.ts';
import { type LineSpec, openLine } from './line.ts';

const OVER_LINE = join(import.meta.dirname, 'over-line.ts');
const TIMEOUT_MS = 400_000;

interface Stretch {
  seconds: number;
  bytes: number;
}

export interface OverLine {
  /** Bits of content a second. */
  ours: number;
  bare: number;
}

const rate = ({ seconds, bytes }: Stretch): number => (bytes * 8) / seconds;

export const overLine = async (spec: LineSpec, mebibytes: number): Promise<OverLine> => {
  const line = await openLine(spec);
  try {
    const [file = '', ...words] = line.near;
    const { stdout } = await timeProcess(file, [...words, process.execPath, OVER_LINE, String(mebibytes), ...line.far], {
      timeoutMs: TIMEOUT_MS,
    });
    const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { ours: Stretch; bare: Stretch };
    return { ours: rate(said.ours), bare: rate(said.bare) };
  } finally {
    await line.close();
  }
};
