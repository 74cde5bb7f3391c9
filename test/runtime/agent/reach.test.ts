/** What instances reach, as the board works it out: from release, request, and who runs beside them. */
import { describe, expect, test } from 'vitest';
import type { NetworkPolicy } from '../../../runtime/ports/partitions.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { NetworkWish } from '../../../runtime/protocol/nouns/reach.ts';
import { type Request, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, request } from '../../support/federation.ts';
import { smallRelease } from '../../support/small-release.ts';

const NETWORK: NetworkWish = {
  outbound: [{ to: 'example.org', port: 443, protocol: 'tcp' }],
  dns: true,
  links: [{ name: 'db', port: 5432, protocol: 'tcp' }],
  publish: [{ name: 'web', port: 80, protocol: 'tcp' }],
};
const LENT = { grants: ['links', 'internet'], ports: { first: 8000, last: 8015 } };

const lending = (offer = LENT): BoardWorld => {
  const world = new BoardWorld();
  Object.assign(world.offer, offer);
  return world.restart().pair();
};
const shop = (world: BoardWorld, changes: Partial<Request> = {}, index = 0): Placed =>
  placed(world, {
    release: smallRelease({ recipe: 'shop', network: NETWORK }),
    request: { name: 'shop', publish: { web: 8001 }, links: { db: 'stock' }, ...changes },
    lease: { index },
  });
const stock = (world: BoardWorld): Placed => placed(world, { request: { name: 'stock' } });
const told = (world: BoardWorld, { lease }: Placed): NetworkPolicy | null => {
  const last = world.engine.steps.findLast(
    (step) => (step.kind === 'start' && step.spec.partition === lease.lease) || (step.kind === 'connect' && step.partition === lease.lease),
  );
  if (last?.kind === 'connect') return last.network;
  return last?.kind === 'start' ? last.spec.network : null;
};

describe('what an instance reaches', () => {
  test('is told with its start: rules of the release, ports of the request, links to who runs', () => {
    const world = lending();
    const [db, client] = [stock(world), shop(world)];
    world.assign(db).pass(3000).assign(db, client).pass(3000);
    expect(told(world, client)).toEqual({
      ...{ outbound: NETWORK.outbound, dns: true, lan: false },
      links: [{ name: 'db', partition: db.lease.lease, port: 5432, protocol: 'tcp' }],
      publish: [{ outside: 8001, inside: 80, protocol: 'tcp' }],
    });
    expect(told(world, db), 'a release that says nothing reaches nothing').toBeNull();
    expect(world.state(client.lease)).toMatchObject({ state: 'running', detail: '' });
    expect(world.engine.did('connect')).toEqual([]);
  });

  test('changes with the other end of a link, without a restart, and its lack is told [network-9]', () => {
    const world = lending();
    const [db, client] = [stock(world), shop(world)];
    world.assign(client).pass(3000);
    expect(told(world, client)?.links).toEqual([]);
    expect(world.state(client.lease)?.detail).toBe('link db: no stock runs here');
    world.assign(client, db).pass(3000);
    expect(told(world, client)?.links).toHaveLength(1);
    expect(world.state(client.lease)?.detail).toBe('');
    world.assign(client).pass(3000);
    expect(told(world, client)?.links).toEqual([]);
    expect(world.engine.did('start').filter((id) => id === client.lease.lease)).toHaveLength(1);
    expect(world.state(client.lease)?.restarts).toBe(0);
  });

  test("changes with its tenant's request, without a restart [network-11]", () => {
    const world = lending();
    const client = shop(world);
    world.assign(client).pass(3000);
    const asked = request({
      name: 'shop',
      release: client.release.release,
      sequence: 2,
      parameters: { greeting: 'moin' },
      publish: { web: 8002 },
    });
    const hash = hashOf(requestNoun, asked);
    world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    world.assign({ ...client, assigned: { ...client.assigned, request: hash } }).pass(3000);
    expect(told(world, client)?.publish).toEqual([{ outside: 8002, inside: 80, protocol: 'tcp' }]);
    expect(world.engine.did('start')).toEqual([client.lease.lease]);
    expect(world.state(client.lease)?.detail).toBe('link db: no db runs here');
  });

  test('is no port that is not offered, nor one that another had before, and it is told which', () => {
    const world = lending();
    const db = stock(world);
    const [first, second] = [shop(world), shop(world, { name: 'shop-2' })];
    const third = shop(world, { name: 'shop-3', publish: { web: 22 } });
    world.assign(db, first).pass(3000).assign(db, first, second, third).pass(3000);
    const ports = [first, second, third].map((one) => told(world, one)?.publish.map(({ outside }) => outside));
    const winner = first.lease.lease < second.lease.lease ? [[8001], []] : [[], [8001]];
    expect(ports).toEqual([...winner, []]);
    const loser = first.lease.lease < second.lease.lease ? second : first;
    expect(world.state(loser.lease)?.detail).toBe('port 8001 for web: taken by another instance');
    expect(world.state(third.lease)?.detail).toBe('port 22 for web: not offered by this board');
  });

  test('is told again after the engine would not, and to the next life', () => {
    const world = lending();
    const [db, client] = [stock(world), shop(world)];
    world.assign(client).pass(3000);
    world.engine.broken.add('connect');
    world.assign(client, db).pass(3000);
    const tries = world.engine.did('connect').length;
    world.engine.broken.delete('connect');
    world.pass(10_000);
    expect(world.engine.did('connect').length).toBeGreaterThan(tries);
    expect(world.engine.networks.get(client.lease.lease)?.links).toHaveLength(1);
    world.engine.networks.clear();
    world.restart().pass(3000);
    expect(world.engine.networks.get(client.lease.lease)?.links).toHaveLength(1);
    expect(world.engine.did('start').filter((id) => id === client.lease.lease)).toHaveLength(1);
  });

  test('that this board does not offer keeps it from being run here, whoever assigned it [network-2]', () => {
    for (const offer of [{ grants: ['links'] }, { grants: ['internet', 'lan'] }]) {
      const world = lending({ ...LENT, ...offer });
      const client = shop(world);
      world.assign(client).pass(3000);
      expect(world.state(client.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('not-offered') });
      expect(world.engine.did('start')).toEqual([]);
    }
    const world = lending();
    const reader = placed(world, { release: smallRelease({ recipe: 'reader', devices: ['gpio'] }) });
    world.assign(reader).pass(3000);
    expect(world.state(reader.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('not-offered') });
    expect(world.journal.join()).toContain('needs gpio');
  });
});
