/**
 * The copy of a log on the card, for after a reboot: compressed, whole or not at all, and rarely. A card wears out by being
 * written to, so all logs of a board share one budget a day; when it is spent, they stay in memory alone.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LIMITS } from '../../protocol/limits.ts';
import { boardName } from './names.ts';
import { readText } from './state.ts';

const DAY_MS = 86_400_000;
/** What a file system writes for a file beside its bytes: the last block, the directory, the journal. */
const OVERHEAD_BYTES = 16 * 1024;
const HEAD = 'lichen-log 1';

export interface Wear {
  bytes: number;
  budgetBytes: number;
}

/** Of the day that began at `sinceMs` by CLOCK_BOOTTIME; kept beside the logs, so that a restart of the runtime does not forget it. */
export class WearBudget {
  readonly #path: string;
  #sinceMs: number;
  #bytes: number;

  constructor(directory: string) {
    this.#path = `${directory}/wear`;
    const [sinceMs = 0, bytes = 0] = (readText(this.#path) ?? '').trim().split(' ').map(Number).filter(Number.isSafeInteger);
    this.#sinceMs = sinceMs;
    this.#bytes = bytes;
  }

  /** False: not today. */
  spend(bytes: number, nowMs: number): boolean {
    const isNextDay = nowMs - this.#sinceMs >= DAY_MS;
    const spent = isNextDay ? 0 : this.#bytes;
    if (spent + bytes > LIMITS.logWearBytesPerDay) return false;
    if (isNextDay) this.#sinceMs = Math.round(nowMs);
    this.#bytes = spent + bytes;
    writeFileSync(this.#path, `${this.#sinceMs} ${this.#bytes}\n`, { mode: 0o600 });
    return true;
  }
}

/** What the logs of a board wrote to its card since their day began, for whoever looks from outside. */
export const wearOf = (board: string, dataPath: string): Wear => {
  const directories = [`/run/${boardName(board)}/logs`, `${dataPath}/run/logs`];
  const bytes = directories.map((directory) => Number((readText(`${directory}/wear`) ?? '').trim().split(' ')[1] ?? 0));
  return { bytes: bytes.reduce((sum, one) => sum + (Number.isSafeInteger(one) ? one : 0), 0), budgetBytes: LIMITS.logWearBytesPerDay };
};

/** False when the budget is spent. */
export const keepLog = (path: string, end: number, text: Buffer, budget: WearBudget, nowMs: number): boolean => {
  const packed = gzipSync(Buffer.concat([Buffer.from(`${HEAD} ${end}\n`), text]), { level: 6 });
  if (!budget.spend(packed.length + OVERHEAD_BYTES, nowMs)) return false;
  const fd = openSync(`${path}.next`, 'w', 0o600);
  try {
    writeSync(fd, packed);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.next`, path);
  return true;
};

/** Null when there is none or it cannot be read: a log is not worth a start that fails. */
export const keptLog = (path: string): { start: number; text: Buffer } | null => {
  try {
    const bytes = gunzipSync(readFileSync(path), { maxOutputLength: 2 * LIMITS.logMaxKib * 1024 });
    const at = bytes.indexOf('\n');
    const [, end] = /^lichen-log 1 (\d+)$/.exec(bytes.toString('utf8', 0, Math.max(0, at))) ?? [];
    const text = bytes.subarray(at + 1);
    return end === undefined || Number(end) < text.length ? null : { start: Number(end) - text.length, text };
  } catch {
    return null;
  }
};
