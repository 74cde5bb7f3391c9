/** `lichen request`: what a tenant wishes for, signed on its own machine. */
import type { Command } from 'commander';
import { refuse } from '../../runtime/protocol/errors.ts';
import { keysOf } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { instanceText } from './instance-text.ts';
import { brief, emit, type JsonFlag, table } from './output.ts';
import { PUSH_AGAIN, PUSHED, type PushFlags, pushFiles } from './push.ts';
import { addSet, change } from './request-change.ts';
import { type MakeFlags, makeFiles } from './request-make.ts';
import { addApi, addPush, addVerb } from './verbs.ts';
import { rolloutText } from './waves.ts';
import { misused } from './words.ts';

const make = async (flags: MakeFlags & JsonFlag): Promise<void> => {
  const made = await makeFiles(flags);
  emit(flags, made, () =>
    [`${made.name}, sequence ${made.sequence}, ${made.state}`, `Push it: lichen request push ${made.files.join(' ')}`].join('\n'),
  );
};

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const requests = await openClient(flags).ask('requests');
  emit(flags, requests, () =>
    table(
      ['NAME', 'STATE', 'PLACED', 'SEQUENCE', 'TENANT', 'RELEASE', 'REQUEST'],
      requests.map(({ name, state, leases, lacks, replicas, sequence, tenant, release, request, copied }) => {
        const placed = leases.filter((lease) => lease !== null).length;
        return [
          name,
          copied ? state : `${state} (this gateway alone has it)`,
          `${placed}/${replicas}${lacks.length === 0 ? '' : ` (${lacks[0]}${lacks.length === 1 ? '' : `; ${lacks.length - 1} more: lichen request show ${name}`})`}`,
          String(sequence),
          brief(tenant),
          brief(release),
          request,
        ];
      }),
      'No requests. `lichen request make` and `lichen request push` bring one.',
    ),
  );
};

const STATES = { start: 'started', stop: 'stopped', destroy: 'destroyed' } as const;
const SAYS = {
  start: 'ask for an instance again, with the terms of its newest request',
  stop: 'stop it; its partition, data and meter stay',
  destroy: 'end it; its leases are closed and billed to the last record',
} as const;

/** What is wished, what of it is refused, and what its instances say of how they are reached. */
const show = async (name: string, flags: ApiFlags & JsonFlag & { tenant?: string }): Promise<void> => {
  const client = openClient(flags);
  const found = (await client.ask('requests')).filter(
    (row) => row.name === name && (flags.tenant === undefined || row.tenant === flags.tenant),
  );
  const [request] = found;
  if (request === undefined) return refuse('not-found', `no request ${name} at ${client.url}`);
  if (found.length > 1) misused(`${found.length} tenants have a request ${name}: say which with --tenant ID`);
  const instances = (await client.ask('instances')).filter((row) => row.request === request.request);
  const said = Object.entries(request.parameters).map(([key, value]) => `  ${key}=${value}`);
  emit(flags, { ...request, instances }, () =>
    [
      `${name}, sequence ${request.sequence}, ${request.state}${request.refused === '' ? '' : `; refused: ${request.refused}`}`,
      ...(request.copied ? [] : [`no other gateway has it yet: ${PUSH_AGAIN}`]),
      ...(said.length === 0 ? [] : ['parameters:', ...said]),
      ...(request.lacks.length === 0 ? [] : ['not everywhere that it is asked for:', ...request.lacks.map((why) => `  ${why}`)]),
      ...(request.rollout === null ? [] : rolloutText(request.rollout)),
      ...instances.map(instanceText),
    ].join('\n'),
  );
};

const addMakeOptions = (command: Command): Command =>
  addApi(command)
    .requiredOption('--tenant-key <file>', "the tenant's key file")
    .requiredOption('--release <hex>', 'which release')
    .requiredOption('--name <name>', 'what the tenant calls it; the same name again replaces the former request')
    .option('--replicas <number>', 'how many instances, each on another board', '1')
    .option('--state <state>', 'started, stopped or destroyed', 'started')
    .option('--param <key=value...>', 'a parameter that the release declares')
    .option('--link <own=name...>', 'whose instance a link of the release leads to: the request of that name, of the same tenant')
    .option('--publish <name=port...>', 'on which port of its board a port of the release is published')
    .option('--secret <name=file...>', 'a file below /run/secrets, sealed to the boards that --filter means and to nobody else')
    .option('--filter <key=value...>', 'tier=full|reduced|dev, board=ID, owner=ID or region=NAME')
    .option('--sequence <number>', 'rises with every request of this name; by default the gateway is asked for the next one')
    .option('--voucher <file>', 'the signed voucher that pays for it')
    .option('--cap <amount>', 'make a voucher over this amount, e.g. 5.00, instead')
    .option('--currency <code>', 'with --cap: its currency')
    .option('--valid <duration>', 'with --cap: how long it is valid', '365d')
    .option('--price-cap <rate...>', 'take no board that is dearer, e.g. cpuSecond=30n; by default any, up to the voucher')
    .option('--patience <duration>', 'how long a board may be out of reach before another takes over', '5m')
    .option('--on-isolation <what>', 'continue or stop', 'continue')
    .option('--hold <duration>', 'how long an instance may hold off another release; by default as long as its own says')
    .option('--fallback <hex>', 'a release that takes the place of this one where this one does not hold its promises')
    .option('--bake <duration>', 'with --fallback: for how long they have to hold', '1m')
    .option('--shares <number>', 'for how many shares its instances are open, each of them for all; the release says how many it can serve')
    .option('--share-with <tenant...>', 'whose shares beside those of its own tenant: ids, or anybody')
    .option(
      '--wave <who...>',
      'with --fallback: whom the release reaches first, one wave after the other: 1, 25% or label=NAME; then all others',
    )
    .option('--skip-empty', 'with --wave: leave out waves that take in nobody, instead of refusing them')
    .option('--tolerate <number>', 'with --wave: how many may fall back before all do', '0')
    .option(
      '--window <time...>',
      'when instances may be taken from one release to another, e.g. 01:00-04:30 (UTC); at any time if not given',
    )
    .option('--out <file>', 'where the signed request goes; by default NAME-SEQUENCE.request');

export const register = (noun: Command): void => {
  addMakeOptions(
    addVerb(noun, {
      usage: 'make',
      says: 'sign a request and write it to a file',
      examples: [
        'request make --tenant-key tenant.key --release HEX --name museum --cap 5.00 --currency EUR',
        'request make --tenant-key tenant.key --release HEX --name museum --replicas 2 --param port=8081 --filter region=north --voucher museum-1.request.voucher --out museum-2.request',
      ],
      gives: { keys: ['request', 'name', 'sequence', 'state', 'tenant', 'voucher', 'files'] },
    }),
  ).action(make);
  addPush(
    addVerb(noun, {
      usage: 'push <file...>',
      says: 'push signed documents, whatever they are, in the order in which they stand on each other',
      examples: ['request push museum-1.request.voucher museum-1.request', 'request push museum-1.request --dry-run'],
      gives: { keys: PUSHED },
    }),
  )
    .option('--dry-run', 'open them, check their signatures and show what would be sent')
    .action((files: string[], flags: PushFlags & JsonFlag & { dryRun?: boolean }) => pushFiles(files, flags));
  addApi(
    addVerb(noun, { usage: 'list', says: 'standing requests', examples: ['request list'], gives: { keys: keysOf.request, list: true } }),
  ).action(list);
  for (const verb of ['start', 'stop', 'destroy'] as const) {
    addPush(
      addVerb(noun, {
        usage: `${verb} <name>`,
        says: SAYS[verb],
        examples: [`request ${verb} museum --tenant-key tenant.key`],
        gives: { keys: ['request', 'name', 'sequence', 'state'] },
      }),
    ).action((name: string, flags: PushFlags & JsonFlag) => change(name, { state: STATES[verb] }, flags));
  }
  addSet(noun);
  addPush(
    addVerb(noun, {
      usage: 'rollback <name>',
      says: 'ask for the release to which the present one would fall back, under a new sequence',
      examples: ['request rollback museum --tenant-key tenant.key'],
      gives: { keys: ['request', 'name', 'sequence', 'state'] },
    }),
  )
    .option('--any-time', 'at any time from now on, though it had times of the day for that')
    .action((name: string, flags: PushFlags & JsonFlag & { anyTime?: boolean }) =>
      change(name, { rollback: true, ...(flags.anyTime === true && { windows: null }) }, flags),
    );
  addApi(
    addVerb(noun, {
      usage: 'show <name>',
      says: 'one request, why it is refused if it is, and how its instances are reached',
      examples: ['request show museum', 'request show museum --json'],
      gives: { keys: [...keysOf.request, 'instances'] },
    }),
  )
    .option('--tenant <id>', 'whose, where several call theirs the same')
    .action(show);
};
