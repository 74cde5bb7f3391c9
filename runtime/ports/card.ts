/** The board's door to what its kernel tells of the card. It is only read: nothing here changes the card, or wears it. */
import type { CardHealth } from '../protocol/nouns/card.ts';

export interface CardEvent {
  kind: 'card-seen';
  /** Null: the data lie on no disk of their own, or on several. */
  card: CardHealth | null;
}

export interface Card {
  /** At once, then every `cardLookMs`. */
  watch(listener: (event: CardEvent) => void): void;
}
