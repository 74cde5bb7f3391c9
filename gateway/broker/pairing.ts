/**
 * `lichen-pair/1`: the board sends one frame, its signed `pairing`; the gateway answers with one frame and closes. The
 * document is the board's own (its signer is the key of the TLS certificate) and of this connection (it carries the
 * exporter), so that whoever sees one cannot use it. All of it has to be over within the door's deadline.
 */
import type { Duplex } from 'node:stream';
import { readFrames, writeFrame } from '../../runtime/adapters/frames.ts';
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError, LichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs, type Sealed, unseal } from '../../runtime/protocol/noun.ts';
import { type Pairing, pairingNoun } from '../../runtime/protocol/nouns/board.ts';
import { type PairAnswer, type Paired, pairAnswer } from '../../runtime/protocol/nouns/messages.ts';
import type { FrontEvent } from '../service/doors.ts';

export interface PairingOptions {
  crypto: Crypto;
  listener(event: FrontEvent): void;
  note(error: LichenError): void;
}

export class PairingDesk {
  readonly #options: PairingOptions;
  readonly #waiting = new Map<number, Duplex>();
  #receipt = 0;

  constructor(options: PairingOptions) {
    this.#options = options;
  }

  accept(stream: Duplex, key: Bytes, exporter: Bytes): void {
    let receipt: number | null = null;
    readFrames(stream, LIMITS.pairFrameBytes, {
      frame: (frame) => {
        if (receipt !== null) refuse('bad-schema', 'a second pairing on one connection');
        receipt = ++this.#receipt;
        this.#waiting.set(receipt, stream);
        try {
          const pairing = this.#open(frame, key, exporter);
          this.#options.listener({ kind: 'pairing', receipt, key, exporter, pairing });
        } catch (thrown) {
          this.answer(receipt, asLichenError(thrown));
        }
      },
      ended: (error) => {
        if (receipt !== null) this.#waiting.delete(receipt);
        if (error !== null) this.#options.note(error);
      },
    });
  }

  answer(receipt: number, result: Paired | LichenError): void {
    const stream = this.#waiting.get(receipt);
    if (stream === undefined) return;
    this.#waiting.delete(receipt);
    writeFrame(stream, encodeAs(pairAnswer, this.#answerOf(result), 'pair answer'));
    stream.end();
  }

  #open(frame: Bytes, key: Bytes, exporter: Bytes): Sealed<Pairing> {
    const pairing = unseal(this.#options.crypto, pairingNoun, frame);
    if (!equal(pairing.signer, key)) refuse('wrong-signer', 'the pairing is signed by another key than that of the connection');
    if (!equal(pairing.value.exporter, exporter)) refuse('replayed', 'the pairing carries the exporter of another connection');
    return pairing;
  }

  #answerOf(result: Paired | LichenError): PairAnswer {
    if (!(result instanceof LichenError)) return { kind: 'paired', paired: result };
    this.#options.note(result);
    const { code, why, next } = tell(result);
    return { kind: 'refused', refusal: { v: 1, code, why: why.slice(0, LIMITS.textBytes / 4), next } };
  }
}
