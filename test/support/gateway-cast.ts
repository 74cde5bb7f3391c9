/** What most tests of the gateways begin with: a tenant, a release, and boards that are bound. */
import type { Rates, Request } from '../../runtime/protocol/nouns/request.ts';
import { RATES, signedBinding, signedManifest, signedPublisher, signedRequest, signedVoucher } from './federation.ts';
import { GatewayWorld } from './gateway-world.ts';
import { PaperBoard } from './paper-board.ts';

export interface Cast {
  world: GatewayWorld;
  boards: PaperBoard[];
}

export interface CastOptions {
  boards?: string[];
  /** Gateways at which they come up; the first one by default. */
  at?: number[];
  request?: Partial<Request>;
  rates?: Rates;
  offer?: Partial<PaperBoard['offer']>;
}

/** Three gateways in reach of each other, one admitted tenant with a voucher, one release, boards paired at the first. */
export const cast = ({ boards: names = ['board 1'], at = [], request, rates = RATES, offer = {} }: CastOptions = {}): Cast => {
  const world = new GatewayWorld().linkAll().pump();
  const first = world.node(0).admit('tenant', 'tenant');
  const boards = names.map((name) => new PaperBoard(name));
  for (const board of boards) {
    board.offer = { ...board.offer, ...offer };
    board.pair(first);
    first.accept(signedBinding(board.name, { rates }).body);
  }
  first.accept(signedPublisher().body, signedManifest().body, signedVoucher().body);
  if (request !== undefined) first.accept(signedRequest(request).body);
  world.pump();
  boards.forEach((board, i) => board.connect(world.node(at[i] ?? 0)));
  world.pass(500);
  return { world, boards };
};
