/** How long a gateway waits before it dials a peer again, on a clock that only the test moves. */
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fullJitterMs } from '../../../gateway/peers/backoff.ts';
import { PEER_TIMINGS, PeerLinks } from '../../../gateway/peers/links.ts';
import type { PeerEvent } from '../../../gateway/service/doors.ts';
import type { Dial } from '../../../runtime/adapters/tls.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import type { GatewayEntry } from '../../../runtime/protocol/nouns/trust.ts';
import type { Clock } from '../../../runtime/turn/clock.ts';
import type { Entropy } from '../../../runtime/turn/entropy.ts';
import { someone } from '../broker/world.ts';

/** Draws `share` of whatever range is asked for. */
const drawing = (share: number): Entropy => ({
  bytes: (length) => {
    const drawn = new Uint8Array(length);
    new DataView(drawn.buffer).setUint32(0, Math.floor(share * (2 ** 32 - 1)));
    return drawn;
  },
});

class TestClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; call: () => void }[] = [];

  now = () => ({ wallMs: this.#nowMs, monoMs: this.#nowMs });

  after = (ms: number, call: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };

  soon = (call: () => void): void => void this.after(0, call);

  /** What is waited for. */
  get waitsMs(): number[] {
    return this.#timers.map(({ atMs }) => atMs - this.#nowMs);
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#nowMs = next.atMs;
      this.#timers = this.#timers.filter((one) => one !== next);
      next.call();
    }
    this.#nowMs = endMs;
  }
}

test('full jitter: anywhere from nothing to a bound that doubles up to its cap', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(200), (share, attempt) => {
      const waitMs = fullJitterMs(drawing(share), attempt, 500, 30_000);
      expect(Number.isSafeInteger(waitMs)).toBe(true);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThan(Math.min(30_000, 500 * 2 ** attempt));
    }),
  );
  expect([0, 1, 2, 5, 6, 200].map((attempt) => fullJitterMs(drawing(1), attempt, 500, 30_000))).toEqual([
    499, 999, 1999, 15_999, 29_999, 29_999,
  ]);
  expect(fullJitterMs(drawing(0), 9, 500, 30_000)).toBe(0);
});

describe('dialling', () => {
  const [self, peer] = [someone(1), someone(2)].sort((a, b) => (a.id < b.id ? -1 : 1));
  const entry: GatewayEntry = {
    gateway: peer!.id as GatewayEntry['gateway'],
    key: peer!.signer.publicKey,
    name: 'p',
    region: 'eu',
    address: 'p:1',
  };

  const setUp = (share: number) => {
    const clock = new TestClock();
    const events: PeerEvent[] = [];
    const dialled: { address: string; answer: Parameters<Dial>[1]; undone: boolean }[] = [];
    const dial: Dial = ({ address }, answer) => {
      const one = { address, answer, undone: false };
      dialled.push(one);
      return () => {
        one.undone = true;
      };
    };
    const links = new PeerLinks({
      identity: self!,
      gatekeeper: () => ({ id: peer!.id }),
      listener: (event) => events.push(event),
      dial,
      clock,
      entropy: drawing(share),
      note: () => {},
      prefix: 'x-',
      timings: PEER_TIMINGS,
    });
    return { clock, events, dialled, links };
  };
  const refused = new LichenError('unavailable', 'refused');

  test('waits longer after each failure, never forgets, and starts anew after a link that held', async () => {
    const { clock, dialled, links, events } = setUp(1);
    links.reach([entry]);
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      dialled.at(-1)!.answer(refused);
      const [waitMs = -1] = clock.waitsMs;
      waits.push(waitMs);
      clock.pass(waitMs - 1);
      expect(dialled).toHaveLength(i + 1);
      clock.pass(1);
    }
    expect(waits).toEqual([499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999]);
    const [near, far] = duplexPair();
    dialled.at(-1)!.answer({ stream: near, exporter: new Uint8Array(32) });
    expect(events).toEqual([{ kind: 'peer-up', session: 'x-p1', gateway: peer!.id }]);
    far.resume();
    // It holds for as long as silence would have ended it, beating both ways.
    for (let i = 0; i < 6; i++) {
      far.write(Buffer.alloc(4));
      await new Promise((resolve) => setImmediate(resolve));
      clock.pass(1000);
    }
    far.destroy();
    await new Promise((resolve) => near.once('close', resolve));
    expect(events.at(-1)).toEqual({ kind: 'peer-down', session: 'x-p1', gateway: peer!.id });
    expect(clock.waitsMs).toEqual([499]);
    links.close();
    expect(clock.waitsMs).toEqual([]);
  });

  test('a link that breaks at once is not dialled in a tight circle', async () => {
    const { clock, dialled, links } = setUp(1);
    links.reach([entry]);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const [near, far] = duplexPair();
      dialled.at(-1)!.answer({ stream: near, exporter: new Uint8Array(32) });
      far.destroy();
      await new Promise((resolve) => near.once('close', resolve));
      const [waitMs = -1] = clock.waitsMs;
      waits.push(waitMs);
      clock.pass(waitMs);
    }
    expect(waits).toEqual([499, 999, 1999, 3999]);
    links.close();
  });

  test('silence ends a link five seconds after the last byte', () => {
    const { clock, dialled, links, events } = setUp(1);
    links.reach([entry]);
    const [near] = duplexPair();
    dialled.at(-1)!.answer({ stream: near, exporter: new Uint8Array(32) });
    clock.pass(4999);
    expect(events.map(({ kind }) => kind)).toEqual(['peer-up']);
    clock.pass(1);
    expect(events.map(({ kind }) => kind)).toEqual(['peer-up', 'peer-down']);
    expect(near.destroyed).toBe(true);
    links.close();
  });

  test('a peer that moved is dialled where it is now; what was under way is undone', () => {
    const { dialled, links } = setUp(1);
    links.reach([entry]);
    links.reach([{ ...entry, address: 'p:2' }]);
    expect(dialled.map(({ address, undone }) => [address, undone])).toEqual([
      ['p:1', true],
      ['p:2', false],
    ]);
    const [near] = duplexPair();
    dialled[0]!.answer({ stream: near, exporter: new Uint8Array(32) });
    expect(near.destroyed).toBe(true);
    links.close();
    expect(dialled[1]!.undone).toBe(true);
  });

  test('the larger id does not dial, and nobody dials itself', () => {
    const { dialled, links } = setUp(0);
    const smallest = '2'.repeat(32) as GatewayEntry['gateway'];
    links.reach([
      { ...entry, gateway: smallest },
      { ...entry, gateway: self!.id as GatewayEntry['gateway'] },
    ]);
    expect(dialled).toEqual([]);
    links.close();
  });
});
