/**
 * Documents that a gateway must not take, shown at both of its doors: MQTT and HTTP say the same, nothing changes, and
 * the honest document is taken afterwards.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Push } from '../../gateway/cli/mqtt-push.ts';
import { type Bytes, concat, utf8 } from '../../runtime/protocol/bytes.ts';
import { encode } from '../../runtime/protocol/cbor.ts';
import { sign1 } from '../../runtime/protocol/cose.ts';
import { ERRORS, type ErrorCode } from '../../runtime/protocol/errors.ts';
import type { TenantId } from '../../runtime/protocol/ids.ts';
import { payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { PaperBoard } from './board.ts';
import { bindingOf, demandOf, owner, piecesOf, publisher, releaseKey, requestOf, smallRelease, voucherOf } from './documents.ts';
import { answered, federate, Gateway, tenant, told } from './gateway.ts';
import { person } from './person.ts';

const stranger = person<TenantId>('stranger');
const other = person<TenantId>('another tenant');
const release = smallRelease('echo');

let gateway: Gateway;
let door: Push;
let board: PaperBoard;

beforeAll(async () => {
  gateway = await Gateway.open(await federate('north'), 'north');
  await gateway.admit(tenant);
  await gateway.admit(other);
  await gateway.accepts(publisher.document, ...piecesOf(release), voucherOf(other).document);
  for (const name of ['signature', 'stolen', 'sequence', 'twice', 'trailing', 'long', 'more', 'kind'])
    await gateway.accepts(voucherOf(tenant, { name }).document);
  board = await PaperBoard.pair(gateway, 'documents board', owner.id);
  door = await gateway.mqtt();
});
afterAll(async () => {
  board.close();
  await gateway.end();
});

/** Refused at both doors with the same words, and no trace of it. */
const refusedAtBothDoors = async (body: Bytes, code: ErrorCode, why: RegExp, next?: string): Promise<void> => {
  const before = await gateway.state();
  expect(await door.push(body)).toMatchObject(answered(code, why, next));
  const reply = await gateway.push(body);
  expect(reply).toEqual({ status: ERRORS[code].http, body: { error: told(code, why, next) } });
  expect(await gateway.state()).toEqual(before);
};

const taken = async (...bodies: Bytes[]): Promise<void> => {
  for (const body of bodies) expect(await door.push(body)).toMatchObject({ ok: true });
};

const flip = (bytes: Bytes): Bytes => Uint8Array.from(bytes, (byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));

test('a wrong signature', async () => {
  const { document } = requestOf('signature', release.hash);
  await refusedAtBothDoors(flip(document), 'bad-signature', /Ed25519 verification failed/);
  await taken(document);
});

test('a release signed by a key that its publisher does not list', async () => {
  const forged = smallRelease('publisher', 1, {}, stranger.signer);
  await refusedAtBothDoors(forged.document, 'wrong-publisher', /not among those of publisher meadow/);
  await taken(...piecesOf(smallRelease('publisher', 1)));
});

test('a release of a publisher that nobody has shown', async () => {
  const lost = smallRelease('nobody', 1, { publisher: stranger.id as never });
  await refusedAtBothDoors(lost.document, 'unknown-key', /push its trust document first/);
});

test('a request that its tenant did not sign [trust-1]', async () => {
  const { doc, document } = requestOf('stolen', release.hash);
  await refusedAtBothDoors(seal(requestNoun, doc, other.signer), 'wrong-signer', /the tenant it names did not sign it/);
  await taken(document);
});

test('a request of a tenant that was never admitted', async () => {
  const { document } = requestOf('stranger', release.hash, {}, stranger);
  await refusedAtBothDoors(document, 'unknown-key', /has not been admitted here/, expect.stringContaining('lichen tenant admit'));
});

test('a request paid for with the voucher of another', async () => {
  const theirs = requestOf('paid', release.hash, { voucher: voucherOf(other).hash });
  await refusedAtBothDoors(theirs.document, 'wrong-signer', /the voucher is another tenant's/);
  await taken(...demandOf('paid', release.hash));
});

test('an older sequence of a request', async () => {
  const [first, second, third] = [1, 2, 3].map((sequence) =>
    requestOf('sequence', release.hash, { sequence, patienceMs: 1000 + sequence }),
  );
  await taken(second!.document);
  await refusedAtBothDoors(first!.document, 'stale', /sequence 2 of sequence is known, this is 1/);
  const sameAgain = requestOf('sequence', release.hash, { sequence: 2, patienceMs: 5000 });
  await refusedAtBothDoors(sameAgain.document, 'stale', /sequence 2 of sequence is known, this is 2/);
  await taken(third!.document);
});

test('an older release of a recipe', async () => {
  const [first, second, third] = [1, 2, 3].map((sequence) => smallRelease('older', sequence));
  await taken(...piecesOf(second!));
  await refusedAtBothDoors(first!.document, 'stale', /sequence 2 of older is known, this is 1/);
  await taken(...piecesOf(third!));
});

test('an older version of a binding', async () => {
  await taken(bindingOf(board.id, 2));
  await refusedAtBothDoors(bindingOf(board.id, 1), 'stale', /version 2 is known, this is 1/);
  await taken(bindingOf(board.id, 3));
});

test('a binding that the owner did not sign', async () => {
  await refusedAtBothDoors(bindingOf(board.id, 9, {}, stranger), 'wrong-signer', /was paired for owner/);
  await taken(bindingOf(board.id, 9));
});

/** What no encoder of ours would make, properly signed: only the form is wrong. */
const signed = (payload: Bytes): Bytes => sign1(requestNoun.typ, payload, tenant.signer);
const text = (word: string): Bytes => encode(word);

test('CBOR that says one key twice', async () => {
  const honest = requestOf('twice', release.hash);
  const payload = payloadOf(requestNoun, honest.doc);
  const first = concat(text('v'), Uint8Array.of(1));
  // One pair more in the head, and the first pair again behind it.
  const doubled = concat(Uint8Array.of((payload[0] ?? 0) + 1), first, payload.subarray(1));
  await refusedAtBothDoors(signed(doubled), 'bad-cbor', /ascending order or are repeated/);
  await taken(honest.document);
});

test('CBOR nested too deep', async () => {
  const deep = concat(Uint8Array.of(0xa1), text('v'), new Uint8Array(4000).fill(0x81), Uint8Array.of(1));
  await refusedAtBothDoors(signed(deep), 'bad-cbor', /nested deeper than 8/);
});

test('CBOR with bytes behind its end, inside and outside of the signature', async () => {
  const { doc, document } = requestOf('trailing', release.hash);
  const behind = Uint8Array.of(0);
  await refusedAtBothDoors(signed(concat(payloadOf(requestNoun, doc), behind)), 'bad-cbor', /bytes follow after the end/);
  await refusedAtBothDoors(concat(document, behind), 'bad-cbor', /bytes follow after the end/);
  await taken(document);
});

test('a document that is longer than its kind may be', async () => {
  const parameters = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`p${at}`, 'x'.repeat(1000)]));
  const { doc, document } = requestOf('long', release.hash);
  const long = sign1(requestNoun.typ, encode({ ...doc, parameters } as never), tenant.signer);
  await refusedAtBothDoors(long, 'too-large', /a request has at most 8192 bytes/);
  await taken(document);
});

test('a document with a key that its schema does not know', async () => {
  const { doc, document } = requestOf('more', release.hash);
  await refusedAtBothDoors(signed(encode({ ...doc, urgent: true } as never)), 'bad-schema', /request/);
  await taken(document);
});

test('a signature over one kind passed off as another', async () => {
  const voucher = voucherOf(tenant, { serial: 7 });
  const { doc } = requestOf('kind', release.hash);
  // The header is part of what is signed: swapping it breaks the signature.
  const asVoucher = sign1(voucherNoun.typ, payloadOf(requestNoun, doc), tenant.signer);
  await refusedAtBothDoors(asVoucher, 'bad-schema', /voucher/);
  await taken(voucher.document);
});

test('a document of an unknown kind', async () => {
  await refusedAtBothDoors(sign1('lichen.wish+cbor', encode({ v: 1 }), tenant.signer), 'bad-schema', /lichen\.wish\+cbor/);
  await taken(...demandOf('known', release.hash));
});

test('a document that only boards and gateways say', async () => {
  await refusedAtBothDoors(sign1('lichen.lease+cbor', encode({ v: 1 }), releaseKey.signer), 'wrong-signer', /lichen\.lease\+cbor/);
});

test('content that nobody waits for', async () => {
  await refusedAtBothDoors(utf8('free storage'), 'not-found', /no release that is known here names content/);
  // The same bytes, once a release names them.
  const awaited = smallRelease('awaited');
  await refusedAtBothDoors(awaited.chunks[0]!, 'not-found', /push its manifest first/);
  await taken(...piecesOf(awaited));
});
