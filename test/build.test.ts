/** build.mjs is what a newcomer meets first: its stdout belongs to the task, and so does its exit status. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BOARD_NODE_FLAGS } from '../sim/harness/board.ts';

const root = join(import.meta.dirname, '..');

function build(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['build.mjs', ...args], { cwd: root, encoding: 'utf8' });
}

test('without a task it lists them, and stdout stays empty', () => {
  const { status, stdout, stderr } = build();
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  expect(stderr).toContain('usage: node build.mjs <task>');
});

test('an unknown task is a usage error, and so is half an option', () => {
  expect(build('strat').status).toBe(64);
  expect(build('constructor').status).toBe(64);
  expect(build('bundle', '--entry', 'test/fixtures/bundle/start.ts')).toMatchObject({ status: 64, stdout: '' });
});

test('arguments go to the task, and its status and stdout come back', () => {
  expect(build('bench', 'no-such-benchmark')).toMatchObject({ status: 64, stdout: '' });
  expect(build('bench').stdout.split('\n')).toContain('bundle');
});

test('every npm script is a task, and replaces its shell so that signals reach it', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { stderr } = build();
  for (const script of Object.values(scripts)) {
    const task = /^exec node build\.mjs ([\w:-]+)$/.exec(script)?.[1];
    expect(stderr).toContain(`\n  ${task} `);
  }
});

test("a board's Node is told the same on an image, from a clone and by whoever measures it", () => {
  const started = (path: string, pattern: RegExp): string[] =>
    pattern.exec(readFileSync(join(root, path), 'utf8'))?.[1]?.match(/--[a-z-]+/g) ?? [];
  expect(started('firmware-images/board-files/life', /exec node ((--[a-z-]+ )+)"\$@"/)).toEqual(BOARD_NODE_FLAGS);
  expect(started('build.mjs', /runNode\(\[(('--[a-z-]+', )+)join\(root, 'runtime\/main.ts'\)/)).toEqual(BOARD_NODE_FLAGS);
});

test('the lockfile pins every package by hash and names no registry', () => {
  type Locked = { link?: boolean; integrity?: string; resolved?: string; dependencies?: object; optionalDependencies?: object };
  const { packages }: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const entries = Object.entries(packages).filter(([path]) => path !== '');
  expect(entries.length).toBeGreaterThan(50);
  expect(entries.filter(([, { integrity, resolved }]) => integrity === undefined || resolved !== undefined)).toEqual([]);
  // `npm ci` refuses a lockfile that leaves out what one processor or system needs.
  const absent = entries.flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies }).filter(
      (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
    ),
  );
  expect(absent).toEqual([]);
});
