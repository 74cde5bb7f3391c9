/** `lichen gateway`: run one, and look at those there are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { equal } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type OperatorDoc, operatorNoun } from '../../runtime/protocol/nouns/trust.ts';
import { gatewayId, name as nameSchema, operatorId } from '../../runtime/protocol/schema.ts';
import { keysOf } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { openTrust, readAs } from './documents.ts';
import type { Heavy, Running, RunOptions } from './heavy.ts';
import { readKey } from './keys.ts';
import { age, emit, type JsonFlag, say, table } from './output.ts';
import { addApi, addVerb } from './verbs.ts';
import { hostPort, misused, wholeNumber, word } from './words.ts';

interface RunFlags extends JsonFlag {
  data: string;
  operator: string[];
  operatorId?: string;
  gateway?: string;
  name?: string;
  region?: string;
  listen: string;
  address?: string;
  apiListen: string;
  silenceMs: string;
  contentMib: string;
}

const MIB = 1024 * 1024;

/** The operators' entry for the key that lies in the data folder, from the newest version that is given. */
const entryFor = (flags: RunFlags, documents: OperatorDoc[]) => {
  const file = join(flags.data, 'gateway.key');
  if (!existsSync(file)) return undefined;
  const key = readKey(file).signer.publicKey;
  return documents.flatMap((doc) => doc.gateways).findLast((entry) => equal(entry.key, key));
};

const optionsOf = (flags: RunFlags): RunOptions => {
  const documents = flags.operator.map((path) => readAs(operatorNoun, path, openTrust).value);
  const entry = entryFor(flags, documents);
  const listed = (flag: string): never => {
    const file = join(flags.data, 'gateway.key');
    const first = `\`lichen key new ${file}\`, then have the operator's document list it: \`lichen operator init --gateway\`.`;
    if (!existsSync(flags.data)) return refuse('not-found', `there is no folder ${flags.data}`, `Make it, ${first}`);
    if (!existsSync(file)) return refuse('not-found', `there is no key ${file}`, `Make it: ${first}`);
    return misused(`${flag} is needed, because no operator's document lists the key in ${flags.data}`);
  };
  const { host, port } = hostPort(flags.listen, '--listen');
  const api = hostPort(flags.apiListen, '--api-listen');
  const gateway = flags.gateway ?? entry?.gateway;
  const address = flags.address ?? entry?.address ?? listed('--address');
  hostPort(address, '--address');
  return {
    data: flags.data,
    ...(gateway === undefined ? {} : { gateway: word(gatewayId, gateway, '--gateway') }),
    operator: word(operatorId, flags.operatorId ?? documents[0]?.operator, '--operator-id'),
    operatorDocs: flags.operator,
    name: word(nameSchema, flags.name ?? entry?.name ?? listed('--name'), '--name'),
    region: word(nameSchema, flags.region ?? entry?.region ?? listed('--region'), '--region'),
    host,
    port,
    address,
    apiHost: api.host,
    apiPort: api.port,
    silenceMs: wholeNumber(flags.silenceMs, '--silence-ms', 1000, 24 * 3_600_000),
    contentBytes: MIB * wholeNumber(flags.contentMib, '--content-mib', 1, 64 * 1024 * 1024),
  };
};

/** Whoever is told to stop twice does so at once. */
const closeOnSignal = (running: Running): void => {
  let asked = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
    asked = true;
    running.close().then(
      () => process.exit(0),
      (thrown: unknown) => {
        say(String(thrown));
        process.exit(70);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
};

const run = async (heavy: Heavy, flags: RunFlags): Promise<void> => {
  const options = optionsOf(flags);
  if (options.gateway === undefined)
    say(`No operator's document lists the key in ${flags.data}; boards and peers will not come until one does.`);
  const start = await heavy.gateway();
  const running = await start(options);
  closeOnSignal(running);
  const { gateway, port, apiPort } = running;
  const tokenFile = join(flags.data, 'admin.token');
  emit(flags, { gateway, port, apiPort, tokenFile }, () =>
    [
      `gateway    ${gateway} ${options.name} in ${options.region}`,
      `boards     ${options.host}:${port}, as ${options.address}`,
      `API        http://${options.apiHost}:${apiPort}`,
      `token      ${tokenFile}`,
    ].join('\n'),
  );
};

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const gateways = await openClient(flags).ask('gateways');
  emit(flags, gateways, () =>
    table(
      ['GATEWAY', 'NAME', 'REGION', 'ADDRESS', 'STATE'],
      gateways.map(({ gateway, name, region, address, ...entry }) => [gateway, name, region, address, stateOf(entry)]),
      'No gateways.',
    ),
  );
};

export const stateOf = ({ serving, revoked, reachable }: { serving: boolean; revoked: boolean; reachable: boolean }): string => {
  if (revoked) return 'revoked';
  if (!serving) return 'retired';
  return reachable ? 'reachable' : 'silent';
};

const status = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const found = await openClient(flags).ask('status');
  emit(flags, found, () =>
    [
      `gateway    ${found.gateway} ${found.name} in ${found.region}`,
      `operator   ${found.operator}`,
      `software   ${found.software}`,
      `boards     ${found.boardsHere.length} in session of at most ${LIMITS.sessions}`,
      `log        ${found.vector[found.gateway] ?? 0} entries of its own, ${found.pending} of others not applied yet`,
      '',
      table(
        ['PEER', 'STATE', 'FOR', 'ENTRIES HERE', 'ENTRIES THERE'],
        found.peers.map(({ gateway, up, forMs, vector }) => [
          gateway,
          up ? 'up' : 'down',
          age(forMs),
          String(found.vector[gateway] ?? 0),
          String(vector[gateway] ?? 0),
        ]),
        'No peers.',
      ),
    ].join('\n'),
  );
};

export const register = (noun: Command, heavy: Heavy): void => {
  addVerb(noun, {
    usage: 'run',
    says: 'run a gateway until it is told to stop',
    examples: [
      'gateway run --data husum --operator operator-1.cose',
      'gateway run --data husum --operator operator-1.cose peer-1.cose --listen [::]:8883 --api-listen 127.0.0.1:8080 --json',
    ],
    gives: { keys: ['gateway', 'port', 'apiPort', 'tokenFile'] },
  })
    .requiredOption('--data <folder>', 'its key, its store and its token')
    .requiredOption('--operator <file...>', "operators' signed documents, the own operator's first, each one's oldest version first")
    .option('--operator-id <id>', 'the own operator; by default that of the first document')
    .option('--gateway <id>', 'which gateway this is, if its key was ever rotated')
    .option('--name <name>', 'by default what the document says')
    .option('--region <name>', 'by default what the document says')
    .option('--listen <host:port>', 'the door for boards, tenants and peers', '0.0.0.0:8883')
    .option('--address <host:port>', 'that door as others reach it; by default what the document says')
    .option('--api-listen <host:port>', 'the HTTP API', '127.0.0.1:8080')
    .option('--silence-ms <number>', 'a peer silent for this long counts as gone', '15000')
    .option('--content-mib <number>', 'of releases it holds at most so much; what nobody needs goes', String(LIMITS.contentBytes / MIB))
    .action((flags: RunFlags) => run(heavy, flags));
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'the federation as its operators list it',
      examples: ['gateway list'],
      gives: { keys: keysOf.gateway, list: true },
    }),
  ).action(list);
  addApi(
    addVerb(noun, {
      usage: 'status',
      says: 'one gateway: its log and its peers',
      examples: ['gateway status --api http://127.0.0.1:8080'],
      gives: { keys: keysOf.status },
    }),
  ).action(status);
};
