/** What is kept about a partition on the card, so that a next life of the runtime finds what this one started. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import type { Exit } from '../../ports/partitions.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { writeDurably } from '../disk.ts';

/** A process, told from a later one under the same number by its start time and the boot it belongs to. */
export interface ProcessId {
  pid: number;
  /** Field 22 of /proc/pid/stat, clock ticks since boot. */
  startTicks: string;
}

export interface State {
  v: 1;
  partition: string;
  bootId: string;
  /** `null` while the start is half made. */
  first: ProcessId | null;
  /** The reaper: it outlives the runtime and writes the exit file. */
  reaper: ProcessId | null;
  address: string | null;
  /** What kills it at its deadline; `null`: it has none. */
  deadman: ProcessId | null;
  /** How much of what it says is kept. */
  logKib: number;
  /** A hook of its release and no program: what it said last is told when it is over. */
  isHook: boolean;
  /** `null` while it runs. */
  exit: Exit | null;
  /** Over, whether or not its exit is known. */
  ended: boolean;
}

export const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

export const bootId = (): string => (readText('/proc/sys/kernel/random/boot_id') ?? '').trim();

/** Fields after the parenthesised name, which may itself hold spaces and parentheses; `[0]` is the state letter. */
const fieldsOf = (stat: string): string[] => stat.slice(stat.lastIndexOf(')') + 2).split(' ');

export const statFields = (pid: number): string[] | null => {
  const text = readText(`/proc/${pid}/stat`);
  return text === null ? null : fieldsOf(text);
};

/** Who wrote this line of /proc/self/stat; it may have ended since. */
export const processOf = (stat: string): ProcessId | null => {
  const [pid, startTicks] = [/^\d+/.exec(stat)?.[0], fieldsOf(stat)[19]];
  return pid === undefined || startTicks === undefined ? null : { pid: Number(pid), startTicks };
};

export const identify = (pid: number): ProcessId | null => {
  const startTicks = statFields(pid)?.[19];
  return startTicks === undefined ? null : { pid, startTicks };
};

/** A zombie is not alive: its exit is waiting for its reaper. */
export const isAlive = (id: ProcessId | null): boolean => {
  if (id === null) return false;
  const fields = statFields(id.pid);
  return fields !== null && fields[19] === id.startTicks && fields[0] !== 'Z' && fields[0] !== 'X';
};

export const signal = (id: ProcessId | null, name: NodeJS.Signals): void => {
  if (id === null || !isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch {
    // It ended meanwhile.
  }
};

export const writeState = (directory: string, state: State): void => {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeDurably(`${directory}/state.json`, JSON.stringify(state));
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const parseProcess = (value: unknown): ProcessId | null =>
  isRecord(value) && typeof value.pid === 'number' && typeof value.startTicks === 'string'
    ? { pid: value.pid, startTicks: value.startTicks }
    : null;

const parseExit = (value: unknown): Exit | null => {
  if (!isRecord(value)) return null;
  const { code, signal: name, oomKilled } = value;
  return { code: typeof code === 'number' ? code : null, signal: typeof name === 'string' ? name : null, oomKilled: oomKilled === true };
};

/** `null` when there is none or it cannot be read: then whatever runs under that name is an orphan. */
export const readState = (directory: string): State | null => {
  try {
    const value: unknown = JSON.parse(readText(`${directory}/state.json`) ?? 'null');
    if (!isRecord(value) || value.v !== 1) return null;
    const { partition, bootId: boot, first, reaper, address, deadman, logKib, isHook, exit, ended } = value;
    if (typeof partition !== 'string' || typeof boot !== 'string') return null;
    return {
      v: 1,
      partition,
      bootId: boot,
      first: parseProcess(first),
      reaper: parseProcess(reaper),
      address: typeof address === 'string' ? address : null,
      deadman: parseProcess(deadman),
      logKib: typeof logKib === 'number' ? logKib : LIMITS.logKib,
      isHook: isHook === true,
      exit: parseExit(exit),
      ended: ended === true,
    };
  } catch {
    return null;
  }
};

export const list = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
