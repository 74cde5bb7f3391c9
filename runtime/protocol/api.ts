/**
 * The HTTP API, one row a call: server, CLI and reference documentation come from it. Bodies and answers are JSON,
 * but for `push` (raw bytes) and `statement`/`log` (CBOR). Money and counters are decimal strings.
 */
interface Call {
  method: 'GET' | 'POST';
  path: string;
  /** Asks for the operator's token. */
  admin: boolean;
  says: string;
}

export const API = {
  status: { method: 'GET', path: '/1/status', admin: false, says: 'this gateway, its peers and what it holds' },
  gateways: { method: 'GET', path: '/1/gateways', admin: false, says: 'the federation as the operators list it' },
  boards: { method: 'GET', path: '/1/boards', admin: false, says: 'boards with home, offer and owner' },
  releases: { method: 'GET', path: '/1/releases', admin: false, says: 'releases known here and whether their content is complete' },
  difference: {
    method: 'GET',
    path: '/1/releases/:release/difference',
    admin: false,
    says: 'what of a release a board that has ?from whole is still to be sent',
  },
  requests: { method: 'GET', path: '/1/requests', admin: false, says: 'standing requests' },
  instances: { method: 'GET', path: '/1/instances', admin: false, says: 'leases that are open, with the newest report of each' },
  shares: { method: 'GET', path: '/1/shares', admin: false, says: 'shares of instances, who serves them, and how they are reached' },
  push: { method: 'POST', path: '/1/push', admin: false, says: 'a signed document, or a page or chunk of a release' },
  carry: {
    method: 'POST',
    path: '/1/carried',
    admin: true,
    says: 'what a board says by a carried folder, and what is to be carried back; both in CBOR',
  },
  admit: { method: 'POST', path: '/1/admissions', admin: true, says: 'admits a tenant by its public key' },
  claim: { method: 'POST', path: '/1/claims', admin: true, says: 'makes a one-time pairing token for an owner' },
  close: { method: 'POST', path: '/1/periods', admin: true, says: 'closes the billing period at what is known now' },
  periods: { method: 'GET', path: '/1/periods', admin: false, says: 'closed periods with their vectors' },
  statement: {
    method: 'GET',
    path: '/1/periods/:period/statement',
    admin: false,
    says: 'the statement of a period: the same bytes at every gateway',
  },
  log: { method: 'GET', path: '/1/logs/:author', admin: false, says: 'entries of an author from ?from, with the signed head' },
} as const satisfies Record<string, Call>;

export type CallName = keyof typeof API;
/** Those that are a decision over rows; what is carried is a session. */
export type DecidedCall = Exclude<CallName, 'carry'>;
export const CALL_NAMES = Object.keys(API) as CallName[];
