/** What the judge says of content that goes from board to board. */
import { expect, test } from 'vitest';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId } from '../../../runtime/protocol/ids.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { chunk } from '../../../runtime/protocol/nouns/messages.ts';
import { type Upkeep, upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { createJudge } from '../../../sim/oracle/judge.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, OWNER } from '../../support/federation.ts';

const [ANNA, BERT] = [idOf<BoardId>('board 1'), idOf<BoardId>('board 2')];
const MINUTE = 60_000;

const word = (changes: Partial<Upkeep>): { document: Bytes; came: Bytes } => {
  const doc: Upkeep = { v: 1, board: ANNA, owner: OWNER, version: 1, publisher: null, ...changes };
  const document = seal(upkeepNoun, doc, keyOf('owner'));
  return { document, came: encodeAs(chunk, { v: 1, hash: hashOf(upkeepNoun, doc), bytes: document }, 'chunk') };
};

const found = (play: (judge: ReturnType<typeof createJudge>) => void): string[] => {
  const judge = createJudge({ crypto: testCrypto, limits: {} });
  play(judge);
  return judge.violations.map(({ code, who }) => `${code} ${who === ANNA ? 'anna' : 'bert'}`);
};
const heard = (judge: ReturnType<typeof createJudge>, atMs: number, changes: Partial<Upkeep>, to: string = ANNA): void => {
  const { document, came } = word(changes);
  judge.signed(document);
  judge.heard(atMs, 'gateway', to, 'chunk', came);
};

test('a board whose owner has said no neither gives nor takes', () => {
  const no = { neighbours: false };
  expect(found((judge) => judge.passed(2 * MINUTE, ANNA, BERT))).toEqual([]);
  for (const [from, to] of [[ANNA, BERT] as const, [BERT, ANNA] as const])
    expect(
      found((judge) => {
        heard(judge, 0, no);
        judge.passed(2 * MINUTE, from, to);
      }),
    ).toEqual(['shared-against-owner anna']);
});

test('it is forgiven what was under way, what it has not heard, what it forgot, and what its owner takes back', () => {
  const plays: ((judge: ReturnType<typeof createJudge>) => void)[] = [
    (judge) => {
      heard(judge, 0, { neighbours: false });
      judge.passed(1000, ANNA, BERT);
    },
    (judge) => {
      heard(judge, 0, { neighbours: false }, BERT);
      judge.passed(2 * MINUTE, ANNA, BERT);
    },
    (judge) => {
      heard(judge, 0, { neighbours: false });
      judge.cardFault(MINUTE, ANNA, 'lost-writes');
      judge.passed(2 * MINUTE, ANNA, BERT);
    },
    (judge) => {
      heard(judge, 0, { neighbours: false });
      heard(judge, MINUTE, { version: 2, neighbours: true });
      judge.passed(3 * MINUTE, ANNA, BERT);
    },
  ];
  for (const play of plays) expect(found(play)).toEqual([]);
});

test('a piece of no release is none that a board writes', () => {
  expect(found((judge) => judge.placed(0, ANNA, hex(new Uint8Array(32))))).toEqual(['wrote-unsigned anna']);
});
