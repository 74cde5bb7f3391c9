/** One life of a machine, and the connections that end with it. */
import type { Identity } from '../../runtime/adapters/certificate.ts';
import type { Alpn } from '../../runtime/adapters/tls.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Machine } from './doors.ts';
import type { Host, PipeEnd } from './pipe.ts';

/** Certificates are TLS's affair, and there is none. */
export const identityOf = ({ id, signer }: Machine): Identity => ({ id, signer, certificatePem: '', privateKeyPem: '' });

export interface Visitor {
  stream: PipeEnd;
  /** As TLS would have shown it. */
  key: Bytes;
  alpn: Alpn;
}

export class Life {
  readonly at: string;
  readonly key: Bytes;
  readonly host: Host;
  readonly #machine: Machine;
  readonly #held = new Set<PipeEnd>();
  #isOver = false;
  #isOn = true;

  /** `answers`: a kernel runs there, be it in another life. */
  constructor(machine: Machine, answers: (at: string) => boolean) {
    this.at = machine.at;
    this.key = machine.signer.publicKey;
    this.host = { at: machine.at, answers: () => answers(machine.at) };
    this.#machine = machine;
  }

  isAlive(): boolean {
    return !this.#isOver && this.#machine.alive();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The kernel runs, whatever became of the process. */
  get isOn(): boolean {
    return this.#isOn;
  }

  hold(end: PipeEnd): void {
    this.#held.add(end);
    end.once('close', () => this.#held.delete(end));
  }

  /** A process that was killed may lose its machine later. */
  end(how: 'gone' | 'killed'): void {
    if (how === 'gone') this.#isOn = false;
    this.#isOver = true;
    for (const end of [...this.#held]) {
      if (how === 'gone') end.vanish();
      else end.kill();
    }
  }
}

export class GatewayLife extends Life {
  /** Who has come through the handshake. */
  accept: (visitor: Visitor) => void = ({ stream }) => stream.destroy();
}
