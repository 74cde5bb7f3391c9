/** What of a card is news: that it gets worse, or was mended. Not each byte that it is written. */
import { type CardHealth, isShort } from '../protocol/nouns/card.ts';

const kindOf = (card: CardHealth | null): unknown[] =>
  card === null ? [] : [card.disk, card.wornPercent, card.spare, card.errors, card.readOnly, card.damaged, isShort(card)];

/** Whether both are the same to whoever looks after the board. */
export const isSameCard = (a: CardHealth | null, b: CardHealth | null): boolean => {
  const [one, other] = [kindOf(a), kindOf(b)];
  return one.length === other.length && one.every((part, i) => part === other[i]);
};
