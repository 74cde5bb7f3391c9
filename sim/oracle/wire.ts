/** Promise 8: what is said keeps its limit and its schema. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, type Noun, unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, reportNoun, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { grantNoun, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import { ackNoun, desiredNoun, leaseNoun, nowNoun } from '../../runtime/protocol/nouns/lease.ts';
import { entrySchema, peerFrame } from '../../runtime/protocol/nouns/log.ts';
import { answer, bring, chunk, gone, usageBatch, want } from '../../runtime/protocol/nouns/messages.ts';
import { TOPICS } from '../../runtime/protocol/topics.ts';
import { believing } from './archive.ts';
import type { Court } from './court.ts';

export interface Wire {
  /** Looks at the size always and at the content now and then; `mustDecode`: the content is in doubt. */
  examine(atMs: number, from: string, topic: string, payload: Bytes, mustDecode: boolean): void;
}

/** What gateways say to each other goes by its kind: `peer entries`. */
const FRAMES = peerFrame.options.map(({ entries }) => entries.kind.literal);

/** Those that nobody has heard yet are all looked into. */
const FIRST = 16;
/** Of a frame's limit: what is so large holds much, and much of it is counted by its schema alone. */
const LARGE = LIMITS.peerFrameBytes / 8;

interface Topic {
  maxBytes: number;
  /** Beyond it all are looked into. */
  largeBytes: number;
  read: ((payload: Bytes) => unknown) | undefined;
  count: number;
}

export const openWire = (court: Court): Wire => {
  const trusting = believing(court.crypto);
  const signed =
    <T>(kind: Noun<T>) =>
    (payload: Bytes): T =>
      unseal(trusting, kind, payload).value;
  const readers: Record<string, (payload: Bytes) => unknown> = {
    hello: (payload) => unseal(trusting, homeNoun, signed(helloNoun)(payload).home),
    bring: (payload) => signed(leaseNoun)(decodeAs(bring, payload, 'bring').lease),
    gone: (payload) => decodeAs(gone, payload, 'gone'),
    report: signed(reportNoun),
    usage: (payload) => decodeAs(usageBatch, payload, 'usage').records.map(signed(usageNoun)),
    want: (payload) => decodeAs(want, payload, 'want'),
    now: signed(nowNoun),
    desired: (payload) => signed(desiredNoun)(payload).leases.map(({ lease }) => signed(leaseNoun)(lease)),
    chunk: (payload) => decodeAs(chunk, payload, 'chunk'),
    ack: signed(ackNoun),
    renew: signed(renewalNoun),
    grant: signed(grantNoun),
    answer: (payload) => decodeAs(answer, payload, 'answer'),
  };
  /** With what it carries: a receiver looks into that only when it takes it, one after the other. */
  const readFrame = (payload: Bytes): void => {
    const frame = decodeAs(peerFrame, payload, 'peer frame');
    if (frame.kind === 'entries') for (const entry of frame.entries) decodeAs(entrySchema, entry, 'entry');
    if (frame.kind === 'renew') readers.renew?.(frame.renewal);
    if (frame.kind === 'grant') readers.grant?.(frame.grant);
  };
  const topics = new Map<string, Topic>();
  for (const [name, { maxBytes }] of Object.entries(TOPICS))
    topics.set(name, { maxBytes, largeBytes: maxBytes, read: readers[name], count: 0 });
  for (const kind of FRAMES) topics.set(`peer ${kind}`, { maxBytes: LIMITS.peerFrameBytes, largeBytes: LARGE, read: readFrame, count: 0 });

  return {
    examine: (atMs, from, name, payload, mustDecode) => {
      const topic = topics.get(name);
      const who = `${from} ${name}`;
      if (topic === undefined) {
        court.docket.accuse('malformed-on-wire', atMs, who, `there is no topic ${name}`);
        return;
      }
      if (payload.length > topic.maxBytes)
        court.docket.accuse('too-large-on-wire', atMs, who, `${payload.length} bytes, the limit is ${topic.maxBytes}`);
      const count = topic.count++;
      const isDue = count < FIRST || count % court.limits.schemaEvery === 0;
      if (topic.read === undefined || !(mustDecode || isDue || payload.length > topic.largeBytes)) return;
      try {
        topic.read(payload);
      } catch (thrown) {
        if (!(thrown instanceof LichenError)) throw thrown;
        court.docket.accuse('malformed-on-wire', atMs, who, thrown.message);
      }
    },
  };
};
