/**
 * A folder that carries what boards and their gateway say to each other, where no network does (docs/spec/stick.md). What is
 * in it is as it would be on a wire, signed or named by its hash; names say only where to look.
 */
import { boardId, takes } from './schema.ts';
import { TOPICS, type TopicName } from './topics.ts';

/** Below the folder that is given, beside whatever else is on a stick. */
export const STICK_FOLDER = 'lichen';
/** One line: the id of the gateway that answers. */
export const GATEWAY_FILE = 'gateway';
export const BOARDS_FOLDER = 'boards';
export const CONTENT_FOLDER = 'content';
/** For people, beside what a board says. */
export const STATUS_FILE = 'status.json';

export type Way = 'up' | 'down';

/** From one board to its gateway, or back. */
export const framesFolder = (board: string, way: Way): string => `${BOARDS_FOLDER}/${board}/${way}`;

const DIGITS = 6;

/** In the order in which it is said. */
export const frameName = (at: number, topic: TopicName): string => `${String(at).padStart(DIGITS, '0')}-${topic}`;

const isTopic = (word: string): word is TopicName => Object.hasOwn(TOPICS, word);

/** A word that boards say, or hear. */
export const isWord = (word: string, way: Way): word is TopicName =>
  isTopic(word) && TOPICS[word].party === 'board' && TOPICS[word].direction === way;

/** Null: no name of a message that goes this way. */
export const topicOfName = (name: string, way: Way): TopicName | null => {
  const word = /^[0-9]{6}-([a-z]+)$/.exec(name)?.[1] ?? '';
  return isWord(word, way) ? word : null;
};

export const isBoardName = (name: string): boolean => takes(boardId, name) !== null;
