/** Documents that are pushed together, held against each other before the first is sent: a voucher that was accepted pays for no request that was refused. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { equal } from '../../runtime/protocol/bytes.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { type Request, requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { givenTo, type Takes } from '../../runtime/protocol/parameters.ts';
import type { Document } from './documents.ts';

export interface Pushed {
  path: string;
  document: Document;
}

/** What is said of a release by its hash; undefined: nothing is known of it. */
export type Known = (release: Request['release']) => Takes | undefined;

const ownSigner = ({ signers: [signer] }: Document, tenant: string): void => {
  if (signer !== undefined && fingerprint(nodeCrypto, signer) !== tenant)
    refuse('wrong-signer', `it names tenant ${tenant}, which did not sign it`);
};

const checkRequest = (document: Document, together: Pushed[], known: Known): void => {
  const { tenant, name, currency, voucher, release, parameters } = unseal(nodeCrypto, requestNoun, document.bytes).value;
  ownSigner(document, tenant);
  const pays = together.find((one) => one.document.kind === 'voucher' && equal(one.document.hash, voucher));
  if (pays !== undefined) {
    const paid = unseal(nodeCrypto, voucherNoun, pays.document.bytes).value;
    if (paid.tenant !== tenant || paid.name !== name) refuse('wrong-signer', `${pays.path} pays for ${paid.name} of tenant ${paid.tenant}`);
    if (paid.currency !== currency) refuse('wrong-signer', `${pays.path} is in ${paid.currency}, and this in ${currency}`);
  }
  const takes = known(release);
  if (takes !== undefined) givenTo(takes, parameters);
};

/** Errors: what the gateway would refuse with, each naming the file. */
export const checkTogether = (pushed: Pushed[], known: Known): void => {
  for (const { path, document } of pushed) {
    try {
      if (document.kind === 'request') checkRequest(document, pushed, known);
    } catch (thrown) {
      throw thrown instanceof LichenError ? new LichenError(thrown.code, `${path}: ${thrown.detail}`, thrown.next) : thrown;
    }
  }
};
