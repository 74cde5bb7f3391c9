/** From a claim to a gateway: tried for as long as nobody answers, as a first start may come before the network does. */
import type { Identity } from '../adapters/certificate.ts';
import { pair } from '../adapters/pair.ts';
import { parseClaim } from '../protocol/claim.ts';
import { asLichenError } from '../protocol/errors.ts';
import type { BoardId } from '../protocol/ids.ts';
import type { Claim, Paired } from '../protocol/nouns/messages.ts';
import type { Clock } from '../turn/clock.ts';

interface Attempt {
  /** The line that `lichen board claim` prints. */
  line: string;
  /** Where else its gateway may be reached: by its key it is known at any address. */
  gateways: string[];
  identity: Identity;
  board: BoardId;
  clock: Clock;
  /** What came of one try. */
  say(text: string): void;
}

export interface Home {
  claim: Claim;
  paired: Paired;
  /** At which its gateway answered. */
  address: string;
}

/** A network that is just coming is found soon, and one that stays away is not asked all the time. */
const RETRY_MS = { first: 250, last: 5_000 };
const PATIENCE_MS = 10_000;

/** Only an answer ends the trying, silence does not. Rejects with what a gateway refuses with, and with `bad-schema`. */
const pairBy = async ({ line, gateways, identity, board, clock, say }: Attempt): Promise<Home> => {
  const claim = parseClaim(line);
  for (let retryMs = RETRY_MS.first; ; retryMs = Math.min(2 * retryMs, RETRY_MS.last)) {
    for (const address of new Set([claim.address, ...gateways])) {
      try {
        const paired = await pair({ claim: { ...claim, address }, identity, boardId: board, timeoutMs: PATIENCE_MS });
        return { claim, paired, address };
      } catch (thrown) {
        const error = asLichenError(thrown);
        if (error.code !== 'unavailable') throw error;
        say(error.message);
      }
    }
    await new Promise<void>((resolve) => clock.after(retryMs, resolve));
  }
};

/** One that goes on beside all else that a start does. */
export interface Pairing {
  home: Promise<Home>;
  /** It has found its home. */
  isOver(): boolean;
  /** What came of the newest try; empty before there was one. */
  said(): string;
}

export const beginPairing = (attempt: Omit<Attempt, 'say'>, journal: (line: string) => void): Pairing => {
  let [isOver, said] = [false, ''];
  const say = (text: string): void => {
    if (text !== said) journal(`pairing: ${text}`);
    said = text;
  };
  const home = pairBy({ ...attempt, say });
  // Whoever waits for it hears of it.
  home.then(
    () => {
      isOver = true;
    },
    () => undefined,
  );
  return { home, isOver: () => isOver, said: () => said };
};
