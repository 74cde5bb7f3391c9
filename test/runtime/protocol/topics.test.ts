/** The topic table and who may use it. */
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { type Direction, mayUse, type Party, parseTopic, TOPICS, type TopicName, topicOf } from '../../../runtime/protocol/topics.ts';

const me = 'a'.repeat(32);
const other = 'b'.repeat(32);
const names = Object.keys(TOPICS) as TopicName[];
const parties: Party[] = ['board', 'tenant'];
const directions: Direction[] = ['up', 'down'];

/** Every topic against every client: who publishes what, who hears what. Written out, so that a change of the table is seen. */
const MAY: Record<`${Party} ${Direction}`, TopicName[]> = {
  'board up': ['bring', 'hello', 'gone', 'report', 'shared', 'usage', 'want', 'doubt', 'renew', 'log'],
  'board down': ['now', 'desired', 'chunk', 'ack', 'grant', 'tail'],
  'tenant up': ['push', 'watch'],
  'tenant down': ['answer', 'lines'],
};

describe('mayUse', () => {
  test.each(parties.flatMap((party) => directions.map((direction): [Party, Direction] => [party, direction])))(
    '%s, %s',
    (party, direction) => {
      const allowed = names.filter((name) => mayUse(party, me, topicOf(name, me), direction));
      expect(allowed.sort()).toEqual([...MAY[`${party} ${direction}`]].sort());
      expect(names.filter((name) => mayUse(party, other, topicOf(name, me), direction))).toEqual([]);
    },
  );

  test.each([
    '',
    '#',
    '+',
    '$SYS/#',
    'lichen/1/b/#',
    `lichen/1/b/${me}/#`,
    `lichen/1/b/${me}/+`,
    'lichen/1/b/+/hello',
    `lichen/1/b/${me}`,
    `lichen/1/b/${me}/`,
    `/lichen/1/b/${me}/hello`,
    `lichen/1/b/${me}/hello/`,
    `lichen/2/b/${me}/hello`,
    `lichen/1/t/${me}/hello`,
    `lichen/1/b/${me}/push`,
    `lichen/1/b/${me.toUpperCase()}/hello`,
    `lichen/1/b/${me}a/hello`,
    `lichen/1/b/${me}/hello\n`,
    `lichen/1/b/${me}/toString`,
    `lichen/1/b/${me}/__proto__`,
    `$share/g/lichen/1/b/${me}/now`,
  ])('nobody uses %j', (address) => {
    expect(parseTopic(address)).toBeNull();
    for (const party of parties) for (const direction of directions) expect(mayUse(party, me, address, direction)).toBe(false);
  });
});

describe('the table', () => {
  test.each(names)('%s reads back as it is written', (name) => {
    expect(parseTopic(topicOf(name, me))).toEqual({ topic: name, party: TOPICS[name].party, id: me });
  });

  test('lets no payload be longer than a packet', () => {
    for (const name of names) expect(TOPICS[name].maxBytes).toBeLessThanOrEqual(LIMITS.packetBytes);
    expect(LIMITS.payloadBytes + 9 + topicOf('desired', me).length).toBeLessThanOrEqual(LIMITS.packetBytes);
  });
});
