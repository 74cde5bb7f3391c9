/** Whom a shared instance serves: asked alike by the gateway to which a share is pushed, by its peers, and by every board. */
import { type Bytes, utf8 } from './bytes.ts';
import type { Crypto } from './crypto.ts';
import { asLichenError, refuse } from './errors.ts';
import { fingerprint, type TenantId } from './ids.ts';
import { type Json, parseJson } from './json-schema.ts';
import { LIMITS } from './limits.ts';
import { type Sealed, unseal } from './noun.ts';
import type { Manifest } from './nouns/release.ts';
import type { Request } from './nouns/request.ts';
import { type Share, shareNoun } from './nouns/share.ts';
import { checkJson, type Given, givenTo } from './parameters.ts';

/** How many each instance of it serves at most; 0: it is not shared. */
export const mostOf = ({ shares }: Manifest, request: Request): number => Math.min(shares?.most ?? 0, request.shares?.most ?? 0);

/** Error: `not-shared`. */
export const checkSharing = ({ shares }: Manifest, request: Request): void => {
  if (request.shares === undefined) return;
  if (shares === undefined) refuse('not-shared', 'its release serves one request alone');
  if (request.shares.most > (shares?.most ?? 0))
    refuse('not-shared', `its release serves ${shares?.most} shares at most, not ${request.shares.most}`);
};

/** Errors: `wrong-signer`, and those of a document. */
export const openShare = (crypto: Crypto, document: Bytes): Sealed<Share> => {
  const sealed = unseal(crypto, shareNoun, document);
  if (fingerprint<TenantId>(crypto, sealed.signer) !== sealed.value.tenant) refuse('wrong-signer', 'the tenant it names did not sign it');
  return sealed;
};

/** What of a share is given to an instance of its host. Errors: `not-shared`, `bad-parameter`. */
export const givenFor = (manifest: Manifest, request: Request, { tenant, parameters }: Share): Given => {
  const { shares: takes } = manifest;
  if (takes === undefined || request.shares === undefined) return refuse('not-shared', `${request.name} is not shared`);
  const { tenants } = request.shares;
  if (tenant !== request.tenant && tenants?.includes(tenant) === false) refuse('not-shared', `${request.name} is not for tenant ${tenant}`);
  return givenTo(takes, parameters);
};

/** What an instance said to one whom it serves, or why that is not told on. */
export interface Said {
  connection: string | null;
  detail: string;
}

const UNSAID: Said = { connection: null, detail: '' };
const FILE = 'shares.json';
/** Of what an instance says to all of them. */
export const SAID_BYTES = LIMITS.shares * (LIMITS.shareConnectionBytes + 64);

const orWhy = (say: () => string): Said => {
  try {
    return { connection: say(), detail: '' };
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return { connection: null, detail: error.detail };
  }
};

const checked = (schema: string, value: Json): string => {
  const connection = checkJson(schema, value);
  return utf8(connection).length <= LIMITS.shareConnectionBytes
    ? connection
    : refuse('bad-connection', `${FILE}: more than ${LIMITS.shareConnectionBytes} bytes for one share`);
};

/** What it says to each of those that it serves; what it says to others goes nowhere. Errors: `bad-connection`. */
export const saidTo = ({ shares: takes }: Manifest, served: readonly string[], text: string | null): Map<string, Said> => {
  const schema = takes?.connectionSchema;
  if (schema === undefined || text === null) return new Map(served.map((share) => [share, UNSAID]));
  const all = parseJson(text, SAID_BYTES, 'bad-connection', FILE);
  if (all === null || typeof all !== 'object' || Array.isArray(all)) return refuse('bad-connection', `${FILE} is not an object`);
  return new Map(
    served.map((share) => {
      const value = Object.hasOwn(all, share) ? all[share] : undefined;
      return [share, value === undefined ? UNSAID : orWhy(() => checked(schema, value))];
    }),
  );
};
