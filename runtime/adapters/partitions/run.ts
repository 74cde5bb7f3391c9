/** Runs a tool of the system to its end: no shell, no inherited environment, bounded output, a time limit. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { LichenError } from '../../protocol/errors.ts';

/** The environment of every tool; nothing of the runtime's own may change what a tool does. */
export const TOOL_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** Absolute, for tools that hand a path on to others; the bare name when it is not installed. */
export const toolPath = (name: string): string =>
  TOOL_ENV.PATH.split(':')
    .map((directory) => `${directory}/${name}`)
    .find((path) => existsSync(path)) ?? name;

const OUTPUT_BYTES_MAX = 64 * 1024;

export interface Ran {
  /** `null` when a signal ended it or it could not be started. */
  code: number | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

export interface RunOptions {
  input?: string;
  timeoutMs?: number;
  /** As whom; by default as the runtime itself. */
  uid?: number;
  /** All that was said on stdout, whenever there is more of it. */
  heard?: (stdout: string) => void;
}

export const run = (file: string, args: string[], { input, timeoutMs = 20_000, uid, heard }: RunOptions = {}): Promise<Ran> =>
  new Promise((resolve) => {
    const as = uid === undefined ? {} : { uid, gid: uid };
    const child = spawn(file, args, { cwd: '/', env: TOOL_ENV, stdio: ['pipe', 'pipe', 'pipe'], ...as });
    const out = { stdout: '', stderr: '' };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open for ever; what matters is that the tool itself is over.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] = (out[name] + text).slice(0, OUTPUT_BYTES_MAX);
        if (name === 'stdout') heard?.(out.stdout);
      });
    }
    const end = (code: number | null): void => {
      clearTimeout(timer);
      resolve({ code, ...out, timedOut });
    };
    child.on('error', (error) => {
      out.stderr = error.message;
      end(null);
    });
    child.on('close', end);
    child.stdin.on('error', () => undefined); // the tool ended without reading: its status says why
    child.stdin.end(input ?? '');
  });

/** Like `run`, but anything except status 0 is an `engine-failed` with the tool's own message. */
export const must = async (file: string, args: string[], options: RunOptions = {}): Promise<string> => {
  const { code, stdout, stderr, timedOut } = await run(file, args, options);
  if (code === 0) return stdout;
  const how = timedOut ? 'took too long' : (stderr.trim() || stdout.trim() || `ended with status ${code}`).slice(0, 1000);
  throw new LichenError('engine-failed', `${file}: ${how}`);
};

export const pauseMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again, ever less often, until it holds or the time is over. */
export const until = async (holds: () => boolean, limitMs: number): Promise<boolean> => {
  for (let waitedMs = 0, stepMs = 2; ; waitedMs += stepMs, stepMs = Math.min(stepMs * 2, 50)) {
    if (holds()) return true;
    if (waitedMs >= limitMs) return false;
    await pauseMs(stepMs);
  }
};
