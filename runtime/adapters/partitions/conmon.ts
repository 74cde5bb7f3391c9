/**
 * Starts a container under conmon (github.com/containers/conmon), which then belongs to nobody: it holds the pipes,
 * reaps the first process and writes its exit status, whatever becomes of the runtime meanwhile.
 */
import { spawn } from 'node:child_process';
import { LichenError } from '../../protocol/errors.ts';
import { must, TOOL_ENV } from './run.ts';
import { identify, type ProcessId, readText } from './state.ts';

const START_LIMIT_MS = 20_000;
/** conmon tells what became of `create` on this descriptor. */
const SYNC_FD = 3;

export interface ConmonOptions {
  partition: string;
  /** The partition's directory: below `bundle`, config.json. */
  directory: string;
  /** What is said is written there, and begun anew when it is full. */
  logPath: string;
  logBytesMax: number;
  /** Volatile: pid file and attach socket. */
  runPath: string;
  exitsPath: string;
  /** Program and arguments that run crun; a subcommand is added. */
  crun: string[];
}

const commandOf = ({ partition, directory, logPath, logBytesMax, runPath, exitsPath, crun }: ConmonOptions, pidFile: string): string[] => {
  const [runtime = 'crun', ...runtimeArgs] = crun;
  return [
    'conmon',
    '--cid',
    partition,
    '--cuuid',
    partition,
    '--name',
    partition,
    '--bundle',
    `${directory}/bundle`,
    '--persist-dir',
    `${directory}/bundle`,
    '--exit-dir',
    exitsPath,
    // Without it conmon ends silently.
    '--socket-dir-path',
    runPath,
    '--conmon-pidfile',
    pidFile,
    // Else it lies in the working directory for ever, and where that cannot be written nothing starts.
    '--container-pidfile',
    `${runPath}/${partition}.first`,
    '--log-path',
    `k8s-file:${logPath}`,
    '--log-size-max',
    String(logBytesMax),
    // The log lies in memory.
    '--no-sync-log',
    '--no-new-keyring',
    '--runtime',
    runtime,
    ...runtimeArgs.flatMap((argument) => ['--runtime-arg', argument]),
  ];
};

/** One line of JSON: `{"pid": n}`, or `{"pid": -1, "message": "…"}` with what crun said. */
const created = (line: string): number => {
  const pid = /"pid"\s*:\s*(-?\d+)/.exec(line)?.[1];
  if (pid !== undefined && Number(pid) > 0) return Number(pid);
  let message = 'conmon ended without a word; see that it and crun are installed';
  try {
    const said: unknown = JSON.parse(line);
    if (typeof said === 'object' && said !== null && 'message' in said && typeof said.message === 'string') message = said.message.trim();
  } catch {
    // Not a line of JSON: then it said nothing.
  }
  throw new LichenError('engine-failed', message.slice(0, 1000));
};

const firstLine = (command: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const [file = '', ...args] = command;
    const child = spawn(file, args, {
      cwd: '/',
      detached: true,
      env: { ...TOOL_ENV, _OCI_SYNCPIPE: String(SYNC_FD) },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const sync = child.stdio[SYNC_FD];
    let [said, complained] = ['', ''];
    const timer = setTimeout(
      () => end(new LichenError('engine-failed', `crun took more than ${START_LIMIT_MS} ms to create`)),
      START_LIMIT_MS,
    );
    const end = (error: LichenError | null): void => {
      clearTimeout(timer);
      child.stderr?.destroy();
      sync?.destroy();
      if (error === null) resolve(said);
      else reject(error);
    };
    child.on('error', (error) => end(new LichenError('engine-failed', error.message)));
    child.stderr?.on('data', (bytes: Buffer) => {
      complained = (complained + bytes.toString()).slice(0, 1000);
    });
    child.on('exit', (code) => {
      if (code !== 0 && said === '') end(new LichenError('engine-failed', `conmon: ${complained.trim() || `status ${code}`}`));
    });
    sync?.on('error', () => undefined);
    // Parent and reaper both hold the other end; it closes without a line when create failed before it could tell.
    sync?.on('close', () => end(null));
    sync?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('\n')) end(null);
    });
  });

export interface Created {
  first: ProcessId;
  reaper: ProcessId;
}

/** Creates the container; the workload itself waits for `crun start`. */
export const createUnderConmon = async (options: ConmonOptions): Promise<Created> => {
  const pidFile = `${options.runPath}/${options.partition}.pid`;
  const pid = created(await firstLine(commandOf(options, pidFile)));
  const first = identify(pid);
  const reaper = identify(Number(readText(pidFile)));
  if (first === null || reaper === null) throw new LichenError('engine-failed', 'the container ended before it was started');
  return { first, reaper };
};

export const crunMust = async (crun: string[], ...args: string[]): Promise<void> => {
  const [file = 'crun', ...before] = crun;
  await must(file, [...before, ...args]);
};
