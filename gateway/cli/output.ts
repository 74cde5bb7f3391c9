/**
 * What the command line says and where: data to stdout, messages to stderr. With `--json` the last line of stdout is
 * one JSON value, whatever happened.
 */
import picocolors from 'picocolors';
import { asLichenError, ERRORS, LichenError, tell } from '../../runtime/protocol/errors.ts';

export interface JsonFlag {
  json?: boolean;
}

/** no-color.org: NO_COLOR wins over everything; FORCE_COLOR over what the stream is. */
const isColoured = (stream: { isTTY?: boolean }): boolean => {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  return FORCE_COLOR ? FORCE_COLOR !== '0' : stream.isTTY === true && TERM !== 'dumb';
};

/** Each stream for itself: stdout may be a pipe while stderr is a terminal. */
export const paint = picocolors.createColors(isColoured(process.stdout));
const paintMessage = picocolors.createColors(isColoured(process.stderr));

/** Bytes are hex, counters and money are decimal strings: the same words as in the HTTP API. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === 'bigint') return entry.toString();
    return entry instanceof Uint8Array ? Buffer.from(entry).toString('hex') : entry;
  });

export const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** To people only; nothing here is part of the contract. */
export const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** The answer of a command: for programs the value, for people the text. */
export const emit = (flags: JsonFlag, value: unknown, text: () => string): void => print(flags.json === true ? toJson(value) : text());

/** With these our own details begin. Any other first word may be a name that somebody typed, and stays as it was typed. */
const OURS = new Set(
  'the a an no board there not what lease its this release it gateway tenant either neither nothing another nobody unknown missing required option error something'.split(
    ' ',
  ),
);

/** Details are written to stand after a colon; here they are a sentence of their own. */
const sentence = (text: string): string => {
  const begun = OURS.has(text.split(' ', 1)[0] ?? '') ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return begun === '' || /[.!?:\n]$/.test(begun) ? begun : `${begun}.`;
};

/** Where only the words are wrong, the help of what was called says more than the row; what knows better has said so. */
const nextOf = ({ code, next }: LichenError, command: string): string =>
  code === 'bad-usage' && next === ERRORS[code].next ? `\`${command} --help\` shows what there is.` : next;

/** `What. Why.` and `Next.` Returns the exit status. `command`: with its noun and verb, as far as there are such. */
export const fail = (thrown: unknown, isJson: boolean, command = 'lichen'): number => {
  const error = asLichenError(asSystemError(thrown));
  const told = { ...tell(error), next: nextOf(error, command) };
  if (isJson) print(toJson({ error: told }));
  say(`${paintMessage.red(told.says)} ${sentence(told.why)}\n${told.next}`);
  return ERRORS[error.code].exit;
};

/** What the file system answers to a path that somebody typed is no defect. */
const asSystemError = (thrown: unknown): unknown => {
  if (!(thrown instanceof Error) || thrown instanceof LichenError || !('syscall' in thrown) || !('code' in thrown)) return thrown;
  const path = 'path' in thrown ? String(thrown.path) : 'a path on the command line';
  if (thrown.code === 'ENOENT') return new LichenError('not-found', `there is no ${path}`);
  if (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT') return new LichenError('storage-full', path);
  const reasons: Record<string, string> = {
    EACCES: 'this user may not open it',
    EPERM: 'this user may not change it',
    EEXIST: 'it is a file, and a folder is meant',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of it is no folder',
  };
  const reason = reasons[String(thrown.code)];
  return reason === undefined ? thrown : new LichenError('bad-usage', `${path}: ${reason}`);
};

/** Columns as wide as their widest cell. An empty table says so. */
export const table = (head: string[], rows: string[][], none: string): string => {
  if (rows.length === 0) return none;
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: string[]): string =>
    cells.map((cell, at) => (at === cells.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  ');
  return [paint.bold(line(head)), ...rows.map(line)].join('\n');
};

/** Enough of an id to tell it from its neighbours. */
export const brief = (id: string): string => id.slice(0, 8);

export const age = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
};

export const moment = (wallMs: number): string => new Date(wallMs).toISOString();

/** One line that is written over, on a terminal and nowhere else. */
export const progress = (): { show(text: string): void; end(): void } => {
  if (process.stderr.isTTY !== true) return { show: () => {}, end: () => {} };
  return {
    show: (text) => void process.stderr.write(`\r\u001b[K${text}`),
    end: () => void process.stderr.write('\r\u001b[K'),
  };
};
