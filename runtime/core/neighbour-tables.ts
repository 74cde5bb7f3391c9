/** What a board knows of others on its network, while it fetches, and what it remembers of it. */
import * as v from 'valibot';
import { uint } from '../protocol/schema.ts';
import { table, volatileTable } from '../turn/table.ts';

/** One that has of the release which is being fetched, or fetches it, too. Chunks by their hashes, next ones from `…At` on. */
export interface Neighbour {
  whole: boolean;
  /** Left to it: it has them, or asks its gateway for them. */
  owed: readonly string[];
  owedAt: number;
  /** This board's own to ask for, of which it may have had some before this board came. */
  tried: readonly string[];
  triedAt: number;
  /** Chunk → when it was asked for. */
  inflight: ReadonlyMap<string, number>;
  /** Pieces that it owes and had not, one after the other. */
  vain: number;
  /** Not asked for what it owes before: it had nothing. */
  untilMonoMs: number;
  /** When it was seen, or last gave anything; and when it last answered at all. */
  gaveMonoMs: number;
  heardMonoMs: number;
}
export const neighbours = volatileTable<Neighbour>('neighbour');
/** Under which name others know this board, until it starts anew. */
export const names = volatileTable<string>('neighbour-name');
/** What it was last told to share, and when it last asked who has of which release. */
export const sharings = volatileTable<{ told: string }>('sharing');
export const askings = volatileTable<{ release: string; atMonoMs: number }>('asking');
/** Bytes of content that came from others on the network and did not come from a gateway. */
export const gains = table('gain', v.strictObject({ bytes: uint }));
/** Whether the board's owner lets it give to others on its network, and take from them; without a row, he does. */
export const allowances = table('neighbours-allowed', v.strictObject({ allowed: v.boolean() }));
