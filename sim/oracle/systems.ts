/**
 * A board's own system: a board always starts from one of its two, whole, signed, and no sooner than its wave; one on trial stays only
 * when a gateway has welcomed it, and is given up in time otherwise.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import type { Offer } from '../../runtime/protocol/nouns/board.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { orNull } from './archive.ts';
import type { Court } from './court.ts';
import type { SystemStart } from './physics.ts';
import { type BoardCase, isContradictory, isStuck } from './scene.ts';

/** The guard of the image starts a board again whose system did not decide by then. */
const TRIAL_MOST_MS = 900_000;
/** By then all gateways know of a board and of its owner's word. */
const KNOWN_MS = 3_600_000;
const PPM = 1_000_000;

export interface Systems {
  signed(document: Bytes): void;
  heardHello(atMs: number, board: BoardCase, offer: Offer): void;
  started(atMs: number, board: BoardCase, start: SystemStart): void;
  slot(atMs: number, board: BoardCase, what: 'armed' | 'kept' | 'left'): void;
  /** Called before power changes, and at the end. */
  before(atMs: number, board: BoardCase): void;
}

/** What is known of a board's system. */
interface Held {
  board: BoardCase;
  /** Of which kind of image, and since when it says so. */
  kind: string;
  sinceMs: number;
  running: SystemStart | null;
  /** Releases that were ever started here. */
  started: Set<string>;
  /** Release → since when it stays. */
  kept: Map<string, number>;
}

export const openSystems = (court: Court): Systems => {
  const { crypto, limits, docket, archive } = court;
  const words = new Map<string, Upkeep>();
  const boards = new Map<string, Held>();
  const heldOf = (board: BoardCase): Held => {
    const fresh = { board, kind: '', sinceMs: Number.POSITIVE_INFINITY, running: null, started: new Set<string>(), kept: new Map() };
    const held = boards.get(board.id) ?? fresh;
    boards.set(board.id, held);
    return held;
  };
  const hasBaked = (atMs: number, board: string, release: string, bakeMs: number): boolean => {
    const keptMs = boards.get(board)?.kept.get(release);
    return keptMs !== undefined && atMs - keptMs >= bakeMs * (1 - limits.driftPpm / PPM) - limits.stepMs;
  };
  /** Boards of lower waves on which it has not done well for long enough, beyond those that may fail. */
  const lackingFor = (atMs: number, board: BoardCase, release: string): string[] => {
    const own = words.get(board.id);
    const { kind } = heldOf(board);
    if (own?.rollout === undefined) return [];
    const { wave } = own.rollout;
    const others = [...words.values()].flatMap(({ board, publisher, rollout }) => {
      const held = boards.get(board);
      // Of two boards with one card either may have shown it, in the name of both, and only one is looked at here.
      const isKnown = held !== undefined && held.kind === kind && atMs - held.sinceMs >= KNOWN_MS && !held.board.card.isCloned;
      return rollout !== undefined && rollout.wave < wave && publisher === own.publisher && isKnown ? [{ board, ...rollout }] : [];
    });
    const lacking = others.filter(({ board, bakeMs }) => !hasBaked(atMs, board, release, bakeMs));
    const tolerated = Math.min(own.rollout.tolerated, ...others.map((one) => one.tolerated));
    return lacking.length > tolerated ? lacking.map(({ board }) => board) : [];
  };
  const keeps = (atMs: number, held: Held): void => {
    if (held.running === null) return;
    const { release } = held.running;
    held.running = { ...held.running, onTrial: false };
    if (release !== null && !held.kept.has(release)) held.kept.set(release, atMs);
  };
  const before = (atMs: number, board: BoardCase): void => {
    const onTrial = boards.get(board.id)?.running?.onTrial === true;
    if (!onTrial || !board.isUp || board.isHung || isStuck(board) || isContradictory(board)) return;
    const openMs = atMs - Math.max(board.upMs, board.wokeMs, board.roomMs);
    if (openMs > TRIAL_MOST_MS)
      docket.accuse('trial-undecided', atMs, board.id, `a system has been on trial for ${openMs} ms, and was neither kept nor left`);
  };
  return {
    before,
    signed: (document) => {
      const word = orNull(() => unseal(crypto, upkeepNoun, document))?.value;
      if (word !== undefined && word.version >= (words.get(word.board)?.version ?? 0)) words.set(word.board, word);
    },
    heardHello: (atMs, board, { image }) => {
      if (image === undefined) return;
      const held = heldOf(board);
      held.kind = image.board;
      held.sinceMs = Math.min(held.sinceMs, atMs);
    },
    started: (atMs, board, start) => {
      const held = heldOf(board);
      const { release, isWhole, onTrial } = start;
      held.running = start;
      board.isParting = false;
      if (!isWhole)
        docket.accuse('started-half', atMs, board.id, `it was started from system ${release ?? 'as written'}, of which not all is there`);
      if (release === null) return;
      if (archive.manifest(release) === undefined)
        docket.accuse('ran-unsigned', atMs, board.id, `it was started from system ${release}, which no publisher signed`);
      const lacking = held.started.has(release) ? [] : lackingFor(atMs, board, release);
      if (lacking.length > 0)
        docket.accuse('wave-skipped', atMs, board.id, `system ${release} was started before it had baked on ${lacking.join(', ')}`);
      held.started.add(release);
      if (!onTrial) keeps(atMs, held);
    },
    slot: (atMs, board, what) => {
      const held = heldOf(board);
      before(atMs, board);
      if (what !== 'kept') {
        board.isParting = true;
        if (what === 'left' && held.running !== null) held.running = { ...held.running, onTrial: false };
        return;
      }
      const isWelcome = board.welcomeMs >= board.upMs;
      if (!isWelcome && !isContradictory(board))
        docket.accuse(
          'kept-unproven',
          atMs,
          board.id,
          `system ${held.running?.release ?? 'as written'} was kept before a gateway had welcomed it`,
        );
      keeps(atMs, held);
    },
  };
};
