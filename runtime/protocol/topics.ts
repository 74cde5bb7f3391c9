/**
 * The topic table: one row a topic; encoder, decoder, broker ACL and docs come from it. MQTT 3.1.1, no retained
 * messages, no wildcards for boards, clean sessions: MQTT carries, the store remembers.
 */
import { LIMITS } from './limits.ts';

export type Party = 'board' | 'tenant';
export type Direction = 'up' | 'down';

interface Topic {
  party: Party;
  /** `up`: the client publishes; `down`: it subscribes. */
  direction: Direction;
  qos: 0 | 1;
  /** Of the payload; the packet with its headers has a limit of its own beside it. */
  maxBytes: number;
  /** Who signs the payload; null: nobody, the session vouches. */
  signer: 'board' | 'gateway' | 'tenant' | 'anyone' | null;
  says: string;
}

export const TOPICS = {
  hello: {
    party: 'board',
    direction: 'up',
    qos: 1,
    maxBytes: LIMITS.helloBytes,
    signer: 'board',
    says: 'who I am, what I offer, where my usage chain ends',
  },
  bring: {
    party: 'board',
    direction: 'up',
    qos: 1,
    maxBytes: 4 * LIMITS.documentBytes,
    signer: 'anyone',
    says: 'before a hello: a lease that its home may not know, and what that was given upon',
  },
  gone: { party: 'board', direction: 'up', qos: 1, maxBytes: 64, signer: null, says: 'last will' },
  report: { party: 'board', direction: 'up', qos: 1, maxBytes: LIMITS.packetBytes, signer: 'board', says: 'state of every instance' },
  shared: {
    party: 'board',
    direction: 'up',
    qos: 1,
    maxBytes: LIMITS.packetBytes,
    signer: 'board',
    says: 'what a shared instance says to each whom it serves',
  },
  usage: {
    party: 'board',
    direction: 'up',
    qos: 1,
    maxBytes: LIMITS.usageBatchBytes,
    signer: 'board',
    says: 'usage records, oldest first',
  },
  want: {
    party: 'board',
    direction: 'up',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: null,
    says: 'documents and chunks wanted, by hash',
  },
  doubt: {
    party: 'board',
    direction: 'up',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: null,
    says: 'documents and chunks that came and were something else, by hash',
  },
  renew: {
    party: 'board',
    direction: 'up',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: 'board',
    says: 'guarded leases that are to be renewed',
  },
  log: {
    party: 'board',
    direction: 'up',
    qos: 0,
    maxBytes: LIMITS.packetBytes,
    signer: null,
    says: 'part of a log, sealed to who asked for it',
  },
  now: {
    party: 'board',
    direction: 'down',
    qos: 1,
    maxBytes: LIMITS.packetBytes,
    signer: 'gateway',
    says: 'answer to hello: time, version, what is known',
  },
  desired: {
    party: 'board',
    direction: 'down',
    qos: 1,
    maxBytes: LIMITS.packetBytes,
    signer: 'gateway',
    says: 'all that this board is to run',
  },
  chunk: { party: 'board', direction: 'down', qos: 0, maxBytes: LIMITS.packetBytes, signer: null, says: 'one document or chunk' },
  ack: {
    party: 'board',
    direction: 'down',
    qos: 1,
    maxBytes: LIMITS.documentBytes,
    signer: 'gateway',
    says: 'usage stored and replicated',
  },
  grant: {
    party: 'board',
    direction: 'down',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: 'gateway',
    says: 'which of them one guardian renews',
  },
  tail: {
    party: 'board',
    direction: 'down',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: 'tenant',
    says: 'which part of a log its tenant wants',
  },
  push: {
    party: 'tenant',
    direction: 'up',
    qos: 1,
    maxBytes: LIMITS.packetBytes,
    signer: 'anyone',
    says: 'a signed document, or a piece of a release',
  },
  watch: {
    party: 'tenant',
    direction: 'up',
    qos: 0,
    maxBytes: LIMITS.documentBytes,
    signer: 'tenant',
    says: 'which part of a log is wanted',
  },
  lines: { party: 'tenant', direction: 'down', qos: 0, maxBytes: LIMITS.packetBytes, signer: null, says: 'that part, or why not' },
  answer: { party: 'tenant', direction: 'down', qos: 1, maxBytes: LIMITS.packetBytes, signer: null, says: 'what became of a push' },
} as const satisfies Record<string, Topic>;

export type TopicName = keyof typeof TOPICS;

const LETTER = { board: 'b', tenant: 't' } as const;

/** `lichen/1/b/<board>/hello` */
export const topicOf = (topic: TopicName, id: string): string => `lichen/1/${LETTER[TOPICS[topic].party]}/${id}/${topic}`;

export interface Address {
  topic: TopicName;
  party: Party;
  id: string;
}

/** Null for whatever is not exactly a topic of the table. */
export const parseTopic = (address: string): Address | null => {
  const match = /^lichen\/1\/([bt])\/([a-z2-7]{32})\/([a-z]+)$/.exec(address);
  if (match === null) return null;
  const [, letter, id = '', word = ''] = match;
  const topic = (Object.keys(TOPICS) as TopicName[]).find((name) => name === word);
  return topic !== undefined && LETTER[TOPICS[topic].party] === letter ? { topic, party: TOPICS[topic].party, id } : null;
};

/** Whether a client may use an address in a direction: only its own, only its side's. */
export const mayUse = (party: Party, id: string, address: string, direction: Direction): boolean => {
  const parsed = parseTopic(address);
  return parsed !== null && parsed.party === party && parsed.id === id && TOPICS[parsed.topic].direction === direction;
};
