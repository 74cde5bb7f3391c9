/**
 * What each kind of entry means. The same function serves this gateway's own entries and its peers'; it checks the
 * entry anew either way, so a peer's word is never taken for a board's or a tenant's.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { asLichenError, type LichenError } from '../../runtime/protocol/errors.ts';
import type { EntryKind, LogEntry } from '../../runtime/protocol/nouns/log.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import { applyBinding, applyManifest, applyRequest, applyUpkeep, applyVerdict, applyVoucher } from './apply-demand.ts';
import { applyShare } from './apply-share.ts';
import {
  applyClose,
  applyHome,
  applyLease,
  applyOffer,
  applyOutcome,
  applyPresence,
  applySystemOutcome,
  applyUsage,
} from './apply-supply.ts';
import { applyAdmit, applyOperator, applyPair, applyPublisher, applyRotation } from './apply-trust.ts';
import type { Context, Rows } from './context.ts';
import { pendings } from './tables.ts';

type Apply = (rows: Rows, context: Context, body: Bytes, entry: LogEntry) => void;

const APPLY: Record<EntryKind, Apply> = {
  operator: applyOperator,
  publisher: applyPublisher,
  manifest: applyManifest,
  request: applyRequest,
  voucher: applyVoucher,
  share: applyShare,
  verdict: applyVerdict,
  binding: applyBinding,
  rotation: applyRotation,
  home: applyHome,
  lease: applyLease,
  usage: applyUsage,
  outcome: applyOutcome,
  admit: applyAdmit,
  pair: applyPair,
  presence: applyPresence,
  offer: applyOffer,
  close: applyClose,
  upkeep: applyUpkeep,
  'system-outcome': applySystemOutcome,
};

/** Throws why the entry means nothing; then no row was written. */
export const applyEntry = (rows: Rows, context: Context, entry: LogEntry): void => APPLY[entry.kind](rows, context, entry.body, entry);

/** Reasons that may pass once another author's log has come. */
const MAY_PASS = new Set(['unknown-key', 'not-found', 'not-paired', 'conflict', 'wrong-signer', 'wrong-publisher']);

export const mayPass = (error: LichenError): boolean => MAY_PASS.has(error.code);

/**
 * Applies a peer's entry, or keeps it for later when what it stands on is missing: logs of several authors arrive in
 * no order among themselves. Returns why it was not applied, for the journal.
 */
export const applyForeign = (rows: Rows, context: Context, entry: LogEntry, body: Bytes): LichenError | null => {
  try {
    applyEntry(rows, context, entry);
    return null;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    if (mayPass(error)) pendings.put(rows, { body }, entry.author, ordinal(entry.seq));
    return error;
  }
};
