/** One gateway tells a peer another history than the rest: it is found out, and the honest ones stay together. */
import { expect, test } from 'vitest';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { entryBytes } from '../../../runtime/protocol/nouns/log.ts';
import { makeLiar } from '../../../sim/fleet/liar.ts';
import { keyOf } from '../../support/crypto.ts';
import { signedVoucher } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { type Node, SILENCE_MS } from '../../support/gateway-world.ts';

test('a liar parts nobody but itself from the others', () => {
  const { world } = cast();
  const [honest, victim, liar] = world.nodes as [Node, Node, Node];
  const lie = makeLiar(
    nodeCrypto,
    { id: liar.id, signer: keyOf('gateway c'), log: (author) => liar.log(author as never).map(entryBytes) },
    victim.id,
  );
  world.isolate(victim);
  // None of them is new any more, and waits for what others know.
  world.pass(6 * SILENCE_MS);
  liar.accept(signedVoucher({ serial: 10 }).body);
  world.pass(500);
  const { carry } = world;
  world.carry = (from, session, frame) => {
    const to = session === world.sessionOf(liar, victim) ? victim.id : 'others';
    carry.call(world, from, session, from === liar ? lie(frame, to) : frame);
  };
  world.link(liar, victim);
  world.pass(500);
  expect(victim.log(liar.id)).not.toEqual(liar.log());
  // From now on the victim hears of the liar's log from the honest one only.
  world.cut(liar, victim);
  world.link(honest, victim);
  let parted = 0;
  const { cut } = world;
  world.cut = (one, other) => {
    if (one !== liar && other !== liar) parted++;
    cut.call(world, one, other);
  };
  for (let serial = 11; serial < 14; serial++) {
    liar.accept(signedVoucher({ serial }).body);
    world.pass(1000);
  }
  expect(parted).toBe(0);
  expect(world.isLinked(honest, victim)).toBe(true);
  expect(victim.journal.some((line) => /fork: the log of .* does not lead to its signed head/.test(line))).toBe(true);
  // It shows the other one what the liar had told it: now both hold the proof.
  expect(honest.journal.some((line) => /fork: .* signed two heads of size/.test(line))).toBe(true);
  // What the honest ones write goes on between them.
  victim.accept(signedVoucher({ serial: 40 }).body);
  world.pass(1000);
  expect(honest.log(victim.id)).toEqual(victim.log());
  expect(victim.log(honest.id)).toEqual(honest.log());
});
