/** Whom an instance serves beside its own tenant. Pure over rows: all gateways that hold the same logs say the same. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, LichenError } from '../../runtime/protocol/errors.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Share } from '../../runtime/protocol/nouns/share.ts';
import { givenFor, mostOf } from '../../runtime/protocol/shares.ts';
import type { Rows } from './context.ts';
import { manifests, requests, shares } from './tables.ts';

export interface HeldShare {
  share: string;
  doc: Share;
  hash: Bytes;
  sinceMs: number;
}

interface Host {
  request: Request;
  manifest: Manifest;
}

/** Errors as values: `not-found`, `not-shared`. */
export const hostOf = (rows: Rows, request: string): Host | LichenError => {
  const held = requests.get(rows, request)?.doc;
  const manifest = held === undefined ? undefined : manifests.get(rows, hex(held.release))?.doc;
  if (held === undefined || manifest === undefined) return new LichenError('not-found', 'its host is not known here');
  if (held.state === 'destroyed') return new LichenError('not-found', `its host ${held.name} has been destroyed`);
  return { request: held, manifest };
};

/** Why the host does not serve it, whatever room there is; null: it does. */
export const objectionTo = ({ manifest, request }: Host, share: Share): LichenError | null => {
  try {
    givenFor(manifest, request, share);
    return null;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return error;
  }
};

const inOrder = (rows: Rows, request: string): HeldShare[] =>
  shares
    .all(rows, request)
    .map(({ key, value }) => ({ share: key.slice(key.lastIndexOf('/') + 1), ...value }))
    .sort((a, b) => a.sinceMs - b.sinceMs || (a.share < b.share ? -1 : 1));

/** Those of a request that are wanted and may be served: who came first stands first, and for the last ones there may be no room. */
const wantedOf = (rows: Rows, request: string, host: Host): HeldShare[] =>
  inOrder(rows, request).filter(({ doc }) => doc.state === 'started' && objectionTo(host, doc) === null);

/** Each of its instances serves all of these. */
export const servedBy = (rows: Rows, request: string): HeldShare[] => {
  if (requests.get(rows, request)?.doc.shares === undefined) return [];
  const host = hostOf(rows, request);
  return host instanceof LichenError ? [] : wantedOf(rows, request, host).slice(0, mostOf(host.manifest, host.request));
};

/** Why a share is not served, or would not be if it were asked for now; null: it is. */
export const lackingFor = (rows: Rows, request: string, share: string, doc: Share): LichenError | null => {
  const host = hostOf(rows, request);
  if (host instanceof LichenError) return host;
  const objection = objectionTo(host, doc);
  if (objection !== null) return objection;
  const most = mostOf(host.manifest, host.request);
  const wanted = wantedOf(rows, request, host);
  const place = wanted.findIndex((one) => one.share === share);
  const isServed = place < 0 ? wanted.length < most : place < most;
  return isServed ? null : new LichenError('not-shared', `${host.request.name} serves ${most} shares, and others came first`);
};
