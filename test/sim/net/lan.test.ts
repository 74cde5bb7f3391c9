/** The virtual network of boards keeps the contract of the real one; and what can be wrong with it is. */
import { expect, test } from 'vitest';
import type { Neighbours } from '../../../runtime/ports/neighbours.ts';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import { type LanHost, Lans } from '../../../sim/net/lan.ts';
import { neighboursContract, type Street } from '../../contract/neighbours.ts';
import { testCrypto } from '../../support/crypto.ts';
import { manualClock } from '../../support/world.ts';

const open = (): Street & { lans: Lans; passed: string[]; pass(ms: number): void } => {
  const clock = manualClock();
  const passed: string[] = [];
  const lans = new Lans((from, to, bytes) => passed.push(`${from} ${to} ${bytes.length}`));
  let count = 0;
  const pass = (ms: number): void => void clock.pass(ms);
  return {
    ...{ lans, passed, pass },
    board: (pieces: readonly Bytes[]): Neighbours => {
      const held = new Map(pieces.map((piece) => [hex(testCrypto.sha256(piece)), piece]));
      let alive = true;
      const host: LanHost = {
        at: `board ${++count}`,
        lan: 'street',
        nowMs: () => clock.now().monoMs,
        later: (ms, call) => void clock.after(ms, call),
        alive: () => alive,
        read: ({ chunk: [hash] }) => held.get(hex(hash)) ?? null,
      };
      const door = lans.attach(host);
      return {
        perform: door.perform,
        watch: door.watch,
        close: () => {
          alive = false;
          door.close();
        },
      };
    },
    until: (isSo) => {
      for (let i = 0; i < 1000 && !isSo(); i++) pass(10);
      if (!isSo()) throw new Error('it did not become so');
      return Promise.resolve();
    },
    settle: () => Promise.resolve(pass(1000)),
    close: () => undefined,
  };
};

neighboursContract('the virtual network', open);

const PIECE = new Uint8Array(1000).fill(5);
const [ANNA, BERT] = ['a1'.repeat(8), 'be'.repeat(8)];
const release = testCrypto.sha256(PIECE);

/** What Bert hears who asks Anna for a piece. */
const heard = (trouble: 'cut' | 'lies' | 'mute', at = 'board 1') => {
  const street = open();
  const [anna, bert] = [street.board([PIECE]), street.board([])];
  const events: string[] = [];
  bert.watch((event) => events.push(event.kind === 'neighbour-gave' ? hex(testCrypto.sha256(event.bytes ?? PIECE)) : event.kind));
  for (const [door, who] of [[anna, ANNA] as const, [bert, BERT] as const])
    door.perform({ kind: 'share', who, releases: [{ release, key: release, whole: who === ANNA }] });
  const ask = (): string[] => {
    bert.perform({ kind: 'look', release });
    bert.perform({
      kind: 'take',
      release,
      neighbour: ANNA,
      pieces: [{ file: { hash: release, executable: false }, offset: 0, chunk: [release, 1000] }],
    });
    street.pass(1000);
    return events.splice(0);
  };
  const end = street.lans.begin(at, trouble);
  const during = ask();
  end();
  return { during, after: ask(), passed: street.passed };
};
const WELL = ['neighbour-seen', hex(release)];

test.each(['cut', 'mute'] as const)('a board that is %s says nothing', (trouble) => {
  const { during, after, passed } = heard(trouble);
  expect([during, after, passed]).toEqual([[], WELL, ['board 1 board 2 1000']]);
});

test('who is cut off hears nothing either', () => expect(heard('cut', 'board 2').during).toEqual([]));

test('a liar gives something else, as long', () => {
  const { during, after, passed } = heard('lies');
  expect(during).toHaveLength(2);
  expect(during[1]).not.toBe(hex(release));
  expect([after, passed.length]).toEqual([WELL, 2]);
});

test('boards of another network hear nothing', () => {
  const street = open();
  const anna = street.board([PIECE]);
  const clock = manualClock();
  const events: string[] = [];
  const bert = street.lans.attach({
    ...{ at: 'elsewhere', lan: 'other', nowMs: () => 0, alive: () => true, read: () => null },
    later: (ms, call) => void clock.after(ms, call),
  });
  bert.watch(({ kind }) => events.push(kind));
  for (const [door, who] of [[anna, ANNA] as const, [bert, BERT] as const])
    door.perform({ kind: 'share', who, releases: [{ release, key: release, whole: true }] });
  bert.perform({ kind: 'look', release });
  clock.pass(1000);
  street.pass(1000);
  expect(events).toEqual([]);
});
