/** `lichen instance`: what runs, where, and how its board says it is. */
import type { Command } from 'commander';
import { refuse } from '../../runtime/protocol/errors.ts';
import { type Instance, keysOf, type RolloutView } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { instanceText } from './instance-text.ts';
import { age, brief, emit, type JsonFlag, table } from './output.ts';
import type { PushFlags } from './push.ts';
import { change } from './request-change.ts';
import { addApi, addPush, addVerb } from './verbs.ts';
import { waveOfReplica } from './waves.ts';

/** A report is known at the board's home only, and its age tells whether it can still be believed. */
/** `waves`: of requests whose release is being rolled out. */
export const instanceTable = (instances: Instance[], nowMs: number, waves: ReadonlyMap<string, RolloutView> = new Map()): string =>
  table(
    ['NAME', 'STATE', 'PROMISE', 'SAID', 'RESTARTS', 'ADDRESS', 'WAVE', 'TENANT', 'BOARD', 'LEASE'],
    instances.map(({ request, name, index, report, tenant, board, lease, opened }) => {
      const said =
        report === null
          ? [opened ? 'opened' : 'placed', '-', '-', '-', '-']
          : [state(report), report.promise, `${age(nowMs - report.atMs)} ago`, String(report.restarts), report.address ?? '-'];
      return [`${name}/${index}`, ...said, waveOfReplica(waves.get(request), index) || '-', brief(tenant), brief(board), lease];
    }),
    'No instances. `lichen request list` shows what is wished for.',
  );

const state = ({ state: word, detail }: { state: string; detail: string }): string => (detail === '' ? word : `${word} (${detail})`);

/** Below the table: what a rollout waits for, and what can be done. */
const haltsOf = (instances: Instance[], waves: ReadonlyMap<string, RolloutView>): string[] =>
  [...waves].flatMap(([request, { state, wave, of, why, next }]) => {
    const name = instances.find((one) => one.request === request)?.name;
    return name === undefined ? [] : [`${name}: rollout ${state}, wave ${wave} of ${of}: ${why}; ${next}`];
  });

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const client = openClient(flags);
  const instances = await client.ask('instances');
  const waves = new Map<string, RolloutView>();
  if (flags.json !== true)
    for (const { request, rollout } of await client.ask('requests'))
      if (rollout !== null && rollout.state !== 'done') waves.set(request, rollout);
  emit(flags, instances, () => [instanceTable(instances, Date.now(), waves), ...haltsOf(instances, waves)].join('\n'));
};

/** By the name of its request, by that and its number, or by its lease. */
const isCalled = ({ name, index, lease }: Instance, what: string): boolean => [name, `${name}/${index}`, lease].includes(what);

const show = async (what: string, flags: ApiFlags & JsonFlag): Promise<void> => {
  const client = openClient(flags);
  const found = (await client.ask('instances')).filter((one) => isCalled(one, what));
  if (found.length === 0) refuse('not-found', `no instance ${what} at ${client.url}`);
  emit(flags, found, () => found.map(instanceText).join('\n'));
};

export const register = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'show <name>',
      says: 'instances of a request, or one by number or lease, with what they publish of how they are reached',
      examples: ['instance show museum', 'instance show museum/0 --json'],
      gives: { keys: keysOf.instance, list: true },
    }),
  ).action(show);
  addPush(
    addVerb(noun, {
      usage: 'bang <name>',
      says: 'let all instances of a request begin anew, on the leases that they have',
      examples: ['instance bang museum --tenant-key tenant.key'],
      gives: { keys: ['request', 'name', 'sequence', 'state'] },
    }),
  ).action((name: string, flags: PushFlags & JsonFlag) => change(name, { bang: true }, flags));
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'open leases with the newest word of their boards',
      examples: ['instance list', 'instance list --json'],
      gives: { keys: keysOf.instance, list: true },
    }),
  ).action(list);
};
