/** A board hands over to a new key by itself: the real runtime at a real gateway, with an instance that runs through it. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { makeRotation, nextOperator } from '../../gateway/cli/ceremony.ts';
import { openBoardKey, rotateBoardKey } from '../../runtime/adapters/board-key.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { fromHex } from '../../runtime/protocol/bytes.ts';
import { ERRORS } from '../../runtime/protocol/errors.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import { usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { until } from '../../sim/harness/wait.ts';
import { bindingOf, demandOf, LASTING, owner, piecesOf, publisher, smallRelease } from './documents.ts';
import { federate, Gateway, PATIENCE_MS, root, tenant } from './gateway.ts';
import { person } from './person.ts';
import { boardDirectory, RealBoard, runtime } from './real-board.ts';

const open: { end(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

const PACES = { 'record-ms': 200, 'meter-ms': 100 };

interface Row {
  board: string;
  here: boolean;
  usage: { seq: number };
}

const rowOf = async (gateway: Gateway, board: RealBoard): Promise<Row | undefined> =>
  (await gateway.get<Row[]>('/1/boards')).find((row) => row.board === board.key.id);

const stored = (gateway: Gateway, board: RealBoard, more: number): Promise<number> =>
  until(`record ${more} to be stored`, PATIENCE_MS, async () => {
    const seq = (await rowOf(gateway, board))?.usage.seq ?? 0;
    return seq >= more && seq;
  });

/** A board at home with one instance that runs. */
const atHome = async (name: string) => {
  const federation = await federate('north');
  const gateway = await Gateway.open(federation, 'north');
  open.push(gateway);
  await gateway.admit(tenant);
  const release = smallRelease(name, 1, LASTING);
  await gateway.accepts(publisher.document, ...piecesOf(release));
  const { claim } = await gateway.order<{ claim: string }>('/1/claims', { owner: owner.id });
  const board = RealBoard.start(name, claim, PACES);
  open.push(board);
  await until('the board to be paired', PATIENCE_MS, async () => (await rowOf(gateway, board))?.here);
  await gateway.accepts(bindingOf(board.key.id, 1), ...demandOf(name, release.hash));
  await stored(gateway, board, 2);
  return { federation, gateway, board, release };
};

test('--rotate-key: refused until the rotation is pushed, then at home as before; the bill counts both keys', async () => {
  const { gateway, board, release } = await atHome('rotator');
  await board.process.kill('SIGTERM');
  const { stdout } = await board.run('--rotate-key');
  const said = JSON.parse(stdout) as { board: string; key: string; rotations: string[] };
  expect(said).toMatchObject({ board: board.key.id, rotations: [expect.any(String)] });
  const before = await stored(gateway, board, 1);
  board.restart();
  const mark = board.mark();
  await board.refused('gateway north', 'not-paired', /refuses this client id for this key/, mark);
  expect((await rowOf(gateway, board))?.here).toBe(false);
  await gateway.accepts(fromHex(said.rotations[0]!));
  await until('the board to be back', PATIENCE_MS, async () => (await rowOf(gateway, board))?.here);
  await stored(gateway, board, before + 3);
  // What ran went on running, and one lease has records under both keys.
  await gateway.accepts(...demandOf('rotator', release.hash, { sequence: 2, state: 'destroyed' }));
  await until('the lease to be closed', PATIENCE_MS, async () => (await gateway.get<unknown[]>('/1/instances')).length === 0);
  // Also what no peer was sent yet stands below a head now.
  await gateway.order('/1/periods', {});
  const records = (await gateway.log()).filter(({ kind }) => kind === 'usage').map(({ body }) => unseal(nodeCrypto, usageNoun, body));
  expect(new Set(records.map(({ signer }) => signer.join())).size).toBe(2);
  expect(new Set(records.map(({ value }) => value.lease)).size).toBe(1);
  const bytes = await fetch(`${gateway.url}/1/periods/1/statement`).then((response) => response.arrayBuffer());
  const [posting] = decodeStatement(new Uint8Array(bytes)).invoices.flatMap((invoice) => invoice.postings);
  expect(posting).toMatchObject({ fromSeq: 1, toSeq: records.length });
});

test('records that the former key signed and nobody had, when that key is revoked', async () => {
  const { federation, gateway, board } = await atHome('revoked-rotator');
  const former = board.key;
  await board.process.kill('SIGKILL');
  // It goes on by itself while there is no gateway: these records wait on the card.
  await gateway.close();
  board.restart();
  const held = async (): Promise<number> => Number((await board.status()).recordsHeld);
  await until('records to wait', PATIENCE_MS, async () => (await held()) >= 3);
  await board.process.kill('SIGTERM');
  await board.run('--rotate-key');
  const waiting = await held();
  const again = await Gateway.open(federation, 'north', { dir: gateway.dir });
  open.splice(open.indexOf(gateway), 1, again);
  await again.accepts(...openBoardKey(board.setup.data).rotations);
  await again.accepts(nextOperator(nodeCrypto, federation.doc, { revoked: [former.key] }, [root.signer]).document);
  const { usage } = (await rowOf(again, board))!;
  board.restart();
  // Signed anew, the same words: the chain has no gap and no fork.
  await stored(again, board, usage.seq + waiting);
  expect(await rowOf(again, board)).toMatchObject({ quarantined: false });
});

test('a hand-over that was cut is finished, and one that does not fit is refused', () => {
  const board = boardDirectory('cut rotator');
  open.push(board);
  const { data, key } = board;
  const [present, next] = [openBoardKey(data), person('cut rotator 2')];
  expect(present.id).toBe(key.id);
  // The power went before the new key was in its place.
  writeFileSync(join(data, 'board.key.next'), next.seed, { mode: 0o600 });
  writeFileSync(join(data, 'rotation-000001.cose'), makeRotation(key.signer, next.signer, key.id, 1), { mode: 0o600 });
  const finished = openBoardKey(data);
  expect(finished).toMatchObject({ id: key.id, seed: next.seed });
  expect(readdirSync(data).sort()).toEqual(['board.key', 'rotation-000001.cose']);
  // A second one leads on from there, and the first is kept for a gateway that has seen neither.
  const second = rotateBoardKey(data);
  expect(second.id).toBe(key.id);
  expect(second.rotations).toHaveLength(2);
  expect(openBoardKey(data).seed).toEqual(second.seed);
  writeFileSync(join(data, 'board.key'), person('somebody else').seed);
  expect(() => openBoardKey(data)).toThrow(expect.objectContaining({ code: 'storage-broken' }));
});

test('words that the runtime does not know', async () => {
  const board = boardDirectory('words');
  open.push(board);
  rmSync(join(board.data, 'board.key'));
  const refusal = (...args: string[]) =>
    runtime(board.data, ...args).then(
      () => null,
      (thrown: { code: number; stderr: string }) => thrown,
    );
  expect(await refusal('--rotate-keys')).toMatchObject({
    code: ERRORS['bad-usage'].exit,
    stderr: expect.stringContaining('--rotate-keys'),
  });
  expect(await refusal('--claim', 'LICHEN2:AAAA')).toMatchObject({
    code: ERRORS['bad-usage'].exit,
    stderr: expect.stringContaining('a claim begins with LICHEN1:'),
  });
});
