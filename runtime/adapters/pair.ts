/** A board shows its claim to the gateway that the claim names, once, over a connection that the signed words are bound to. */
import type { Duplex } from 'node:stream';
import type { Bytes } from '../protocol/bytes.ts';
import { asLichenError, ERRORS, type ErrorCode, LichenError } from '../protocol/errors.ts';
import type { BoardId } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { decodeAs, seal } from '../protocol/noun.ts';
import { pairingNoun } from '../protocol/nouns/board.ts';
import { type Claim, type Paired, pairAnswer, type Refusal } from '../protocol/nouns/messages.ts';
import type { Identity } from './certificate.ts';
import { readFrames, writeFrame } from './frames.ts';
import { ALPN, type Dialled, dial } from './tls.ts';

export interface PairOptions {
  claim: Claim;
  identity: Identity;
  boardId: BoardId;
  /** For everything together. */
  timeoutMs: number;
}

const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERRORS, word);

const refusedBy = (refusal: Refusal): LichenError => {
  if (isErrorCode(refusal.code)) return new LichenError(refusal.code, refusal.why);
  return new LichenError('unavailable', `the gateway refuses: ${refusal.code}: ${refusal.why}`);
};

const read = (claim: Claim, frame: Bytes): Paired => {
  const answer = decodeAs(pairAnswer, frame, 'pair answer');
  if (answer.kind === 'refused') throw refusedBy(answer.refusal);
  if (answer.paired.gateway !== claim.gateway)
    throw new LichenError('pin-mismatch', `${answer.paired.gateway} answered for ${claim.gateway}`);
  return answer.paired;
};

/** Reads the one frame that answers. */
const answerOn = (stream: Duplex, claim: Claim): Promise<Paired> =>
  new Promise((resolve, reject) => {
    readFrames(stream, LIMITS.pairAnswerBytes, {
      frame: (frame) => {
        try {
          resolve(read(claim, frame));
        } catch (thrown) {
          reject(asLichenError(thrown));
        }
        stream.destroy();
      },
      ended: (error) => reject(error ?? new LichenError('unavailable', 'the gateway closed the connection without an answer')),
    });
  });

const dialled = ({ claim, identity, timeoutMs }: PairOptions): Promise<Dialled> =>
  new Promise((resolve, reject) => {
    const target = { address: claim.address, alpn: ALPN.pair, identity, expectKey: claim.key, timeoutMs };
    dial(target, (result) => (result instanceof LichenError ? reject(result) : resolve(result)));
  });

/**
 * Resolves with what the gateway says; whether its operators' documents are those of `claim.operator` is for the
 * caller to verify. Rejects with a `LichenError`: those of `dial`, whatever the gateway refuses with, `bad-schema`.
 */
export const pair = async (options: PairOptions): Promise<Paired> => {
  const { claim, identity, boardId, timeoutMs } = options;
  const startedMs = performance.now();
  const { stream, exporter } = await dialled(options);
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs));
  const timer = setTimeout(() => stream.destroy(), leftMs);
  try {
    const answered = answerOn(stream, claim);
    writeFrame(stream, seal(pairingNoun, { v: 1, board: boardId, token: claim.token, exporter }, identity.signer));
    return await answered;
  } finally {
    clearTimeout(timer);
  }
};
