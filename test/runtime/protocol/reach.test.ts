import { describe, expect, test } from 'vitest';
import {
  checkChoices,
  grantsOf,
  type NetworkWish,
  needsOf,
  networkSchema,
  publishedOf,
  targetsOf,
} from '../../../runtime/protocol/nouns/reach.ts';
import { parse } from '../../../runtime/protocol/schema.ts';

const NONE: NetworkWish = { outbound: [], dns: false, links: [], publish: [] };
const to = (...destinations: string[]): { network: NetworkWish } => ({
  network: { ...NONE, outbound: destinations.map((destination) => ({ to: destination, port: 443, protocol: 'tcp' })) },
});
const SERVER: { network: NetworkWish } = {
  network: {
    ...NONE,
    links: [
      { name: 'db', port: 5432, protocol: 'tcp' },
      { name: 'cache', port: 6379, protocol: 'tcp' },
    ],
    publish: [
      { name: 'web', port: 80, protocol: 'tcp' },
      { name: 'time', port: 123, protocol: 'udp' },
    ],
  },
};

describe('what a release needs', () => {
  test('is nothing when it says nothing, or only publishes', () => {
    expect(needsOf({})).toEqual([]);
    expect(needsOf({ network: { ...NONE, publish: SERVER.network.publish }, devices: [] })).toEqual([]);
  });

  test.each([
    ['internet', ['internet']],
    ['example.org', ['internet']],
    ['9.9.9.9', ['internet']],
    ['192.168.1.0/24', ['lan']],
    ['fd00::/8', ['lan']],
    // The board's own loopback is not the Internet either; that it is reached by nobody is the engine's affair.
    ['127.0.0.1', ['lan']],
    ['0.0.0.0/0', ['internet', 'lan']],
    ['::/0', ['internet', 'lan']],
    ['8.0.0.0/6', ['internet', 'lan']],
  ])('for %s is %j', (destination, needs) => expect(needsOf(to(destination))).toEqual(needs));

  test('is a device for each, and the resolver is of the Internet; links need no owner', () => {
    expect(needsOf({ network: { ...NONE, dns: true }, devices: ['gpio', 'gpio'] })).toEqual(['gpio', 'internet']);
    expect([needsOf(SERVER), grantsOf(SERVER)]).toEqual([['links'], []]);
  });
});

describe('what a request chooses', () => {
  test('leads links to instances, by the same name unless it says otherwise', () => {
    expect([...targetsOf(SERVER, { name: 'shop', links: { db: 'stock' } })]).toEqual([
      ['db', 'stock'],
      ['cache', 'cache'],
    ]);
  });

  test('publishes what it names, and no more', () => {
    expect(publishedOf(SERVER, { name: 'shop' })).toEqual([]);
    expect(publishedOf(SERVER, { name: 'shop', publish: { web: 8080 } })).toEqual([
      { name: 'web', outside: 8080, inside: 80, protocol: 'tcp' },
    ]);
  });

  test('is refused where the release knows nothing of it, and where it contradicts itself', () => {
    const checked = (choices: Parameters<typeof checkChoices>[1]) => () => checkChoices(SERVER, choices);
    expect(checked({ name: 'shop', links: { db: 'a' }, publish: { web: 8080, time: 8080 } })).not.toThrow();
    expect(checked({ name: 'shop', links: { disk: 'a' } })).toThrow('link disk is not declared');
    expect(checked({ name: 'shop', publish: { ssh: 8022 } })).toThrow('published port ssh is not declared');
    expect(checked({ name: 'db' })).toThrow('db cannot be linked to itself');
    const twins = { network: { ...NONE, publish: [...SERVER.network.publish, { name: 'other', port: 81, protocol: 'tcp' as const }] } };
    expect(() => checkChoices(twins, { name: 'shop', publish: { web: 8080, other: 8080 } })).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
  });
});

test.each([
  { outbound: [{ to: 'localhost', port: 1, protocol: 'tcp' }] },
  { outbound: [{ to: 'internet', port: 0, protocol: 'tcp' }] },
  { outbound: [{ to: 'internet', port: 65_536, protocol: 'tcp' }] },
  { outbound: [{ to: 'internet', port: 1, protocol: 'icmp' }] },
  { outbound: Array.from({ length: 17 }, () => ({ to: 'internet', port: 1, protocol: 'tcp' })) },
  { links: Array.from({ length: 9 }, () => ({ name: 'a', port: 1, protocol: 'tcp' })) },
  { dns: 1 },
  { inbound: [] },
])('a network such as %j is refused', (changes) => {
  expect(() => parse(networkSchema, { ...NONE, ...changes }, 'network')).toThrow(expect.objectContaining({ code: 'bad-schema' }));
});
