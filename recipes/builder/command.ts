/** Runs a program of the machine and waits for its end. */
import { execFile } from 'node:child_process';

export interface Outcome {
  /** 127 when there is no such program. */
  status: number;
  stdout: string;
  stderr: string;
}

export type Run = (command: string, args: string[], cwd: string) => Promise<Outcome>;

/** Messages in English: some are read. */
export const runCommand: Run = (command, args, cwd) =>
  new Promise((settle) => {
    const options = { cwd, env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 16 * 1024 * 1024 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      settle({ status: typeof code === 'number' ? code : 127, stdout, stderr });
    });
  });
