/** The command line as a person has it: a process of its own, with nothing in its environment that the test did not put there. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { makeProgram } from '../../../gateway/cli/program.ts';
import { contractOf } from '../../../gateway/cli/verbs.ts';
import { registerReleaseBuild } from '../../../recipes/builder/cli.ts';

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
    execFile(process.execPath, [entry, ...args], { cwd, env: environment(env), timeout: 15_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
    });
  });
  expect(`${ran.stdout}${ran.stderr}`).not.toMatch(STACK);
  return ran;
};

/** The last line of stdout, which is one JSON value. */
export const lastJson = ({ stdout }: Ran): any => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');

/** The whole command line with all its verbs. */
export const wholeProgram = () =>
  makeProgram('0.0.0', { gateway: () => Promise.reject(new Error('not here')), builder: async () => registerReleaseBuild }, () => true);

const verbAt = async (path: string[]) => {
  let command = await wholeProgram();
  for (const word of path) command = command.commands.find((one) => one.name() === word)!;
  return command;
};

/** Runs with `--json`, expects success, and that the value has exactly the keys that the help promises. */
export const told = async (args: string[], place: Place = {}): Promise<any> => {
  const ran = await lichen([...args, '--json'], place);
  expect(ran, args.join(' ')).toMatchObject({ status: 0 });
  const value = lastJson(ran);
  const path = args.slice(0, ['status', 'doctor'].includes(args[0]!) ? 1 : 2);
  const contract = contractOf(await verbAt(path));
  if (contract !== undefined) {
    expect(Array.isArray(value), path.join(' ')).toBe(contract.list === true);
    for (const one of contract.list ? value : [value]) expect(Object.keys(one).sort(), path.join(' ')).toEqual([...contract.keys].sort());
  }
  return value;
};

/** Runs with `--json`, expects a refusal of that code with its exit status, told on both streams. */
export const refused = async (code: string, status: number, args: string[], place: Place = {}): Promise<string> => {
  const ran = await lichen([...args, '--json'], place);
  const { error } = lastJson(ran);
  expect({ args, status: ran.status, code: error.code }).toEqual({ args, status, code });
  expect(Object.keys(error)).toEqual(['code', 'says', 'why', 'next']);
  expect(ran.stderr).toContain(error.says);
  expect(ran.stderr).toContain(error.next);
  return error.why;
};

export interface Service {
  child: ChildProcess;
  /** The line that it prints when it is ready. */
  ready: any;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** A verb that stays; ended by its own process id. */
export const serve = async (args: string[], place: Place = {}): Promise<Service> => {
  const child = spawn(process.execPath, [entry, ...args, '--json'], { cwd: place.cwd, env: environment(place.env), stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => void child.once('exit', (code) => resolve(code)));
  let stderr = '';
  child.stderr.on('data', (part: Buffer) => (stderr += part));
  const ready = await new Promise((resolve, reject) => {
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
