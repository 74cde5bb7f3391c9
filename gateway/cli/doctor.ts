/** `lichen doctor`: what is wrong with this machine and the gateway it asks, each with its fix. */
import type { Command } from 'commander';
import { asLichenError, ERRORS } from '../../runtime/protocol/errors.ts';
import type { Answers } from './answers.ts';
import { boardState } from './board.ts';
import { judgeCard } from './card-text.ts';
import { type ApiFlags, openClient } from './client.ts';
import { stateOf } from './gateway.ts';
import { reportHardware } from './hardware.ts';
import type { Heavy } from './heavy.ts';
import { type Check, judgeMachine, readMachine } from './machine.ts';
import { emit, type JsonFlag, paint } from './output.ts';
import { addApi, addVerb } from './verbs.ts';
import { misused } from './words.ts';

/** A board without a clock is told the time; everyone else's must be roughly right. */
const SKEW_MS = 60_000;

const one = (name: string, state: Check['state'], says: string, fix = ''): Check => ({ name, state, says, fix });

const nameOf = (gateways: Answers['gateways'], id: string): string => gateways.find(({ gateway }) => gateway === id)?.name ?? id;

const percent = ({ bytes, most }: Answers['status']['content']): number => Math.floor((bytes * 100) / most);

const judgeContent = (status: Answers['status'], gateways: Answers['gateways'], boards: Answers['boards']): Check[] => [
  ...(status.content.bytes * 10 > status.content.most * 9
    ? [
        one(
          'content',
          'lacks',
          `the releases that it holds fill ${percent(status.content)}% of what it may hold`,
          'End requests that nobody needs any more, or let it hold more: `lichen gateway run --content-mib`.',
        ),
      ]
    : []),
  ...boards.flatMap(({ board, liars }) =>
    liars.map(({ gateway, about }) =>
      one(
        'content',
        'broken',
        `gateway ${nameOf(gateways, gateway)} gave board ${board} something else for content ${about.slice(0, 12)}`,
        'Its operator looks at its disk; what the board still lacked it has asked of others.',
      ),
    ),
  ),
];

export const judgeGateway = (
  status: Answers['status'],
  gateways: Answers['gateways'],
  boards: Answers['boards'],
  requests: Answers['requests'],
  nowMs: number,
): Check[] => {
  const skewMs = Math.abs(nowMs - status.wallMs);
  const peers = gateways.filter(({ gateway, serving }) => gateway !== status.gateway && serving);
  const silent = peers.filter((peer) => stateOf(peer) !== 'reachable');
  const listed = gateways.some(({ gateway }) => gateway === status.gateway);
  const unplaced = requests.filter(({ state, leases }) => state === 'started' && leases.includes(null));
  return [
    one('gateway', 'ok', `${status.name} in ${status.region}, ${status.software}`),
    ...(listed
      ? []
      : [
          one(
            'gateway',
            'broken',
            'no operator lists this gateway',
            "Sign it into the operator's document: `lichen operator next`, `lichen operator push`.",
          ),
        ]),
    ...(skewMs > SKEW_MS
      ? [
          one(
            'clock',
            'broken',
            `the gateway's clock and this one's are ${Math.round(skewMs / 1000)} s apart`,
            'Set both by NTP: boards take the time from their gateway.',
          ),
        ]
      : []),
    ...(listed && peers.length === 0
      ? [
          one(
            'peers',
            'lacks',
            'no peers: what is acknowledged is held by this gateway alone',
            'Run a second gateway, or federate with another operator.',
          ),
        ]
      : []),
    ...silent.map(({ name, address }) =>
      one('peers', 'lacks', `peer ${name} at ${address} is silent`, 'Check its process and the network between.'),
    ),
    ...(status.pending > 0
      ? [
          one(
            'log',
            'lacks',
            `${status.pending} entries of peers wait for what they stand on`,
            "They are applied once the other peers' logs have come.",
          ),
        ]
      : []),
    ...judgeContent(status, gateways, boards),
    ...boards.flatMap(judgeCard),
    ...boards.flatMap((board): Check[] => {
      const state = boardState(board);
      if (state === 'quarantined')
        return [
          one(
            'boards',
            'broken',
            `board ${board.board} has two histories, as a cloned card has`,
            'Compare both; revoke the key: `lichen operator next --revoke`.',
          ),
        ];
      if (state === 'away')
        return [
          one(
            'boards',
            'lacks',
            `board ${board.board} is away since ${new Date(board.sinceMs).toISOString()}`,
            'Check its power and its network; its instances go on meanwhile.',
          ),
        ];
      return state === 'unbound'
        ? [
            one(
              'boards',
              'lacks',
              `board ${board.board} is bound to no payee, so nothing is placed on it`,
              'Its owner signs a binding: `lichen board bind`.',
            ),
          ]
        : [];
    }),
    ...unplaced.map(({ name, leases, lacks }) =>
      one(
        'requests',
        'lacks',
        `${leases.filter((lease) => lease === null).length} of ${leases.length} replicas of ${name} have no board${lacks.length === 0 ? '' : `: ${lacks.join('; ')}`}`,
        'Pair another board, or lower limits, filter and price cap. What is to be lent the owner sets free at the board (--grants) and in its binding (`lichen board bind --grant`), room for /data with --capacity data=MIB; what it is linked to is requested first.',
      ),
    ),
  ];
};

const gatewayChecks = async (flags: ApiFlags): Promise<Check[]> => {
  const asked = flags.api !== undefined || Boolean(process.env.LICHEN_API);
  try {
    const client = openClient(flags);
    const [status, gateways, boards, requests] = await Promise.all([
      client.ask('status'),
      client.ask('gateways'),
      client.ask('boards'),
      client.ask('requests'),
    ]);
    return judgeGateway(status, gateways, boards, requests, Date.now());
  } catch (thrown) {
    const { code, detail } = asLichenError(thrown);
    if (code === 'bad-usage' || code === 'internal') throw thrown;
    // A machine that is no gateway's and names none is not broken for want of one.
    return [
      one(
        'gateway',
        asked ? 'broken' : 'lacks',
        detail,
        asked ? ERRORS[code].next : 'Name one with --api or LICHEN_API, or start it: `lichen gateway run`.',
      ),
    ];
  }
};

const MARK = {
  ok: (text: string) => paint.green(text),
  lacks: (text: string) => paint.yellow(text),
  broken: (text: string) => paint.red(text),
};

interface Flags extends ApiFlags, JsonFlag {
  hardwareReport?: boolean;
  from?: string;
}

const doctor = async (flags: Flags, heavy: Heavy): Promise<void> => {
  if (flags.hardwareReport === true) return reportHardware(flags, heavy);
  if (flags.from !== undefined) misused('--from goes with --hardware-report');
  const [machine, gateway] = await Promise.all([readMachine(), gatewayChecks(flags)]);
  const checks = [...judgeMachine(machine), ...gateway];
  if (checks.some(({ state }) => state === 'broken')) process.exitCode = ERRORS.unavailable.exit;
  emit(flags, checks, () =>
    checks
      .map(({ name, state, says, fix }) => `${MARK[state](state.padEnd(7))} ${name}: ${says}${fix === '' ? '' : `\n        ${fix}`}`)
      .join('\n'),
  );
};

export const register = (program: Command, heavy: Heavy): void => {
  addApi(
    addVerb(program, {
      usage: 'doctor',
      says: 'problems of this machine and of the gateway, each with its fix; 69 when something is broken',
      examples: ['doctor', 'doctor --api http://gateway.example:8080 --json', 'doctor --hardware-report --from beech.local'],
      gives: { keys: ['name', 'state', 'says', 'fix'], list: true },
    }),
  )
    .option('--hardware-report', 'what this machine is and how it fares, to be told to others: another JSON value')
    .option('--from <host>', 'with --hardware-report: of the unpaired board that shows its page there, such as beech.local')
    .action((flags: Flags) => doctor(flags, heavy));
};
