/** One run with everything that can happen to a stream, in a process of its own; prints a hash of all bytes. Arguments: seed, and `plant` for one that must not come out the same. */
import { federation, StreamWorld } from './stream-world.ts';

const [seed = 'seed', planted] = process.argv.slice(2);
/** Taken before the stage is entered: what a library that remembers it would draw from. */
const { random } = Math;

const world = new StreamWorld(seed);
const { ways, clock, chance } = world;
ways.jitterMs = 25;
ways.lossPermille = 5;
const draw = chance.fork('payload');
const payload = (length: number): Uint8Array => {
  const bytes = draw.bytes(length);
  if (planted === 'plant') bytes[0] = random() * 256;
  return bytes;
};
const { gateways, boards } = federation(world, 5, { keepaliveMs: 20_000, reportMs: 60_000, usageMs: 90_000, payload });
const [first, second] = gateways;
const [oldest] = boards;
if (first === undefined || second === undefined || oldest === undefined) throw new Error('nobody there');
const at = (minutes: number, call: () => void) => clock.at(minutes * 60_000, call);
at(5, () => ways.cut(first.end.id, oldest.end.id));
at(9, () => ways.heal());
at(12, () => second.stop('killed'));
at(15, () => ways.lost.add(`${first.end.id}>${oldest.end.id}`));
at(18, () => ways.heal());
at(20, () => oldest.stop('gone'));
at(22, () => ways.cut(first.end.id, gateways[2]?.end.id ?? ''));
at(24, () => ways.heal());
await world.runTo(30 * 60_000);
await world.carrier.close();
const { hash, heard, pieces } = world;
console.log(JSON.stringify({ hash: hash.digest('hex'), heard: heard.length, pieces }));
