/**
 * The command line as a person has it, as a process of its own (`lichen`, `serve`), and the same one inside the test's
 * process (`told`, `refused`), where a hundred runs do not cost a hundred starts of Node. Either way there is nothing
 * in its environment that the test did not put there.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { registerImage } from '../../../firmware-images/cli.ts';
import type { Heavy } from '../../../gateway/cli/heavy.ts';
import { makeProgram, runCommandLine } from '../../../gateway/cli/program.ts';
import { contractOf } from '../../../gateway/cli/verbs.ts';
import { registerReleaseBuild } from '../../../recipes/builder/cli.ts';
import { readHardware } from '../../../runtime/adapters/hardware.ts';
import type { Told } from '../../../runtime/protocol/errors.ts';
import { registerSim } from '../../../sim/cli.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const entry = join(root, 'gateway/lichen.ts');

export interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

export interface Place {
  cwd?: string;
  env?: Record<string, string>;
}

/** Stripping the types of the same files again and again would be half of what these tests take. */
const NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/lichen-cli-tests');
const environment = (env: Record<string, string> = {}) => ({ PATH: process.env.PATH, HOME: '/nonexistent', NODE_COMPILE_CACHE, ...env });

/** No run may ever show where in the source something was thrown. */
const STACK = /^\s+at .*[:(]\d+:\d+\)?$|node:internal|\.ts:\d+/m;

export const lichen = async (args: string[], { cwd, env }: Place = {}): Promise<Ran> => {
  const ran = await new Promise<Ran>((resolve) => {
    execFile(process.execPath, [entry, ...args], { cwd, env: environment(env), timeout: 50_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
    });
  });
  expect(`${ran.stdout}${ran.stderr}`).not.toMatch(STACK);
  return ran;
};

/** The last line of stdout, which is one JSON value; the caller says what it looks at. */
export const lastJson = <T = unknown>({ stdout }: Ran): T => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');

const heavy: Heavy = {
  gateway: () => Promise.reject(new Error('started as a process of its own')),
  builder: async () => registerReleaseBuild,
  sim: async () => registerSim,
  hardware: async () => readHardware,
  images: async () => registerImage,
};

/** The whole command line with all its verbs. */
export const wholeProgram = () => makeProgram('0.0.0', heavy, () => true);

const outside = ['LICHEN_API', 'LICHEN_TOKEN', 'NO_COLOR', 'FORCE_COLOR'];

const runInside = async (args: string[], { cwd, env = {} }: Place): Promise<Ran> => {
  const held = { cwd: process.cwd(), out: process.stdout.write, err: process.stderr.write, env: outside.map((name) => process.env[name]) };
  const ran = { status: 0, stdout: '', stderr: '' };
  process.chdir(cwd ?? held.cwd);
  for (const name of outside) delete process.env[name];
  Object.assign(process.env, env);
  const into = (stream: 'stdout' | 'stderr') => (text: Uint8Array | string) => {
    ran[stream] += text;
    return true;
  };
  process.stdout.write = into('stdout');
  process.stderr.write = into('stderr');
  process.exitCode = undefined;
  try {
    ran.status = await runCommandLine(args, '0.0.0', heavy);
  } finally {
    process.exitCode = undefined;
    process.stdout.write = held.out;
    process.stderr.write = held.err;
    for (const [i, name] of outside.entries()) {
      if (held.env[i] === undefined) delete process.env[name];
      else process.env[name] = held.env[i];
    }
    process.chdir(held.cwd);
  }
  expect(`${ran.stdout}${ran.stderr}`).not.toMatch(STACK);
  return ran;
};

let last: Promise<unknown> = Promise.resolve();

/** One after another: they share a working directory, an environment and two streams. */
export const inside = (args: string[], place: Place): Promise<Ran> => {
  const run = last.then(() => runInside(args, place));
  last = run.catch(() => {});
  return run;
};

const verbAt = async (path: string[]) => {
  let command = await wholeProgram();
  for (const word of path) command = command.commands.find((one) => one.name() === word)!;
  return command;
};

/** Runs with `--json`, expects success, and that the value has exactly the keys that the help promises. */
export const told = async <T = unknown>(args: string[], place: Place = {}): Promise<T> => {
  const ran = await inside([...args, '--json'], place);
  expect(ran, args.join(' ')).toMatchObject({ status: 0 });
  const value = lastJson<T>(ran);
  const path = args.slice(0, ['status', 'doctor'].includes(args[0]!) ? 1 : 2);
  const contract = contractOf(await verbAt(path));
  if (contract !== undefined) {
    expect(Array.isArray(value), path.join(' ')).toBe(contract.list === true);
    const keys = (Array.isArray(value) ? value : [value]).map((one) => Object.keys(one).sort());
    for (const found of keys) expect(found, path.join(' ')).toEqual([...contract.keys].sort());
  }
  return value;
};

/** Runs with `--json`, expects a refusal of that code with its exit status, told on both streams. */
export const refused = async (code: string, status: number, args: string[], place: Place = {}): Promise<string> => {
  const ran = await inside([...args, '--json'], place);
  const { error } = lastJson<{ error: Told }>(ran);
  expect({ args, status: ran.status, code: error.code }).toEqual({ args, status, code });
  expect(Object.keys(error)).toEqual(['code', 'says', 'why', 'next']);
  expect(ran.stderr).toContain(error.says);
  expect(ran.stderr).toContain(error.next);
  return error.why;
};

export interface Service {
  child: ChildProcess;
  /** The line that it prints when it is ready. */
  ready: { gateway: string; port: number; apiPort: number };
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** A verb that stays; ended by its own process id. */
export const serve = async (args: string[], place: Place = {}): Promise<Service> => {
  const child = spawn(process.execPath, [entry, ...args, '--json'], {
    cwd: place.cwd,
    env: environment(place.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => void child.once('exit', (code) => resolve(code)));
  let stderr = '';
  child.stderr.on('data', (part: Buffer) => (stderr += part));
  const ready = await new Promise<Service['ready']>((resolve, reject) => {
    let stdout = '';
    child.stdout.on('data', (part: Buffer) => {
      stdout += part;
      if (stdout.includes('\n')) resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))));
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${stderr}`)));
  });
  const stop = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return { child, ready, stop };
};
