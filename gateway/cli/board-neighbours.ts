/** `lichen board neighbours`: whether a board takes releases from others on its own network, and gives them there. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { fromHex } from '../../runtime/protocol/bytes.ts';
import { type BoardId, fingerprint, type OwnerId } from '../../runtime/protocol/ids.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { boardId } from '../../runtime/protocol/schema.ts';
import type { Board } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addApi, addVerb } from './verbs.ts';
import { misused, word } from './words.ts';

interface NeighboursFlags extends ApiFlags, JsonFlag {
  board: string[];
  ownerKey: string;
}

/** A document is all of an owner's word: what else it says goes on. */
export const wordFor = (board: BoardId, owner: OwnerId, known: Board['upkeep'], neighbours: boolean): Upkeep => ({
  ...{ v: 1, board, owner, version: (known?.version ?? 0) + 1, publisher: known?.publisher ?? null, neighbours },
  ...(known?.release != null && { release: fromHex(known.release) }),
  ...(known?.rollout != null && { rollout: known.rollout }),
  ...(known?.windows != null && { windows: known.windows }),
});

const neighbours = async (said: string, flags: NeighboursFlags): Promise<void> => {
  if (said !== 'on' && said !== 'off') misused('on or off is needed');
  const boards = flags.board.map((one) => word(boardId, one, '--board'));
  const key = readKey(flags.ownerKey).signer;
  const owner = fingerprint<OwnerId>(nodeCrypto, key.publicKey);
  const known = await openClient(flags).ask('boards');
  const made = boards.map((board) => wordFor(board, owner, known.find((row) => row.board === board)?.upkeep ?? null, said === 'on'));
  for (const doc of made) await openClient(flags).ask('push', { body: seal(upkeepNoun, doc, key) });
  const told = made.map(({ board, version }) => ({ board, version }));
  const does = said === 'on' ? 'shares releases with others on its network' : 'gives nothing to its network and takes nothing from it';
  emit(flags, { owner, neighbours: said === 'on', boards: told }, () =>
    told.map(({ board, version }) => `board ${board} ${does}, version ${version}`).join('\n'),
  );
};

export const registerNeighbours = (noun: Command): void => {
  addApi(
    addVerb(noun, {
      usage: 'neighbours <on|off>',
      says: 'sign whether boards take releases from others on their own network and give them there, and push it; they do unless told otherwise',
      examples: ['board neighbours off --board ID --owner-key owner.key', 'board neighbours on --board ID ID --owner-key owner.key'],
      gives: { keys: ['owner', 'neighbours', 'boards'] },
    }),
  )
    .requiredOption('--board <id...>', 'which boards')
    .requiredOption('--owner-key <file>', "the owner's key file")
    .action(neighbours);
};
