/** What this gateway alone has, and what another one has too. */
import { expect, test } from 'vitest';
import { demand, signedRequest } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import type { Node } from '../../support/gateway-world.ts';

/** Whether another gateway is said to have each request. */
const copied = (node: Node): Record<string, boolean> =>
  Object.fromEntries((node.json('requests') as { name: string; copied: boolean }[]).map((one) => [one.name, one.copied]));

test('of each request it is told whether another gateway has it, also after a restart', () => {
  const { world } = cast({ request: { replicas: 1 } });
  const first = world.node(0);
  world.pass(1000);
  expect(copied(first)).toEqual({ echo: true });
  world.isolate(first);
  first.accept(signedRequest({ sequence: 2 }).body, ...demand('lone'));
  world.pass(1000);
  expect(copied(first)).toEqual({ echo: false, lone: false });
  // Who has it from elsewhere knows of two.
  expect(copied(world.node(1))).toEqual({ echo: true });
  first.stop();
  first.start();
  world.pass(1000);
  expect(copied(first)).toEqual({ echo: false, lone: false });
  world.linkAll();
  world.pass(2000);
  expect([copied(first), copied(world.node(1))]).toEqual([
    { echo: true, lone: true },
    { echo: true, lone: true },
  ]);
});
