import { test, expect } from 'vitest';
import { GatewayWorld } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { signedBinding, signedManifest, signedPublisher, signedRequest, signedVoucher } from '../../support/federation.ts';
test('x', () => {
  const world = new GatewayWorld().linkAll().pump();
  const [a, b, c] = world.nodes;
  a!.admit('tenant', 'tenant');
  const board = new PaperBoard('board 1');
  console.log(board.pair(a!));
  a!.accept(signedBinding('board 1').body, signedPublisher().body, signedManifest().body, signedVoucher().body, signedRequest({replicas: 1}).body);
  board.connect(a!);
  world.pump().pass(1000);
  console.log(board.heard.map(h=>h.topic), board.leases, board.drops, world.nodes.map(n=>n.journal), world.violations);
  for (const l of board.leases) { board.use(l, {kind:'open'}); board.use(l); }
  world.pass(1000);
  console.log(board.acks, board.replicated);
  expect(b!.view()).toEqual(a!.view());
  expect(c!.view()).toEqual(a!.view());
});
