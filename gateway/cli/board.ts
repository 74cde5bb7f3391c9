/** `lichen board`: boards, the claims that pair them, and the bindings by which their owners are paid. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { grant } from '../../runtime/protocol/nouns/reach.ts';
import type { Rates } from '../../runtime/protocol/nouns/request.ts';
import { boardId, currency, name as nameSchema, ownerId, text as textSchema } from '../../runtime/protocol/schema.ts';
import { type Board, keysOf } from './answers.ts';
import { registerNeighbours } from './board-neighbours.ts';
import { registerUpdate, systemText } from './board-update.ts';
import { cardText } from './card-text.ts';
import { makeBinding } from './ceremony.ts';
import { type ApiFlags, openClient } from './client.ts';
import { writeDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { age, emit, type JsonFlag, say, table } from './output.ts';
import { ratesOf } from './rates.ts';
import { addApi, addToken, addVerb } from './verbs.ts';
import { windowsOf } from './waves.ts';
import { misused, wholeNumber, word } from './words.ts';

export const boardState = ({ quarantined, here, bound }: Board): string => {
  if (quarantined) return 'quarantined';
  if (!here) return 'away';
  return bound ? 'here' : 'unbound';
};

/** A grant counts where both say it. */
const lent = ({ offer, grants }: Board): [ports: string, lends: string] => {
  const ports = offer?.ports === undefined ? '-' : `${offer.ports.first}-${offer.ports.last}`;
  const both = (offer?.grants ?? []).filter((one) => one === 'links' || grants.includes(one));
  return [ports, both.length === 0 ? '-' : both.join(',')];
};

export const boardTable = (boards: Board[], nowMs: number): string =>
  table(
    ['BOARD', 'STATE', 'FOR', 'TIER', 'ARCH', 'MEMORY', 'CPU', 'PARTITIONS', 'PORTS', 'LENDS', 'CARD', 'SYSTEM', 'MODEL'],
    boards.map((board) => {
      const { offer } = board;
      const room =
        offer === null
          ? ['-', '-', '-', '-', '-', '-', '-', '-', '-', '-']
          : [
              offer.tier,
              offer.arch,
              `${offer.memoryMib} MiB`,
              `${offer.cpuMillis} m`,
              String(offer.partitions),
              ...lent(board),
              cardText(board),
              systemText(board),
              offer.model,
            ];
      return [board.board, boardState(board), age(nowMs - board.sinceMs), ...room];
    }),
    'No boards. `lichen board claim` makes a claim that pairs one.',
  );

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const boards = await openClient(flags).ask('boards');
  emit(flags, boards, () => boardTable(boards, Date.now()));
};

const claim = async (flags: ApiFlags & JsonFlag & { owner?: string; ownerKey?: string }): Promise<void> => {
  if ((flags.owner === undefined) === (flags.ownerKey === undefined)) misused('either --owner ID or --owner-key FILE is needed');
  const owner =
    flags.ownerKey === undefined
      ? word(ownerId, flags.owner, '--owner')
      : fingerprint(nodeCrypto, readKey(flags.ownerKey).signer.publicKey);
  const made = await openClient(flags).ask('claim', { body: { owner } });
  say(`It pairs one board for owner ${owner}, once, within ${age(made.validMs)}.`);
  emit(flags, { ...made, owner }, () => made.claim);
};

interface BindFlags extends ApiFlags, JsonFlag {
  board: string;
  ownerKey: string;
  payee: string;
  currency: string;
  rate?: string[];
  partitions?: string;
  label?: string[];
  grant?: string[];
  window?: string[];
  version?: string;
  out?: string;
}

const FREE: Rates = { wallHour: 0n, cpuSecond: 0n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n };

/** One above what the gateway knows. */
const nextVersion = async (flags: BindFlags, board: string): Promise<number> => {
  const known = (await openClient(flags).ask('boards')).find((row) => row.board === board);
  return (known?.binding ?? 0) + 1;
};

const bind = async (flags: BindFlags): Promise<void> => {
  const board = word(boardId, flags.board, '--board');
  const owner = readKey(flags.ownerKey).signer;
  const terms = {
    board,
    payee: word(textSchema, flags.payee, '--payee'),
    currency: word(currency, flags.currency, '--currency'),
    rates: ratesOf(flags.rate ?? [], '--rate', FREE),
    policy: {
      partitions: wholeNumber(flags.partitions ?? String(LIMITS.partitionsPerBoard), '--partitions', 1, LIMITS.partitionsPerBoard),
      labels: (flags.label ?? []).map((label) => word(nameSchema, label, '--label')),
      ...(flags.window && { windows: windowsOf(flags.window) }),
      ...(flags.grant && { grants: flags.grant.map((one) => word(grant, one, '--grant')) }),
    },
  };
  const version = flags.version === undefined ? await nextVersion(flags, board) : wholeNumber(flags.version, '--version', 1);
  const document = makeBinding(nodeCrypto, owner, { ...terms, version });
  if (flags.out === undefined) await openClient(flags).ask('push', { body: document });
  else writeDocument(flags.out, document, false);
  const made = { ...terms, owner: fingerprint(nodeCrypto, owner.publicKey), version, file: flags.out ?? null };
  emit(
    flags,
    made,
    () => `board ${board} is bound to owner ${made.owner}, version ${version}${flags.out === undefined ? '' : `: push ${flags.out}`}`,
  );
};

export const register = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'boards with what they offer',
      examples: ['board list', 'board list --json'],
      gives: { keys: keysOf.board, list: true },
    }),
  ).action(list);
  addToken(
    addVerb(noun, {
      usage: 'claim',
      says: 'make a one-time claim that pairs a board for its owner',
      examples: ['board claim --owner-key owner.key --token-file husum/admin.token', 'board claim --owner ID'],
      gives: { keys: ['claim', 'validMs', 'owner'] },
    }),
  )
    .option('--owner <id>', 'whose board it will be')
    .option('--owner-key <file>', 'the same, by its key file')
    .action(claim);
  addApi(
    addVerb(noun, {
      usage: 'bind',
      says: 'sign whom a board pays and at which rates, and push it',
      examples: [
        'board bind --board ID --owner-key owner.key --payee "DE02 1203 0000 0000 2020 51" --currency EUR --rate wallHour=0.002 cpuSecond=20n',
        'board bind --board ID --owner-key owner.key --payee me --currency XTS --version 2 --out binding-2.cose',
      ],
      gives: { keys: ['board', 'payee', 'currency', 'rates', 'policy', 'owner', 'version', 'file'] },
    }),
  )
    .requiredOption('--board <id>', 'which board')
    .requiredOption('--owner-key <file>', "the owner's key file")
    .requiredOption('--payee <text>', 'whom to pay, e.g. an IBAN')
    .requiredOption('--currency <code>', 'three letters; XTS is for testing and never paid')
    .option(
      '--rate <rate...>',
      'wallHour, cpuSecond, memoryMibHour, netMib, diskMib, dataMibHour = an amount such as 0.002 or 20n; free if not named',
    )
    .option('--partitions <number>', 'how many partitions may be used at most')
    .option('--label <name...>', 'a label')
    .option(
      '--grant <name...>',
      'what instances may be given besides, if the board offers it: internet, lan, gpio, i2c, spi, serial, camera, 1wire, usb:VENDOR:PRODUCT',
    )
    .option(
      '--window <time...>',
      'when instances may be taken from one release to another, e.g. 01:00-04:30 (UTC); at any time if not given',
    )
    .option('--version <number>', 'rises with every binding of the board; by default the next one')
    .option('--out <file>', 'write the signed binding instead of pushing it')
    .action(bind);
  registerUpdate(noun);
  registerNeighbours(noun);
};
