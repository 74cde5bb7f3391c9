/** What a store could not keep is told again, and a store that stays full does not cost more and more. */
import { expect, test } from 'vitest';
import type { Event } from '../../../runtime/agent/events.ts';
import { openRetelling } from '../../../runtime/agent/retell.ts';
import { manualClock } from '../../support/world.ts';

const message = (topic: 'desired' | 'ack' | 'chunk', mark: number): Event => ({ kind: 'message', topic, payload: Uint8Array.of(mark) });
const sampled = (): Event => ({ kind: 'sampled', counters: new Map() });

const cardSeen = (): Event => ({ kind: 'card-seen', card: null });

const opened = () => {
  const clock = manualClock();
  const said: { event: Event; atMs: number }[] = [];
  const failed = openRetelling({
    monoMs: () => clock.now().monoMs,
    after: (ms, call) => clock.after(ms, call),
    submit: (event) => said.push({ event, atMs: clock.now().monoMs }),
  });
  return { clock, said, failed, startMs: clock.now().monoMs };
};

test('the newest word of each kind is told again, once, with the moment at which it was true', () => {
  const { clock, said, failed, startMs } = opened();
  const exit: Event = { kind: 'exited', partition: 'a', exit: { code: 1, signal: null, oomKilled: false } };
  const samples = [sampled(), sampled()];
  const cards = [cardSeen(), cardSeen()];
  failed([message('desired', 1), samples[0]!, cards[0]!, { kind: 'tick' }, { kind: 'wake' }, message('chunk', 1)]);
  clock.pass(300);
  failed([exit, message('desired', 2), samples[1]!, cards[1]!, message('ack', 3)]);
  clock.pass(5000);
  const [stuck, ...told] = said.map(({ event }) => event);
  expect(stuck).toEqual({ kind: 'stuck', forMs: 1000 });
  expect(told).toEqual([{ ...exit, atMonoMs: startMs + 300 }, message('desired', 2), samples[1], cards[1], message('ack', 3)]);
});

test('a store that stays full is asked more and more seldom, and one that has had room is not', () => {
  const { clock, said, failed } = opened();
  for (let tries = 0; tries < 8; tries++) {
    failed([sampled()]);
    clock.pass(Math.min(1000 * 2 ** tries, 30_000) + 100);
  }
  const waits = said.flatMap(({ event }) => (event.kind === 'stuck' ? [event.forMs] : []));
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  clock.pass(300_000);
  failed([sampled()]);
  expect(said.at(-1)!.event).toEqual({ kind: 'stuck', forMs: 1000 });
});
