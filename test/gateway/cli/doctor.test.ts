/** The doctor's verdicts, over machines and gateways that are described and not there. */
import { describe, expect, test } from 'vitest';
import type { Answers } from '../../../gateway/cli/answers.ts';
import { boardTable } from '../../../gateway/cli/board.ts';
import { cardText } from '../../../gateway/cli/card-text.ts';
import { judgeGateway } from '../../../gateway/cli/doctor.ts';
import { type Check, type Facts, forwardDropsIn, judgeMachine, readMachine } from '../../../gateway/cli/machine.ts';
import type { CardHealth } from '../../../runtime/protocol/nouns/card.ts';
import { idOf } from '../../support/federation.ts';
import { OFFER } from '../../support/paper-board.ts';

const BOARD: Facts = {
  platform: 'linux',
  node: '24.21.0',
  root: true,
  programs: { crun: '1.21', conmon: '2.1.12', ip: '6.15', nft: '1.1.3', 'mkfs.ext4': '1.47.2' },
  cgroup: { version: 2, controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] },
  userNamespaces: true,
  forwards: { v4: true, v6: true },
  forwardDrops: [],
};

const problems = (checks: Check[]) => checks.filter(({ state }) => state !== 'ok').map(({ name, state }) => `${name} ${state}`);
const machine = (changes: Partial<Facts>) => problems(judgeMachine({ ...BOARD, ...changes }));

describe('the machine', () => {
  test('a good board has no problem', () => expect(machine({})).toEqual([]));

  test.each<[string, Partial<Facts>, string[]]>([
    ['an old Node', { node: '20.20.2' }, ['node broken']],
    ['a newer Node', { node: '26.1.0' }, []],
    ['no root', { root: false }, ['user lacks']],
    ['no root and no user namespaces', { root: false, userNamespaces: false }, ['user lacks', 'user namespaces broken']],
    ['root without user namespaces', { userNamespaces: false }, ['user namespaces lacks']],
    ["Debian 12's crun", { programs: { ...BOARD.programs, crun: '1.8.1' } }, ['crun lacks']],
    ['a later crun', { programs: { ...BOARD.programs, crun: '2.0' } }, []],
    [
      'no engine',
      { programs: { crun: null, conmon: null, ip: null, nft: null, 'mkfs.ext4': null } },
      ['crun lacks', 'conmon lacks', 'ip lacks', 'nft lacks', 'mkfs.ext4 lacks'],
    ],
    ['no cgroups', { cgroup: null }, ['cgroups lacks']],
    ['cgroup v1', { cgroup: { version: 1, controllers: ['cpu', 'cpuacct', 'memory', 'pids'] } }, ['cgroups lacks']],
    ['a Raspberry Pi without memory', { cgroup: { version: 2, controllers: ['cpu', 'io', 'pids'] } }, ['cgroups lacks']],
    ['a firewall that drops what is passed on', { forwardDrops: ['ip filter FORWARD'] }, ['forwarding lacks']],
    ['no forwarding', { forwards: { v4: false, v6: false } }, ['forwarding lacks']],
    ['forwarding of IPv4 alone', { forwards: { v4: true, v6: false } }, ['forwarding lacks']],
    ['another system', { platform: 'darwin', cgroup: null }, ['system lacks']],
  ])('%s', (_name, changes, expected) => expect(machine(changes)).toEqual(expected));

  test('every problem comes with its fix, the memory controller with the right one', () => {
    const worst = judgeMachine({
      platform: 'linux',
      node: '18.0.0',
      root: false,
      programs: { crun: null, conmon: null, ip: null, nft: null, 'mkfs.ext4': null },
      cgroup: null,
      userNamespaces: false,
      forwards: { v4: false, v6: false },
      forwardDrops: [],
    });
    expect(worst.filter(({ state, fix }) => (state === 'ok') !== (fix === ''))).toEqual([]);
    const pi = judgeMachine({ ...BOARD, cgroup: { version: 2, controllers: ['cpu', 'io', 'pids'] } });
    expect(pi.find(({ name }) => name === 'cgroups')?.fix).toContain('cgroup_enable=memory');
  });

  test('a firewall is read as nft 1.0.6 lists it; what is no list says nothing', () => {
    const listed =
      '{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}}, {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 2, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}, {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER", "handle": 3}}]}';
    expect(forwardDropsIn(listed)).toEqual(['ip filter FORWARD']);
    expect(forwardDropsIn('Operation not permitted')).toEqual([]);
  });

  test('this machine is read', async () => {
    const facts = await readMachine();
    expect(facts).toMatchObject({ platform: process.platform, node: process.versions.node, root: process.getuid?.() === 0 });
  });
});

describe('the gateway', () => {
  const status: Answers['status'] = {
    gateway: idOf('gateway a'),
    name: 'alpha',
    region: 'north',
    operator: idOf('operator'),
    software: 'x',
    wallMs: 1_000_000,
    vector: {},
    pending: 0,
    content: { bytes: 900, most: 1000 },
    boardsHere: [],
    peers: [],
  };
  const gateway = (name: string, changes = {}) => ({
    gateway: idOf<typeof status.gateway>(`gateway ${name}`),
    name,
    region: 'north',
    address: 'h:1',
    operator: status.operator,
    serving: true,
    revoked: false,
    reachable: true,
    ...changes,
  });
  const board = (changes = {}): Answers['boards'][number] => ({
    board: idOf('board'),
    owner: idOf('owner'),
    home: null,
    here: true,
    sinceMs: 0,
    quarantined: false,
    offer: null,
    hello: null,
    rotations: [],
    labels: [],
    grants: [],
    rates: null,
    windows: null,
    bound: true,
    binding: 1,
    upkeep: null,
    system: null,
    runtime: null,
    liars: [],
    card: null,
    ...changes,
  });
  const card = (changes: Partial<CardHealth> = {}): CardHealth => ({
    ...{ disk: 'sda', says: '', readOnly: false, sizeMib: 7000, freeMib: 5000, writtenBytes: 1 },
    ...changes,
  });
  const judge = ({
    said = {},
    gateways = [gateway('a'), gateway('b')],
    boards = [board()],
    requests = [],
    nowMs = 1_000_000,
  }: {
    said?: object;
    gateways?: Answers['gateways'];
    boards?: Answers['boards'];
    requests?: Answers['requests'];
    nowMs?: number;
  }) => problems(judgeGateway({ ...status, ...said }, gateways, boards, requests, nowMs));

  test('all is well', () => expect(judge({})).toEqual([]));
  test.each<[string, Parameters<typeof judge>[0], string[]]>([
    ['nobody lists it', { gateways: [gateway('b')] }, ['gateway broken']],
    ['no peers', { gateways: [gateway('a')] }, ['peers lacks']],
    ['a retired peer is no peer', { gateways: [gateway('a'), gateway('b', { serving: false })] }, ['peers lacks']],
    ['a silent peer', { gateways: [gateway('a'), gateway('b', { reachable: false })] }, ['peers lacks']],
    ['clocks apart', { nowMs: 1_061_000 }, ['clock broken']],
    ['clocks nearly together', { nowMs: 1_060_000 }, []],
    ['entries that wait', { said: { pending: 3 } }, ['log lacks']],
    ['a store that is nearly full', { said: { content: { bytes: 901, most: 1000 } } }, ['content lacks']],
    ['a board away', { boards: [board({ here: false })] }, ['boards lacks']],
    ['a cloned card', { boards: [board({ quarantined: true })] }, ['boards broken']],
    [
      'a gateway that gives boards something else',
      { boards: [board({ liars: [{ gateway: idOf('b'), about: '0'.repeat(64), times: 1 }] })] },
      ['content broken'],
    ],
    ['a card that is well', { boards: [board({ card: card({ errors: 0, wornPercent: 70, spare: 'normal', damaged: false }) })] }, []],
    ['a card of which little is told', { boards: [board({ card: card() })] }, []],
    ['a card that takes no writes', { boards: [board({ card: card({ readOnly: true }) })] }, ['card broken']],
    ['a card that has lost some of the system', { boards: [board({ card: card({ damaged: true }) })] }, ['card broken']],
    ['a card whose file system met errors', { boards: [board({ card: card({ errors: 1 }) })] }, ['card broken']],
    ['a card that nears its end', { boards: [board({ card: card({ wornPercent: 80, spare: 'low' }) })] }, ['card lacks', 'card lacks']],
    ['a card beyond its end', { boards: [board({ card: card({ wornPercent: 100, spare: 'urgent' }) })] }, ['card broken', 'card broken']],
    ['a full card', { boards: [board({ card: card({ freeMib: 63 }) })] }, ['card lacks']],
    ['a nearly full card', { boards: [board({ card: card({ freeMib: 64 }) })] }, []],
    ['a board without a binding', { boards: [board({ bound: false })] }, ['boards lacks']],
  ])('%s', (_name, world, expected) => expect(judge(world)).toEqual(expected));

  test('of a card it says what, why and what to do, by name and whatever it calls itself', () => {
    const worn = card({ disk: 'mmcblk0', says: '0x13\tR1J\u001b[2J', errors: 2, erredMs: Date.UTC(2026, 0, 1), wornPercent: 90 });
    const told = judgeGateway(status, [gateway('a'), gateway('b')], [board({ card: worn })], [], 1_000_000);
    const of = `the card of board ${idOf('board')} (mmcblk0, 0x13\\x09R1J\\x1b[2J)`;
    expect(told.filter(({ name }) => name === 'card')).toEqual([
      {
        ...{ name: 'card', state: 'broken', fix: expect.stringContaining('Start the board anew') },
        says: `${of} has a file system that met 2 errors since it was last mended, the last by its clock of then at 2026-01-01T00:00:00.000Z`,
      },
      {
        name: 'card',
        state: 'lacks',
        says: `${of} has used up 90% of its life`,
        fix: expect.stringContaining('copy it while it can be read'),
      },
    ]);
  });

  test('in a list, a card is told of in short', () => {
    const short = (changes: Partial<CardHealth> | null) => cardText({ card: changes && card(changes) });
    expect(short(null)).toBe('-');
    expect(short({})).toBe('5000 MiB free');
    expect(short({ wornPercent: 10, errors: 0 })).toBe('10% worn');
    expect(short({ wornPercent: 90, errors: 1, readOnly: true, freeMib: 0 })).toBe('read-only, 1 error, 90% worn, full');
    expect(boardTable([board({ offer: OFFER, card: card({ spare: 'urgent' }) })], 0)).toMatch(/ CARD .*\n.* spare urgent /);
    expect(boardTable([board()], 0)).not.toContain('undefined');
  });

  test('a replica without a board, unless it is not wanted', () => {
    const request: Answers['requests'][number] = {
      request: idOf('request'),
      tenant: idOf('tenant'),
      name: 'museum',
      sequence: 1,
      secrets: [],
      state: 'started',
      release: '',
      replicas: 2,
      leases: [null, idOf('lease')],
      parameters: {},
      filter: {},
      priceCap: { wallHour: 0n, cpuSecond: 0n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n },
      currency: 'EUR',
      voucher: '',
      onIsolation: 'continue',
      shares: null,
      patienceMs: 1000,
      ...{ links: {}, publish: {}, lacks: [] },
      ...{ holdMs: null, fallback: null, windows: null, rollout: null, bang: 0, copied: true, refused: '' },
    };
    expect(judge({ requests: [request] })).toEqual(['requests lacks']);
    const told = judgeGateway({ ...status, wallMs: 1_000_000 }, [], [], [{ ...request, lacks: ['no board lends gpio'] }], 1_000_000);
    expect(told.find(({ name }) => name === 'requests')).toMatchObject({
      says: '1 of 2 replicas of museum have no board: no board lends gpio',
      fix: expect.stringContaining('--grant'),
    });
    expect(
      judge({
        requests: [
          { ...request, state: 'destroyed' },
          { ...request, leases: [idOf('lease'), idOf('lease')] },
        ],
      }),
    ).toEqual([]);
  });
});
