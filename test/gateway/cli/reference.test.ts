/** docs/cli.md is what the command line says of itself. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { makeReference } from '../../../gateway/cli/reference.ts';
import { HELP } from '../../../runtime/words.ts';
import { wholeProgram } from './command.ts';

const path = join(import.meta.dirname, '../../..', 'docs/cli.md');

const leaves = (command: Command, path: string[] = []): { command: Command; path: string }[] =>
  command.commands.length === 0
    ? [{ command, path: path.join(' ') }]
    : command.commands.flatMap((one) => leaves(one, [...path, one.name()]));

test('docs/cli.md is up to date', async () => {
  const reference = makeReference(await wholeProgram(), HELP);
  if (process.env.LICHEN_UPDATE === '1') writeFileSync(path, reference);
  expect(readFileSync(path, 'utf8')).toBe(reference);
});

test('every verb takes --json and describes itself and each of its flags', async () => {
  const verbs = leaves(await wholeProgram());
  expect(verbs.length).toBeGreaterThan(30);
  for (const { command, path } of verbs) {
    expect(
      command.options.map(({ long }) => long),
      path,
    ).toContain('--json');
    expect(command.description(), path).not.toBe('');
    expect(
      command.options.filter(({ description }) => description === ''),
      path,
    ).toEqual([]);
  }
});
