/** Promise 1: nothing runs that a publisher did not sign, a tenant did not request and a gateway did not assign. */
import { type Bytes, equal, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { desiredNoun, type Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Signed } from './archive.ts';
import { asksToRun } from './asked.ts';
import type { Code } from './codes.ts';
import type { Court } from './court.ts';
import type { BoardCase, LeaseCase, Told } from './scene.ts';

type Objection = [code: Code, what: string];

/** By now it is past doubt who assigned it, or nobody of weight has. */
const isAssigned = (court: Court, told: Told): boolean => {
  if (told.isAssigned) return true;
  told.isAssigned = told.desired.some((document) => court.archive.isOfGateway(desiredNoun, document));
  if (told.isAssigned) told.desired.length = 0;
  return told.isAssigned;
};

const objectToManifest = (court: Court, lease: Lease, release: string): Objection | null => {
  const { archive } = court;
  const manifest = archive.manifest(release);
  const publisher = archive.publisher(hex(lease.publisher));
  if (manifest === undefined) return ['ran-unsigned', `nobody signed release ${release}`];
  if (publisher === undefined || publisher.publisher !== manifest.value.publisher)
    return ['ran-unsigned', 'the lease names no document of the publisher'];
  const isListed = publisher.keys.some((key) => hex(key) === manifest.signer);
  const isRevoked = publisher.revoked.some((key) => hex(key) === manifest.signer);
  return isListed && !isRevoked ? null : ['ran-unsigned', `publisher ${publisher.name} does not list the key that signed the release`];
};

/** Of its program, and of its hooks. */
const filled = ({ args, data, parameters: defaults }: Manifest, { parameters }: Request): string[] => {
  const values = new Map([...Object.entries(defaults), ...Object.entries(parameters)]);
  const programs = [args, ...[data?.before, data?.after].flatMap((hook) => (hook === undefined ? [] : [hook.args]))];
  return programs.map((words) =>
    words.map((arg) => arg.replace(/\{\{([a-z][a-z0-9-]*)\}\}/g, (whole, name: string) => values.get(name) ?? whole)).join('\0'),
  );
};

const isTenants = (court: Court, lease: Lease, { value, signer }: Signed<Request>): boolean =>
  value.tenant === lease.tenant && value.name === lease.name && fingerprint(court.crypto, fromHex(signer)) === value.tenant;

const names = (request: Request, lease: Lease, content: string): boolean => asksToRun(request, hex(lease.release), content);

const objectToRequest = (court: Court, lease: Lease, content: string, told: Told, args: string[]): Objection | null => {
  const { archive } = court;
  const asked = [...told.requests.keys()].flatMap((hash) => archive.request(hash) ?? []);
  const fitting = asked.filter(
    (request) => isTenants(court, lease, request) && request.value.state !== 'destroyed' && names(request.value, lease, content),
  );
  if (fitting.length === 0) return ['ran-unrequested', `no request of tenant ${lease.tenant} that the board heard of asks for it`];
  const manifest = archive.manifest(content);
  const isFilled = fitting.some(({ value }) => manifest !== undefined && filled(manifest.value, value).includes(args.join('\0')));
  return isFilled ? null : ['ran-unsigned', `its arguments are not those of the release with the tenant's parameters: ${args.join(' ')}`];
};

/**
 * Another release is assigned in its place and has not begun here: it may lack content, or wait for its time of the day, and
 * until then the one before goes on, and begins again after a crash or a power cut (instances-16).
 */
const awaitsUpdate = (court: Court, board: BoardCase, { document, isClosed }: LeaseCase): boolean =>
  document !== null &&
  !isClosed &&
  [...board.told].some(([id, { isListed, unwanted }]) => {
    const { document: next, runs, firstSeq } = court.scene.lease(id);
    if (next === null || !isListed || unwanted !== null || runs > 0 || firstSeq > 0) return false;
    const isLater = next.request === document.request && next.index === document.index && next.term > document.term;
    return isLater && !equal(next.release, document.release);
  });

const objectTo = (court: Court, board: BoardCase, found: LeaseCase, content: Bytes, args: string[]): Objection | null => {
  const told = board.told.get(found.id);
  const lease = found.document;
  if (told === undefined || lease === null || !isAssigned(court, told))
    return ['ran-unassigned', 'no gateway of its federation assigned it to this board'];
  if (lease.board !== board.id) return ['ran-elsewhere', `the lease is for board ${lease.board}`];
  if (!court.archive.isProven(found)) return ['ran-unassigned', `gateway ${lease.guardian} that the lease names did not sign it`];
  const isNamed = [...told.requests.keys()].some((hash) => {
    const request = court.archive.request(hash)?.value;
    return request !== undefined && names(request, lease, hex(content));
  });
  if (hex(content) !== hex(lease.release) && !isNamed)
    return ['ran-other-release', `it ran ${hex(content)}, leased is ${hex(lease.release)}, and no request names it`];
  const isAwaiting = told.unwanted === 'dropped' && awaitsUpdate(court, board, found);
  if (told.unwanted !== null && !isAwaiting && !board.card.isCloned) {
    return told.unwanted === 'dropped'
      ? ['ran-unassigned', 'the board had long been told that it is not assigned any more']
      : ['ran-unrequested', 'the board had long been told that its tenant wants it stopped'];
  }
  return objectToManifest(court, lease, hex(content)) ?? objectToRequest(court, lease, hex(content), told, args);
};

/** At the moment at which a program begins. */
export const examineBegin = (court: Court, atMs: number, board: BoardCase, lease: LeaseCase, content: Bytes, args: string[]): void => {
  const objection = objectTo(court, board, lease, content, args);
  if (objection !== null) court.docket.accuse(objection[0], atMs, `${board.id} ${lease.id}`, objection[1]);
  const isRecorded = lease.firstSeq > 0 && lease.firstIsZero;
  if (court.scene.hearsWrites && !isRecorded && !board.card.isCloned)
    court.docket.accuse('began-unrecorded', atMs, lease.id, 'it began before a zero record of its lease was durable');
};
