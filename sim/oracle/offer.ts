/** Promise 7: what a board cannot enforce it does not offer. */
import type { Offer } from '../../runtime/protocol/nouns/board.ts';
import type { Court } from './court.ts';
import type { BoardCase } from './scene.ts';

const TIERS = ['dev', 'reduced', 'full'];
const ENFORCED = ['memory', 'cpu', 'pids', 'network', 'disk', 'deadline'] as const;

export const examineOffer = (court: Court, atMs: number, board: BoardCase, { tier, enforces, grants = [] }: Offer): void => {
  const can = board.enforces;
  if (can === null) return;
  const more: string[] = ENFORCED.filter((limit) => enforces[limit] && !can[limit]);
  // A kernel that counts what is written to a card can hold it back, and no other can.
  if (enforces.io === true && !can.disk) more.push('io');
  more.push(...grants.filter((one) => !can.grants.includes(one)));
  if (TIERS.indexOf(tier) > TIERS.indexOf(can.tier)) more.push(`tier ${tier}`);
  if (more.length > 0)
    court.docket.accuse('over-offered', atMs, board.id, `it offers ${more.join(', ')}, its kernel does not enforce that`);
};
