/** What boards say of their cards, in words: in short for a table, and what is to be done for the doctor. */
import { type CardHealth, isShort } from '../../runtime/protocol/nouns/card.ts';
import { plural, printableLine } from '../../runtime/protocol/printable.ts';
import type { Board } from './answers.ts';
import type { Check } from './machine.ts';

/** Of its life, from when on another one is planned for; what a card does beyond its end its maker does not say. */
const NEAR_PERCENT = 80;
const OVER_PERCENT = 100;

interface Trouble {
  state: 'lacks' | 'broken';
  /** In a table. */
  short: string;
  /** Goes on after "the card of board X". */
  says: string;
  fix: string;
}

const MOVE =
  'copy it while it can be read and never run both, or claim the board anew on another card; memory that is soldered on ends with its board.';
const CHANGE = `Change it: ${MOVE}`;
const PLAN = `Plan to change it: ${MOVE}`;
const AGAIN = 'Start the board anew, which mends what can be mended. If it comes again, change the card.';

const worn = (percent: number): Trouble[] =>
  percent < NEAR_PERCENT
    ? []
    : [
        {
          state: percent < OVER_PERCENT ? 'lacks' : 'broken',
          short: `${percent}% worn`,
          says: percent < OVER_PERCENT ? `has used up ${percent}% of its life` : 'is beyond the end of its life',
          fix: percent < OVER_PERCENT ? PLAN : CHANGE,
        },
      ];

const SPARE: Record<NonNullable<CardHealth['spare']>, Trouble[]> = {
  normal: [],
  low: [{ state: 'lacks', short: 'spare low', says: 'has used up 80% of what it keeps for blocks that wear out', fix: PLAN }],
  urgent: [{ state: 'broken', short: 'spare urgent', says: 'has used up 90% of what it keeps for blocks that wear out', fix: CHANGE }],
};

const erred = (errors: number, erredMs: number | undefined): Trouble[] =>
  errors === 0
    ? []
    : [
        {
          state: 'broken',
          short: plural(errors, 'error'),
          says: `has a file system that met ${plural(errors, 'error')} since it was last mended${erredMs === undefined ? '' : `, the last by its clock of then at ${new Date(erredMs).toISOString()}`}`,
          fix: AGAIN,
        },
      ];

/** The worst comes first. */
const troublesOf = (card: CardHealth): Trouble[] => [
  ...(card.readOnly ? [{ state: 'broken' as const, short: 'read-only', says: 'takes no writes any more', fix: AGAIN }] : []),
  ...(card.damaged === true
    ? [
        {
          state: 'broken' as const,
          short: 'damaged',
          says: 'has lost some of the system that runs, and there is no other one on it',
          fix: 'Give the board an update (`lichen board update`), or write the card anew. If it comes again, change the card.',
        },
      ]
    : []),
  ...erred(card.errors ?? 0, card.erredMs),
  ...SPARE[card.spare ?? 'normal'],
  ...worn(card.wornPercent ?? 0),
  ...(isShort(card)
    ? [
        {
          state: 'lacks' as const,
          short: 'full',
          says: `is full: ${card.freeMib} of ${card.sizeMib} MiB are left, and nothing more is fetched to it`,
          fix: 'End requests that nobody needs any more, or give the board a larger card.',
        },
      ]
    : []),
];

/** `-`: it says nothing of it. */
export const cardText = ({ card }: Pick<Board, 'card'>): string => {
  if (card === null) return '-';
  const troubles = troublesOf(card).map(({ short }) => short);
  if (troubles.length > 0) return troubles.join(', ');
  return card.wornPercent === undefined ? `${card.freeMib} MiB free` : `${card.wornPercent}% worn`;
};

export const judgeCard = ({ board, card }: Pick<Board, 'board' | 'card'>): Check[] =>
  card === null
    ? []
    : troublesOf(card).map(({ state, says, fix }) => ({
        ...{ name: 'card', state, fix },
        says: `the card of board ${board} (${printableLine([card.disk, card.says].filter((word) => word !== '').join(', '))}) ${says}`,
      }));
