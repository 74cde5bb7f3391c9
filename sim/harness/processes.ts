/** Real processes: started with a log of their own, ended by pid, never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface Process {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  /** Null while it runs. */
  exitCode(): number | string | null;
  /** Resolves when it has ended. */
  ended: Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface Command {
  name: string;
  args: string[];
  logPath: string;
  env?: Record<string, string>;
}

const running = new Set<ChildProcess>();

/** Both outputs go to the log: a harness reads what it must know from files and sockets, as an operator would. */
export const start = ({ name, args, logPath, env = {} }: Command): Process => {
  const log = openSync(logPath, 'a');
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } });
  closeSync(log);
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return { name, pid: child.pid ?? 0, logPath, exitCode: () => child.exitCode ?? child.signalCode, ended, kill };
};

/** Last resort, for an exit that nobody planned. */
export const killAll = (): void => {
  for (const child of running) child.kill('SIGKILL');
};

/** The end of a log, for people who want to know why. */
export const tailOf = (process: Process, lines: number): string =>
  readFileSync(process.logPath, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
