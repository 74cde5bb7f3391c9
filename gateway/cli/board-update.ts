/** `lichen board update`: an owner's standing word on the system of a board, and what the board says came of it. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { fromHex } from '../../runtime/protocol/bytes.ts';
import { fingerprint, type OwnerId } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { boardId, publisherId } from '../../runtime/protocol/schema.ts';
import type { Board } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { writeDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { brief, emit, type JsonFlag } from './output.ts';
import { addApi, addVerb } from './verbs.ts';
import { misused, wholeNumber, word } from './words.ts';

interface UpdateFlags extends ApiFlags, JsonFlag {
  board: string;
  ownerKey: string;
  publisher?: string;
  release?: string;
  end?: boolean;
  version?: string;
  out?: string;
}

const HASH = /^[0-9a-f]{64}$/;

/** One line for people: what runs, and what became of the newest update. */
export const systemText = ({ system, runtime }: Pick<Board, 'system' | 'runtime'>): string =>
  system === null
    ? '-'
    : [partText(system, ''), runtime === null ? '' : partText(runtime, 'runtime ')].filter((text) => text !== '').join('; ');

const partText = ({ slot, release, update }: NonNullable<Board['system']>, what: string): string => {
  const isPlain = update === null || (update.phase === 'kept' && update.release === release);
  // The runtime that came with the system is no news.
  if (what !== '' && isPlain && release === null) return '';
  const runs = `${what}${slot}:${release === null ? 'card' : brief(release)}`;
  return isPlain ? runs : `${runs}, ${brief(update.release)} ${update.phase}${update.detail === '' ? '' : ` (${update.detail})`}`;
};

/** One above what the gateway knows. */
const nextVersion = async (flags: UpdateFlags, board: string): Promise<number> => {
  const known = (await openClient(flags).ask('boards')).find((row) => row.board === board);
  return (known?.upkeep?.version ?? 0) + 1;
};

const update = async (flags: UpdateFlags): Promise<void> => {
  const { release, end = false } = flags;
  if ((flags.publisher === undefined) !== end) misused('either --publisher ID, whose images the board is given, or --end is needed');
  if (release !== undefined && (end || !HASH.test(release))) misused('--release is the hash of an image release, 64 digits of hex');
  const board = word(boardId, flags.board, '--board');
  const owner = readKey(flags.ownerKey).signer;
  const publisher = flags.publisher === undefined ? null : word(publisherId, flags.publisher, '--publisher');
  const version = flags.version === undefined ? await nextVersion(flags, board) : wholeNumber(flags.version, '--version', 1);
  const doc: Upkeep = {
    ...{ v: 1, board, owner: fingerprint<OwnerId>(nodeCrypto, owner.publicKey), version, publisher },
    ...(release !== undefined && { release: fromHex(release) }),
  };
  const document = seal(upkeepNoun, doc, owner);
  if (flags.out === undefined) await openClient(flags).ask('push', { body: document });
  else writeDocument(flags.out, document, false);
  const made = { board, owner: doc.owner, version, publisher, release: release ?? null, file: flags.out ?? null };
  const follows =
    publisher === null ? 'keeps its system as it is' : `follows ${release === undefined ? `publisher ${publisher}` : release}`;
  emit(flags, made, () => `board ${board} ${follows}, version ${version}${flags.out === undefined ? '' : `: push ${flags.out}`}`);
};

export const registerUpdate = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'update',
      says: 'sign whose images a board is given as its system, and push it; `board list` says what came of it',
      examples: [
        'board update --board ID --owner-key owner.key --publisher ID',
        'board update --board ID --owner-key owner.key --publisher ID --release HEX',
        'board update --board ID --owner-key owner.key --end',
      ],
      gives: { keys: ['board', 'owner', 'version', 'publisher', 'release', 'file'] },
    }),
  )
    .requiredOption('--board <id>', 'which board')
    .requiredOption('--owner-key <file>', "the owner's key file")
    .option('--publisher <id>', 'whose images; the newest for this kind of board, from now on')
    .option('--release <hex>', 'this one and no other; the same again has one that failed tried again')
    .option('--end', 'its system stays as it is')
    .option('--version <number>', 'rises with every such word on the board; by default the next one')
    .option('--out <file>', 'write the signed document instead of pushing it')
    .action(update);
};
