/** From a claim to a home, against the real door of a gateway; and what a board says that has none, or one that is of no use. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openClock } from '../../../runtime/adapters/clock.ts';
import { formatClaim } from '../../../runtime/protocol/claim.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { type HardwareReport, hardwareReport } from '../../../runtime/protocol/hardware-report.ts';
import { type BoardId, codeOf, type GatewayId } from '../../../runtime/protocol/ids.ts';
import type { Claim, Paired } from '../../../runtime/protocol/nouns/messages.ts';
import { parse } from '../../../runtime/protocol/schema.ts';
import { beginPairing } from '../../../runtime/unpaired/pairing.ts';
import { findHome } from '../../../runtime/unpaired/unpaired.ts';
import { freePorts } from '../../../sim/harness/ports.ts';
import { someone, World } from '../../gateway/broker/world.ts';

const board = someone(1);
let world: World;
let page: number;
let journal: { line: string; detail: Record<string, unknown> | undefined }[];
beforeEach(async () => {
  [world, [page = 0], journal] = [await World.open(), await freePorts(1), []];
});
afterEach(() => world.close());

const operator = 'b'.repeat(32);
const claimAt = (address: string): string => {
  const claim: Claim = {
    ...{ v: 1, token: new Uint8Array(32).fill(5), gateway: world.gateway.id as GatewayId, key: world.gateway.signer.publicKey },
    ...{ address, operator },
  };
  return formatClaim(claim);
};
const answer: () => Paired = () => ({
  v: 1,
  gateway: world.gateway.id as GatewayId,
  wallMs: 1_700_000_000_000,
  operators: [[Uint8Array.of(1)]],
});
interface Given {
  claim?: string;
  gateways?: string[];
  page?: number;
}
const say = (line: string, detail?: Record<string, unknown>): void => void journal.push({ line, detail });
const own = { board: board.id as BoardId, clock: openClock() };
const pairingBy = ({ claim: line = '', gateways = [] }: Given) => beginPairing({ line, gateways, identity: board, ...own }, say);
const seek = (given: Given, pairing = given.claim === undefined ? null : pairingBy(given)) =>
  findHome({
    ...own,
    ...{ pairing, page: given.page ?? null, notes: null, journal: say, print: () => undefined },
    about: { software: 'test', hostname: 'beech', tier: 'dev', engine: 'none', lacks: [] },
  });
const shown = async (): Promise<HardwareReport> =>
  parse(hardwareReport, await (await fetch(`http://127.0.0.1:${page}/report.json`)).json(), 'report');

test('the gateway of a claim is found at another address, known by its key', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, answer());
  const [nobody = 0] = await freePorts(1);
  const home = await seek({ claim: claimAt(`127.0.0.1:${nobody}`), gateways: [world.address], page });
  expect(home).toMatchObject({ address: world.address, paired: answer() });
  expect(journal.map(({ line }) => line)).toEqual([expect.stringMatching(/^pairing: /)]);
  // What it showed is gone.
  await expect(fetch(`http://127.0.0.1:${page}/`)).rejects.toThrow();
});

test('a board without a claim asks for one, on its page too', async () => {
  expect(await seek({ page })).toBeNull();
  expect(journal).toEqual([{ line: 'unpaired', detail: expect.objectContaining({ board: board.id, code: codeOf(board.id) }) }]);
  expect((await shown()).running).toMatchObject({ waits: expect.stringContaining('lichen.json'), code: codeOf(board.id) });
});

test('a claim that is refused is told with the reason, and the board waits for another', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, new LichenError('claim-used', 'used in May'));
  expect(await seek({ claim: claimAt(world.address), page })).toBeNull();
  expect((await shown()).running?.waits).toMatch(/asks to be paired.*used in May.*lichen board claim/);
});

test('without a page, as on a command line, such a claim ends it', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, new LichenError('claim-used', 'used in May'));
  await expect(seek({ claim: claimAt(world.address) })).rejects.toThrow(/used in May/);
});

test('one that has found its home before anybody asks shows nothing', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, answer());
  const given = { claim: claimAt(world.address), page };
  const pairing = pairingBy(given);
  await pairing.home;
  // Its page would be there now, and this port is not to be had.
  const taken = createServer().listen(page, '::');
  await once(taken, 'listening');
  expect(await seek(given, pairing)).toMatchObject({ address: world.address });
  expect(journal).toEqual([]);
  taken.close();
});

test('a refusal that comes before anybody asks is told all the same', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, new LichenError('claim-used', 'used in May'));
  const given = { claim: claimAt(world.address), page };
  const pairing = pairingBy(given);
  await pairing.home.catch(() => undefined);
  expect(await seek(given, pairing)).toBeNull();
  expect((await shown()).running?.waits).toMatch(/used in May/);
});

test('nobody there is said once, and is found when it comes', async () => {
  const [port = 0] = await freePorts(1);
  const pairing = pairingBy({ claim: claimAt(`127.0.0.1:${port}`) });
  await expect.poll(() => journal.length).toBe(1);
  const late = await World.open({ port });
  late.onPairing = ({ receipt }) => late.door.front.answerPairing(receipt, answer());
  await pairing.home;
  expect(journal.length).toBe(1);
  await late.close();
});
