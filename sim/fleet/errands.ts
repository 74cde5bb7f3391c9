/**
 * What people do at their gateways: push documents and content, make claims, pair boards. They go to one gateway after
 * the other until one takes everything, as a person with a command line would, and begin anew when one dies meanwhile.
 */
import type { ApiAnswer } from '../../gateway/service/events.ts';
import type { DecidedCall } from '../../runtime/protocol/api.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { VirtualGateway } from './gateway.ts';

/** One step of an errand: a call, made anew if the errand begins anew. */
export interface Step {
  call: DecidedCall;
  body: Bytes | unknown;
  /** What a step before it answered may be needed by one that follows. */
  next?: (answer: ApiAnswer, gateway: VirtualGateway) => Step[];
}

const PATIENCE_MS = 10_000;
const RETRY_MS = 5_000;
/** Days of trying; whoever has no gateway for so long gives up. */
const TRIES = 20_000;

/** What a gateway says to something it has already, or has something newer of. */
const SETTLED = new Set(['stale']);

export class Errands {
  readonly #clock: VirtualClock;
  readonly #gateways: VirtualGateway[];
  readonly #refused: (error: LichenError) => void;

  /** `refused` hears of what no gateway would take. */
  constructor(clock: VirtualClock, gateways: VirtualGateway[], refused: (error: LichenError) => void) {
    this.#clock = clock;
    this.#gateways = gateways;
    this.#refused = refused;
  }

  /** `first`: at which gateway to begin. */
  run(steps: () => Step[], done: () => void = () => {}, first = 0, tries = 0): void {
    const running = this.#gateways.filter((gateway) => gateway.running);
    const gateway = running[(first + tries) % Math.max(1, running.length)];
    const again = (): void => {
      if (tries < TRIES) this.#clock.at(this.#clock.nowMs + RETRY_MS, () => this.run(steps, done, first, tries + 1));
    };
    if (gateway === undefined) return again();
    this.#go(gateway, steps(), done, again);
  }

  #go(gateway: VirtualGateway, steps: Step[], done: () => void, again: () => void): void {
    const [step, ...rest] = steps;
    if (step === undefined) return done();
    let over = false;
    const undo = this.#clock.at(this.#clock.nowMs + PATIENCE_MS, () => {
      over = true;
      again();
    });
    const answered = (answer: ApiAnswer | LichenError): void => {
      if (over) return;
      over = true;
      undo();
      if (answer instanceof LichenError && !SETTLED.has(answer.code)) {
        this.#refused(answer);
        return again();
      }
      const more = answer instanceof LichenError ? [] : (step.next?.(answer, gateway) ?? []);
      this.#go(gateway, [...more, ...rest], done, again);
    };
    if (step.body instanceof Uint8Array) gateway.call(step.call, { body: step.body }, answered);
    else gateway.json(step.call, step.body, answered);
  }
}

export const push = (body: Bytes): Step => ({ call: 'push', body });

/** The manifest, and then whatever of its content the gateway asks for. */
export const pushRelease = (document: Bytes, content: Map<string, Bytes>): Step => {
  const missingOf = (answer: ApiAnswer): string[] => {
    const json = 'json' in answer ? answer.json : null;
    const missing = typeof json === 'object' && json !== null && 'missing' in json ? json.missing : [];
    return Array.isArray(missing) ? missing.map(String) : [];
  };
  const give = (answer: ApiAnswer): Step[] =>
    missingOf(answer).flatMap((hash) => {
      const body = content.get(hash);
      return body === undefined ? [] : [{ call: 'push', body, next: give } satisfies Step];
    });
  return { call: 'push', body: document, next: give };
};

export const admit = (role: string, key: Bytes, name: string): Step => ({ call: 'admit', body: { role, key: hex(key), name } });
