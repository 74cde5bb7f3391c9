/** Two network namespaces of our own with a line between them. Nothing of it is seen outside, and all of it ends with its holders. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const NEAR = '10.77.0.1';

export interface LineSpec {
  bitsPerS: number;
  oneWayMs: number;
  lossPermille: number;
}

export interface Line {
  /** Words before a command that is to run at that end. */
  near: string[];
  far: string[];
  close(): Promise<void>;
}

const said = async (child: ChildProcess): Promise<void> => {
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('the line did not come up; it needs root, ip and python3')));
  await Promise.race([once(child.stdout ?? child, 'data'), failed]);
};

export const openLine = async ({ bitsPerS, oneWayMs, lossPermille }: LineSpec): Promise<Line> => {
  const holders = [0, 1].map(() => spawn('unshare', ['--net', 'sh', '-c', 'echo here; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] }));
  await Promise.all(holders.map(said));
  const pids = holders.map(({ pid }) => String(pid));
  const words = [...pids, bitsPerS, oneWayMs, lossPermille].map(String);
  const line = spawn('python3', [join(import.meta.dirname, 'line.py'), ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  await said(line);
  const [near = '', far = ''] = pids;
  return {
    near: ['nsenter', '-t', near, '-n'],
    far: ['nsenter', '-t', far, '-n'],
    close: async () => {
      const all = [line, ...holders];
      const ended = Promise.all(all.map((child) => (child.exitCode === null ? once(child, 'exit') : null)));
      for (const child of all) child.stdin?.end();
      await ended;
    },
  };
};
