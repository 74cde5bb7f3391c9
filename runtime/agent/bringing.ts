/**
 * What this board runs may be known to nobody else: the gateway that leased it may have told no other, and may be gone. So each home
 * is brought it, for as long as the record that opens the lease is not known to be on two disks. docs/spec/metering.md, metering-11.
 */
import { documents, type Instance, instances, leaseDocuments, openings } from '../core/tables.ts';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import { encodeAs } from '../protocol/noun.ts';
import { bring } from '../protocol/nouns/messages.ts';
import { ordinal } from '../turn/table.ts';
import type { Work } from './events.ts';

interface Given {
  document: Bytes;
  request: Bytes;
  voucher: Bytes;
}

/** Record `seq` opens the lease. */
export const noteOpening = (work: Work, id: string, { lease, request }: Instance, seq: number): void => {
  const document = leaseDocuments.get(work, id);
  if (document === null) return;
  openings.put(work, { lease: lease.lease, document, request, voucher: lease.voucher }, ordinal(seq));
  leaseDocuments.remove(work, id);
};

const say = (work: Work, { document, request, voucher }: Given): void => {
  const [asked, paid] = [request, voucher].map((hash) => documents.get(work, hex(hash)));
  const payload = { v: 1 as const, lease: document, ...(asked && { request: asked }), ...(paid && { voucher: paid }) };
  work.emit({ kind: 'publish', topic: 'bring', payload: encodeAs(bring, payload, 'bring') });
};

/** Of what is here yet. */
const living = (work: Work): Given[] => [
  ...leaseDocuments.all(work).flatMap(({ key, value: document }) => {
    const instance = instances.get(work, key);
    return instance === null ? [] : [{ document, request: instance.request, voucher: instance.lease.voucher }];
  }),
  ...openings.all(work).flatMap(({ value }) => (instances.get(work, value.lease) === null ? [] : [value])),
];

const EARLY = LIMITS.partitionsPerBoard;

/** Before the hello, as what is not listed in the assignment that answers that ends. A gateway keeps no more of it until then. */
export const bringFirst = (work: Work): void => {
  for (const given of living(work).slice(0, EARLY)) say(work, given);
};

/** Before the first record of a session: what has ended meanwhile, and what was too much. */
export const bringRest = (work: Work): void => {
  const here = living(work);
  for (const given of here.length > EARLY ? here : []) say(work, given);
  for (const { value } of openings.all(work)) if (instances.get(work, value.lease) === null) say(work, value);
};

/** Hashes of the documents that may have to be brought. */
export const documentsBrought = (work: Work): Bytes[] =>
  openings.all(work).flatMap(({ value: { request, voucher } }) => [request, voucher]);
