/** `lichen instance`: what runs, where, and how its board says it is. */
import type { Command } from 'commander';
import { type Instance, keysOf } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { age, brief, emit, type JsonFlag, table } from './output.ts';
import { addApi, addVerb } from './verbs.ts';

/** A report is known at the board's home only, and its age tells whether it can still be believed. */
export const instanceTable = (instances: Instance[], nowMs: number): string =>
  table(
    ['NAME', 'STATE', 'PROMISE', 'SAID', 'RESTARTS', 'ADDRESS', 'TENANT', 'BOARD', 'LEASE'],
    instances.map(({ name, index, report, tenant, board, lease, opened }) => {
      const said =
        report === null
          ? [opened ? 'opened' : 'placed', '-', '-', '-', '-']
          : [state(report), report.promise, `${age(nowMs - report.atMs)} ago`, String(report.restarts), report.address ?? '-'];
      return [`${name}/${index}`, ...said, brief(tenant), brief(board), lease];
    }),
    'No instances. `lichen request list` shows what is wished for.',
  );

const state = ({ state: word, detail }: { state: string; detail: string }): string => (detail === '' ? word : `${word} (${detail})`);

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const instances = await openClient(flags).ask('instances');
  emit(flags, instances, () => instanceTable(instances, Date.now()));
};

export const register = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'open leases with the newest word of their boards',
      examples: ['instance list', 'instance list --json'],
      gives: { keys: keysOf.instance, list: true },
    }),
  ).action(list);
};
