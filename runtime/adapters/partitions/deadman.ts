/**
 * The dead-man of a guarded instance: a process of its own that kills it at its deadline, whatever becomes of the runtime.
 * A shell that looks at /proc/uptime (CLOCK_BOOTTIME, which counts sleep) once a second and at the file in which the
 * runtime puts the deadline off. The instance's first process is the init of its pid namespace: its death is everyone's.
 */
import { spawn } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { LichenError } from '../../protocol/errors.ts';
import { TOOL_ENV } from './run.ts';
import { type ProcessId, processOf, readText, signal } from './state.ts';

const ARM_LIMIT_MS = 5_000;
const SYNC_FD = 3;

/**
 * $1 deadline file, hundredths of a second since boot; $2 first process, $3 its start in clock ticks.
 * Without a readable deadline it is over: nobody may run without one. What was not killed is killed again.
 */
const WATCH = `
file=$1 first=$2 began=$3
read -r self < /proc/self/stat
echo "armed $self" >&3
exec 3>&-
while read -r stat < "/proc/$first/stat"; do
  set -- \${stat##*) }
  [ "\${20}" = "$began" ] && [ "$1" != Z ] || exit 0
  read -r up rest < /proc/uptime
  until=0
  read -r until < "$file"
  [ "\${up%.*}\${up#*.}" -lt "$until" ] || kill -KILL "$first"
  sleep 1
done 2> /dev/null
`;

const HUNDREDTH_MS = 10;

export const deadlineFile = (runPath: string, partition: string): string => `${runPath}/${partition}.deadline`;

/** Whole or not at all; it need not outlive the boot, as nothing that it is about does. */
export const writeDeadline = (runPath: string, partition: string, deadlineMonoMs: number): void => {
  const path = deadlineFile(runPath, partition);
  writeFileSync(`${path}.next`, `${Math.floor(deadlineMonoMs / HUNDREDTH_MS)}\n`, { mode: 0o600 });
  renameSync(`${path}.next`, path);
};

/** Null: there is none. */
export const readDeadline = (runPath: string, partition: string): number | null => {
  const text = readText(deadlineFile(runPath, partition))?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) * HUNDREDTH_MS : null;
};

/** Hundredths since boot, as ms. */
export const bootMs = (): number => Math.round(Number((readText('/proc/uptime') ?? '').split(' ')[0]) * 1000);

/** Answers once the process watches: only then may the instance begin. Error: `engine-failed`. */
export const armDeadman = (runPath: string, partition: string, first: ProcessId, deadlineMonoMs: number): Promise<ProcessId> => {
  writeDeadline(runPath, partition, deadlineMonoMs);
  const command = ['sh', '-c', WATCH, 'lichen-deadman', deadlineFile(runPath, partition), String(first.pid), first.startTicks];
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = command;
    const child = spawn(file, args, { cwd: '/', detached: true, env: TOOL_ENV, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const sync = child.stdio[SYNC_FD];
    let said = '';
    const end = (why: string): void => {
      clearTimeout(timer);
      sync?.destroy();
      child.unref();
      const armed = processOf(/^armed (.*)$/m.exec(said)?.[1] ?? '');
      if (armed === null) reject(new LichenError('engine-failed', `nothing watches the deadline: ${why}`));
      else resolve(armed);
    };
    const timer = setTimeout(() => end(`no word in ${ARM_LIMIT_MS} ms`), ARM_LIMIT_MS);
    child.on('error', (error) => end(error.message));
    sync?.on('error', () => undefined);
    sync?.on('close', () => end('the shell ended'));
    sync?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('\n')) end('');
    });
  });
};

/** What it watched is over. */
export const disarm = (runPath: string, partition: string, deadman: ProcessId | null): void => {
  signal(deadman, 'SIGKILL');
  rmSync(deadlineFile(runPath, partition), { force: true });
};
