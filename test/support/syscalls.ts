/**
 * Reads a trace of `strace -y` and says whether an effect left before the data it stands on was durable: every write
 * to the data file must have been synced by then, or have gone through a descriptor opened with O_DSYNC.
 */
export interface Verdict {
  /** Effects seen. */
  effects: number;
  /** Effects that left while a write was not yet durable, or for which nothing was written at all. */
  early: string[];
}

interface Seen {
  durable: Set<string>;
  unsynced: number;
  writes: number;
}

/** `name(fd</path>, …) = result`, whole or in the two parts into which strace breaks a call that another thread cut in on. */
const CALL = /^(?:\d+\s+)?(\w+)\((\d+)<([^>]*)>(.*)$/;
const OPENED = /openat\(.*"([^"]*)", ([A-Z_|]+).*= (\d+)</;

const joined = (lines: string[]): string[] => {
  const open = new Map<string, string>();
  return lines.flatMap((line) => {
    const [pid = ''] = line.split(' ', 1);
    if (line.includes('<unfinished ...>')) {
      open.set(pid, line.replace(/\s*<unfinished \.\.\.>.*/, ''));
      return [];
    }
    const resumed = /<\.\.\. \w+ resumed>(.*)$/.exec(line);
    return [resumed === null ? line : `${open.get(pid) ?? ''}${resumed[1] ?? ''}`];
  });
};

const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2']);
const SYNCS = new Set(['fdatasync', 'fsync', 'msync']);

const onData = (seen: Seen, call: string, fd: string, rest: string): void => {
  if (SYNCS.has(call) && rest.trimEnd().endsWith('= 0')) seen.unsynced = 0;
  if (!WRITES.has(call)) return;
  seen.writes++;
  if (!seen.durable.has(fd)) seen.unsynced++;
};

/** `effect`: how the line on stdout begins. */
export const judge = (trace: string, dataPath: string, effect: string): Verdict => {
  const seen: Seen = { durable: new Set(), unsynced: 0, writes: 0 };
  const verdict: Verdict = { effects: 0, early: [] };
  for (const line of joined(trace.split('\n'))) {
    const [, path, flags = '', opened = ''] = OPENED.exec(line) ?? [];
    if (path === dataPath && flags.split('|').includes('O_DSYNC')) seen.durable.add(opened);
    const [, call = '', fd = '', at = '', rest = ''] = CALL.exec(line) ?? [];
    if (at === dataPath) onData(seen, call, fd, rest);
    if (fd !== '1' || !rest.startsWith(`, "${effect}`)) continue;
    verdict.effects++;
    if (seen.unsynced > 0 || seen.writes === 0) verdict.early.push(line);
    seen.writes = 0;
  }
  return verdict;
};
