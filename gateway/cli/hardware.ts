/** `lichen doctor --hardware-report`: what an owner tells of a board that nobody here has; of this machine, or of an unpaired board on its network; and what else he may try. */
import { refuse } from '../../runtime/protocol/errors.ts';
import { type HardwareReport, hardwareReport, reportText } from '../../runtime/protocol/hardware-report.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import type { Heavy } from './heavy.ts';
import { emit, type JsonFlag } from './output.ts';
import { checklistText } from './ten-minutes.ts';

const PATIENCE_MS = 15_000;

/** A page that anybody on the network may have put there: no longer than one can be. */
const textOf = async (response: Response): Promise<string> => {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > LIMITS.bodyBytes) refuse('too-large', `the report is longer than ${LIMITS.bodyBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};

const reportOf = async (host: string): Promise<HardwareReport> => {
  let text: string;
  try {
    const response = await fetch(`http://${host}/report.json`, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' });
    text = await textOf(response);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return refuse('unavailable', `${host} shows no page (${why}): a board does so until it is paired`);
  }
  try {
    return parse(hardwareReport, JSON.parse(text), 'report');
  } catch (thrown) {
    return refuse('bad-schema', `what ${host} shows is no report (${thrown instanceof Error ? thrown.message : String(thrown)})`);
  }
};

export const reportHardware = async (flags: JsonFlag & { from?: string }, heavy: Heavy): Promise<void> => {
  const report: HardwareReport =
    flags.from === undefined ? { v: 1, hardware: await (await heavy.hardware())(), running: null } : await reportOf(flags.from);
  emit(flags, report, () => `${reportText(report)}\n\n${checklistText()}`);
};
