/** `<hostname>.local`: which questions are answered, and by real datagrams on the loopback. */
import { once } from 'node:events';
import multicastDns from 'multicast-dns';
import { expect, test } from 'vitest';
import { openClock } from '../../../runtime/adapters/clock.ts';
import { answersTo, openName } from '../../../runtime/unpaired/name.ts';

const asked = (name: string, type: string) => answersTo({ name, type }, 'beech', '10.0.0.2', 80);

test('its name is its address, in whatever case it is asked for', () => {
  expect(asked('Beech.LOCAL', 'A')).toEqual([{ name: 'beech.local', type: 'A', ttl: 120, data: '10.0.0.2' }]);
  expect(asked('beech.local', 'ANY')).toHaveLength(1);
});

test('its page is found among the pages of the network', () => {
  expect(asked('_http._tcp.local', 'PTR').map(({ type }) => type)).toEqual(['PTR', 'SRV', 'A']);
  expect(asked('Lichen board beech._http._tcp.local', 'SRV')[0]).toMatchObject({ data: { port: 80, target: 'beech.local' } });
});

test.each([
  ['oak.local', 'A'],
  ['beech.local', 'AAAA'],
  ['beech', 'A'],
  ['_ssh._tcp.local', 'PTR'],
])('%s %s is not answered', (name, type) => expect(asked(name, type)).toEqual([]));

test.each([
  ['a neighbour that speaks the same', undefined],
  ['a program that asks from a port of its own', '127.0.0.1'],
])('%s is answered over a socket, until the name is closed', async (_name, address) => {
  // A port of our own, so that what else runs here is neither asked nor heard.
  const group = { ip: '224.0.0.251', port: 20_000 + (process.pid % 20_000), loopback: true };
  const name = openName({
    hostname: 'beech',
    port: 80,
    clock: openClock(),
    interfaces: () => [{ name: 'lo', address: '127.0.0.1' }],
    group,
  });
  const asker = multicastDns({ ...group, interface: '127.0.0.1', bind: address === undefined ? '0.0.0.0' : false });
  try {
    const heard = once(asker, 'response');
    const timer = setInterval(
      () => asker.query([{ name: 'beech.local', type: 'A' }], { port: group.port, address: address ?? group.ip }),
      50,
    );
    const [{ answers }] = await heard;
    clearInterval(timer);
    expect(answers[0]).toMatchObject({ name: 'beech.local', type: 'A', data: '127.0.0.1' });
  } finally {
    asker.destroy();
    name.close();
  }
});
