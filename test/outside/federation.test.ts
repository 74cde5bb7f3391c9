/** What tenants and publishers push at one gateway must not come between it and its peers. */
import { afterEach, expect, test } from 'vitest';
import { utf8 } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { until } from '../../sim/harness/wait.ts';
import { fileOf, piecesOf, publisher, releaseOf, smallRelease } from './documents.ts';
import { type Federation, federate, Gateway, PATIENCE_MS } from './gateway.ts';
import { person } from './person.ts';

const open: Gateway[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.end()));
});

const start = async (federation: Federation, name: string): Promise<Gateway> => {
  const gateway = await Gateway.open(federation, name);
  open.push(gateway);
  return gateway;
};

const releasesAt = (gateway: Gateway): Promise<{ recipe: string; missing: number }[]> => gateway.get('/1/releases');

const complete = (gateway: Gateway, recipe: string): Promise<unknown> =>
  until(`${recipe} to be whole at ${gateway.entry.name}`, PATIENCE_MS, async () =>
    (await releasesAt(gateway)).some((row) => row.recipe === recipe && row.missing === 0),
  );

test('releases that never come whole do not keep the others from being fetched', async () => {
  const federation = await federate('north', 'south');
  const [north, south] = [await start(federation, 'north'), await start(federation, 'south')];
  await north.accepts(publisher.document);
  // More pages that nobody will ever push than are asked for at a time.
  const pages = Array.from({ length: 4 * LIMITS.wantWindow }, (_, at) => [fileOf(`lost-${at}`, utf8(`lost ${at}`))]);
  await north.accepts(releaseOf('lost', 1, pages).document);
  for (const recipe of ['first', 'second', 'third']) await north.accepts(...piecesOf(smallRelease(recipe)));
  for (const recipe of ['first', 'second', 'third']) await complete(south, recipe);
  expect((await releasesAt(south)).find(({ recipe }) => recipe === 'lost')?.missing).toBe(pages.length);
});

test('as many documents as can be, as large as can be: a peer that comes late gets all of them', async () => {
  const federation = await federate('north', 'south');
  const north = await start(federation, 'north');
  await north.accepts(publisher.document);
  const env = Object.fromEntries(Array.from({ length: 55 }, (_, at) => [`FILL_${at}`, 'x'.repeat(1000)]));
  const large = Array.from({ length: 24 }, (_, at) => releaseOf(`large-${at}`, 1, [], [], { env }));
  expect(large.reduce((sum, { document }) => sum + document.length, 0)).toBeGreaterThan(LIMITS.peerFrameBytes);
  // All at once, so that the gateway takes them in few turns.
  await Promise.all(large.map(({ document }) => north.accepts(document)));
  const south = await start(federation, 'south');
  await complete(south, 'large-23');
  await until('all of them', PATIENCE_MS, async () => (await releasesAt(south)).length === large.length);
});

test('a gateway that nobody lists is not let in', async () => {
  const federation = await federate('north');
  const north = await start(federation, 'north');
  const before = await north.state();
  const { stream } = await north.dial('lichen-peer/1', person('gateway stranger'));
  stream.resume();
  await new Promise((resolve) => stream.once('close', resolve));
  expect(await north.state()).toEqual(before);
});
