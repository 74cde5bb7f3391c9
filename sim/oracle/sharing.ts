/**
 * What goes from board to board beside all gateways: no board takes part whose owner had told it not to, and nothing is written as
 * part of a release that is of none. An owner's word has reached a board when its document was heard there.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { chunk } from '../../runtime/protocol/nouns/messages.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { orNull } from './archive.ts';
import type { Court } from './court.ts';

/** From the word's arrival until it is on the card, however slow that is, and what is under way has ended. */
const HEED_MS = 60_000;

export interface Sharing {
  signed(document: Bytes): void;
  heardDown(atMs: number, board: string, topic: string, payload: Bytes): void;
  /** Its card forgot something. */
  forgot(board: string): void;
  passed(atMs: number, from: string, to: string): void;
  placed(atMs: number, board: string, piece: string): void;
}

export const openSharing = (court: Court): Sharing => {
  const { crypto, docket } = court;
  /** Hex of a document's hash → what an owner says in it. */
  const words = new Map<string, Upkeep>();
  /** Board → the newest that it heard, and when. */
  const heard = new Map<string, { word: Upkeep; atMs: number }>();
  const examine = (atMs: number, board: string, other: string): void => {
    const told = heard.get(board);
    if (told?.word.neighbours !== false || atMs - told.atMs < HEED_MS) return;
    docket.accuse('shared-against-owner', atMs, board, `content went between ${board} and ${other}; its owner had said no`);
  };
  return {
    signed: (document) => {
      const opened = orNull(() => unseal(crypto, upkeepNoun, document));
      if (opened?.value.neighbours !== undefined) words.set(hex(opened.hash), opened.value);
    },
    heardDown: (atMs, board, topic, payload) => {
      if (words.size === 0 || topic !== 'chunk' || payload.length > LIMITS.documentBytes) return;
      const came = orNull(() => decodeAs(chunk, payload, 'chunk'));
      const word = came === null || came.bytes === null ? undefined : words.get(hex(came.hash));
      const before = heard.get(board)?.word.version ?? 0;
      if (word !== undefined && word.board === board && word.version > before) heard.set(board, { word, atMs });
    },
    forgot: (board) => void heard.delete(board),
    passed: (atMs, from, to) => {
      examine(atMs, from, to);
      examine(atMs, to, from);
    },
    placed: (atMs, board, piece) => docket.accuse('wrote-unsigned', atMs, board, `piece ${piece} is of no release`),
  };
};
