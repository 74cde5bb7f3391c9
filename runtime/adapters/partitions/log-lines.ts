/** What a reaper wrote down becomes the text of a log (ports/partitions.ts says how a line looks). */
import { printable } from '../../protocol/printable.ts';

/** Letters of one line; a longer one goes on in the next. Spelled out, four bytes each at most, it fits one answer. */
const LINE_MAX = 4096;

export type Mark = 'o' | 'e' | '!';

/** Lines of the log for one line, or the beginning of one, that was said. */
export const linesFor = (stamp: string, mark: Mark, text: string, goesOn: boolean): string => {
  let lines = '';
  for (let at = 0; at === 0 || at < text.length; at += LINE_MAX) {
    const isLast = at + LINE_MAX >= text.length;
    lines += `${stamp} ${mark}${isLast && !goesOn ? ' ' : '+'}${printable(text.slice(at, at + LINE_MAX))}\n`;
  }
  return lines;
};

const stampOf = (text: string): string => {
  if (text.length === 35 && text.endsWith('+00:00')) return `${text.slice(0, 23)}Z`;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? '1970-01-01T00:00:00.000Z' : new Date(ms).toISOString();
};

/** conmon's `k8s-file`: moment, stream, F or P (it goes on), and what was said. Whole lines only. */
export const fromConmon = (raw: string): string => {
  let text = '';
  for (const line of raw.split('\n')) {
    const [stamp, stream, part] = line.split(' ', 3);
    if (stamp === undefined || part === undefined || (stream !== 'stdout' && stream !== 'stderr')) continue;
    const said = line.slice(stamp.length + stream.length + part.length + 3);
    text += linesFor(stampOf(stamp), stream === 'stderr' ? 'e' : 'o', said, part === 'P');
  }
  return text;
};

/** What was said last in the text of a log: its words alone; empty: nothing. */
export const lastSaid = (text: string): string => {
  const line = text
    .trimEnd()
    .split('\n')
    .findLast((one) => / [oe][ +]/.test(one.slice(0, one.indexOf(' ') + 3)));
  return line === undefined ? '' : line.slice(line.indexOf(' ') + 3);
};

/** Both streams as they came; nobody wrote down when. */
export const fromPlain = (raw: string, stamp: string): string => {
  const lines = raw.split('\n');
  const rest = lines.pop() ?? '';
  const whole = lines.map((line) => linesFor(stamp, 'o', line, false)).join('');
  return rest === '' ? whole : whole + linesFor(stamp, 'o', rest, true);
};
