/** `lichen operator`: the document that names a federation's gateways, made where the roots' keys are. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { type GatewayEntry, gatewayEntry, type OperatorDoc, operatorNoun, unsealOperator } from '../../runtime/protocol/nouns/trust.ts';
import { gatewayId, operatorId } from '../../runtime/protocol/schema.ts';
import { firstOperator, nextOperator, operatorIdOf } from './ceremony.ts';
import { openTrust, readAs } from './documents.ts';
import { publicKeyOf } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addNextRoots, addRoots, addTrustPush, type NextFlags, nextRoots, type RootFlags, readRoots, withSigners } from './trust.ts';
import { addEndorse, addUnfinished, type FinishFlags, finish, lackingLines, type Trust } from './trust-sign.ts';
import { addVerb } from './verbs.ts';
import { hostPort, misused, pairs, wholeNumber, word } from './words.ts';

interface InitFlags extends RootFlags, FinishFlags, JsonFlag {
  name: string;
  fee: string;
  gateway?: string[];
  peer?: string[];
}

interface ChangeFlags extends NextFlags, FinishFlags, JsonFlag {
  fee?: string;
  gateway?: string[];
  peer?: string[];
  dropPeer?: string[];
  retire?: string[];
}

const GIVES = ['file', 'operator', 'version', 'name', 'gateways', 'peers', 'retired', 'feePermille', 'lacking'] as const;

const GATEWAY = 'name=N,region=R,key=HEX|FILE,address=HOST:PORT[,id=ID]';

/** `name=north,region=lower-saxony,key=HEX|FILE,address=host:port[,id=…]` */
const gatewayOf = (text: string): GatewayEntry => {
  const lacks = (what: string): never => misused(`--gateway lacks ${what}`, `It takes ${GATEWAY}.`);
  const {
    name = lacks('name=NAME'),
    region = lacks('region=NAME'),
    key = lacks('key=HEX, or key=FILE'),
    address = lacks('address=HOST:PORT, where boards and peers reach it'),
    id,
    ...rest
  } = pairs(text.split(','), '--gateway');
  const [stranger] = Object.keys(rest);
  if (stranger !== undefined) misused(`--gateway knows name, region, key, address and id, not "${stranger}"`);
  hostPort(address, '--gateway address');
  const publicKey = publicKeyOf(key, '--gateway key');
  return word(gatewayEntry, { gateway: id ?? fingerprint(nodeCrypto, publicKey), key: publicKey, name, region, address }, '--gateway');
};

const feeOf = (text: string): number => wholeNumber(text, '--fee', 0, 1000);
const peersOf = (texts: string[] = [], flag = '--peer') => texts.map((text) => word(operatorId, text, flag));

const linesOf = ({ operator, version, name, gateways, peers, retired, feePermille }: OperatorDoc): string[] => [
  `operator ${operator} "${name}", version ${version}, fee ${feePermille} per mille`,
  ...gateways.map((entry) => `gateway ${entry.gateway} ${entry.name} in ${entry.region} at ${entry.address}`),
  ...peers.map((peer) => `federates with operator ${peer}`),
  ...retired.map((gateway) => `gateway ${gateway} is gone for good`),
];

const TRUST: Trust<OperatorDoc> = { noun: operatorNoun, unseal: unsealOperator, lines: linesOf };

const tell = (doc: OperatorDoc, lacking: number, flags: JsonFlag & FinishFlags): void => {
  const { operator, version, name, peers, retired, feePermille } = doc;
  const gateways = doc.gateways.map((entry) => ({ ...entry, key: hex(entry.key) }));
  emit(flags, { file: flags.out, operator, version, name, gateways, peers, retired, feePermille, lacking }, () =>
    [...linesOf(doc), ...lackingLines('operator', flags.out, lacking)].join('\n'),
  );
};

const init = (flags: InitFlags): void => {
  const { signers, absent, threshold } = withSigners(readRoots(flags));
  const gateways = (flags.gateway ?? []).map(gatewayOf);
  const { doc, document } = firstOperator(nodeCrypto, signers, {
    threshold,
    absent,
    name: flags.name,
    gateways,
    peers: peersOf(flags.peer),
    feePermille: feeOf(flags.fee),
  });
  tell(doc, finish(TRUST, document, null, flags), flags);
};

const next = (previousFile: string, flags: ChangeFlags): void => {
  const { value: previous } = readAs(operatorNoun, previousFile, openTrust);
  const { change, signers } = nextRoots(previous, flags);
  const named = (flags.gateway ?? []).map(gatewayOf);
  const retired = (flags.retire ?? []).map((text) => word(gatewayId, text, '--retire'));
  const unknown = retired.find((id) => !previous.gateways.some(({ gateway }) => gateway === id));
  if (unknown !== undefined) misused(`--retire ${unknown}: the document lists no such gateway`);
  const leaving = new Set(peersOf(flags.dropPeer, '--drop-peer'));
  const { doc, document } = nextOperator(
    nodeCrypto,
    previous,
    {
      ...change,
      gateways: [...previous.gateways.filter(({ gateway }) => !named.some((entry) => entry.gateway === gateway)), ...named],
      peers: [...new Set([...previous.peers, ...peersOf(flags.peer)])].filter((peer) => !leaving.has(peer)),
      retired: [...new Set([...previous.retired, ...retired])],
      feePermille: flags.fee === undefined ? previous.feePermille : feeOf(flags.fee),
    },
    signers,
  );
  tell(doc, finish(TRUST, document, previous, flags), flags);
};

export const register = (noun: Command): void => {
  addRoots(
    addVerb(noun, {
      usage: 'id',
      says: 'the id that roots and threshold give; peers name it before there is a document',
      examples: ['operator id --root root-1.key root-2.key root-3.key --threshold 2'],
      gives: { keys: ['operator'] },
    }),
  ).action((flags: RootFlags & JsonFlag) => {
    const { roots, threshold } = readRoots(flags);
    const operator = operatorIdOf(nodeCrypto, roots, threshold);
    emit(flags, { operator }, () => operator);
  });
  addUnfinished(
    addRoots(
      addVerb(noun, {
        usage: 'init',
        says: 'make and sign version 1',
        examples: [
          'operator init --root root-1.key root-2.key --name "North Coast" --fee 50 --gateway name=husum,region=north,key=husum/gateway.key,address=husum.example:8883 --out operator-1.cose',
        ],
        gives: { keys: GIVES },
      }),
    ),
  )
    .requiredOption('--name <text>', 'what people call this operator')
    .option('--fee <per mille>', 'its share of what a lease earns', '0')
    .option('--gateway <entry...>', GATEWAY)
    .option('--peer <operator...>', 'id of an operator to federate with')
    .requiredOption('--out <file>', 'where the signed document goes')
    .action(init);
  addUnfinished(
    addNextRoots(
      addVerb(noun, {
        usage: 'next <previous>',
        says: 'make and sign the version that follows: changed gateways, peers, roots, fee',
        examples: [
          'operator next operator-1.cose --root root-1.key root-2.key --gateway name=list,region=north,key=HEX,address=list.example:8883 --out operator-2.cose',
          'operator next operator-2.cose --root root-1.key root-2.key --retire ID --out operator-3.cose',
        ],
        gives: { keys: GIVES },
      }),
    ),
  )
    .option('--fee <per mille>', 'its share of what a lease earns from now on')
    .option('--gateway <entry...>', `a new or changed gateway: ${GATEWAY}`)
    .option('--peer <operator...>', 'id of a further operator to federate with')
    .option('--drop-peer <operator...>', 'id of an operator to federate with no longer')
    .option('--retire <gateway...>', 'id of a gateway that is gone for good')
    .action(next);
  addEndorse(noun, TRUST);
  addTrustPush(noun, "operators'");
};
