/** A request from the words of a command line, with the voucher that pays for it, and the next sequence of one. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint, type TenantId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { linkTargets, publishedPorts } from '../../runtime/protocol/nouns/reach.ts';
import { holdMs } from '../../runtime/protocol/nouns/release.ts';
import {
  type Fallback,
  fallback,
  filter as filterSchema,
  type Request,
  type Rollout,
  requestIdOf,
  requestSchema,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import type { SealedSecrets } from '../../runtime/protocol/nouns/secrets.ts';
import type { Sharing } from '../../runtime/protocol/nouns/share.ts';
import type { Window } from '../../runtime/protocol/nouns/windows.ts';
import { amount, currency as currencySchema, name as nameSchema, tenantId } from '../../runtime/protocol/schema.ts';
import type { StandingRequest } from './answers.ts';
import { ANY_PRICE, makeRequest, makeVoucher } from './ceremony.ts';
import { type ApiFlags, type Client, openClient } from './client.ts';
import { readAs, writeDocument } from './documents.ts';
import { seenThrough } from './empty-waves.ts';
import { readKey } from './keys.ts';
import { say } from './output.ts';
import { ratesOf } from './rates.ts';
import { readSecrets, sealSecrets } from './secrets.ts';
import { rolloutOf, windowsOf } from './waves.ts';
import { duration, hexBytes, misused, money, pairs, wholeNumber, word } from './words.ts';

export interface MakeFlags extends ApiFlags {
  tenantKey: string;
  release: string;
  name: string;
  replicas: string;
  state: string;
  param?: string[];
  filter?: string[];
  link?: string[];
  publish?: string[];
  secret?: string[];
  sequence?: string;
  voucher?: string;
  cap?: string;
  currency?: string;
  valid: string;
  priceCap?: string[];
  patience: string;
  onIsolation: string;
  hold?: string;
  fallback?: string;
  bake: string;
  shares?: string;
  shareWith?: string[];
  wave?: string[];
  skipEmpty?: boolean;
  tolerate: string;
  window?: string[];
  out?: string;
}

const MICRO_DECIMALS = 6;

interface Payment {
  hash: Bytes;
  currency: string;
  /** To be written beside the request; null for one that was made before. */
  document: Bytes | null;
}

const heldVoucher = (path: string, tenant: TenantId, flags: MakeFlags): Payment => {
  const { value, hash } = readAs(voucherNoun, path, unseal);
  if (value.tenant !== tenant) refuse('wrong-signer', `${path} is the voucher of tenant ${value.tenant}, the key is that of ${tenant}`);
  if (value.name !== flags.name) refuse('wrong-signer', `${path} pays for ${value.name}, this is ${flags.name}; --cap makes another`);
  if (flags.currency !== undefined && flags.currency !== value.currency)
    misused(`--currency ${flags.currency}, but ${path} is in ${value.currency}`);
  return { hash, currency: value.currency, document: null };
};

/** The serial only has to differ from that of every other voucher of this tenant: the time of making does. */
const newVoucher = (cap: string, signer: Signer, flags: MakeFlags): Payment => {
  const currency = word(currencySchema, flags.currency ?? misused('--cap asks for --currency, e.g. EUR'), '--currency');
  const capMicro = word(amount, money(cap, MICRO_DECIMALS, '--cap'), '--cap');
  const name = word(nameSchema, flags.name, '--name');
  const serial = Date.now();
  return {
    currency,
    ...makeVoucher(nodeCrypto, signer, { name, serial, currency, capMicro, notAfterMs: serial + duration(flags.valid, '--valid') }),
  };
};

const paymentOf = (flags: MakeFlags, signer: Signer, tenant: TenantId): Payment => {
  if ((flags.voucher === undefined) === (flags.cap === undefined))
    misused('either --voucher FILE or --cap AMOUNT --currency CODE is needed');
  return flags.voucher === undefined ? newVoucher(flags.cap ?? '', signer, flags) : heldVoucher(flags.voucher, tenant, flags);
};

const standing = async (client: Client, tenant: TenantId, name: string): Promise<StandingRequest | undefined> =>
  (await client.ask('requests')).find((row) => row.tenant === tenant && row.name === name);

const nextSequence = async (flags: MakeFlags, tenant: TenantId): Promise<number> =>
  ((await standing(openClient(flags), tenant, flags.name))?.sequence ?? 0) + 1;

const FIELDS = requestSchema.entries;

const numbers = (texts: Record<string, string>, flag: string): Record<string, number> =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, wholeNumber(text, flag, 1)]));

export interface Made {
  request: string;
  name: string;
  sequence: number;
  state: Request['state'];
  tenant: string;
  /** Hash of the voucher. */
  voucher: string;
  /** In the order in which they are pushed. */
  files: string[];
}

/** Sealed to boards that the gateway knows; it is asked for their offers, and not believed. */
const secretsOf = async (flags: MakeFlags, whose: Parameters<typeof sealSecrets>[1]): Promise<{ secrets?: SealedSecrets }> => {
  if (flags.secret === undefined) return {};
  const files = readSecrets(flags.secret);
  return { secrets: sealSecrets(files, whose, await openClient(flags).ask('boards'), say) };
};

export const fallbackTo = (release: Bytes, bake: string): Fallback => ({
  release,
  bakeMs: word(fallback.entries.bakeMs, duration(bake, '--bake'), '--bake'),
});

const ANYBODY = 'anybody';

/** Unless it says otherwise, its own tenant's shares alone. */
const sharingOf = ({ shares, shareWith = [] }: MakeFlags): { shares?: Sharing } => {
  if (shares === undefined) return shareWith.length === 0 ? {} : misused('--share-with goes with --shares NUMBER');
  const most = wholeNumber(shares, '--shares', 1, LIMITS.shares);
  if (!shareWith.includes(ANYBODY)) return { shares: { most, tenants: shareWith.map((id) => word(tenantId, id, '--share-with')) } };
  return shareWith.length === 1 ? { shares: { most, tenants: null } } : misused(`--share-with ${ANYBODY} stands alone`);
};

/** Without a release to go on with there is nothing that those could run whom a wave has not reached. */
const rolloutIn = ({ wave, tolerate, fallback: before }: MakeFlags): Rollout | undefined => {
  const made = rolloutOf(wave, tolerate);
  if (made !== undefined && before === undefined) misused('--wave needs --fallback HEX: the release of those that it has not reached');
  return made;
};

/** A gateway that is asked anyhow says which labels there are; else it stops in front of a wave to which nobody belongs. */
const seenRollout = async (plan: Rollout | undefined, name: string, tenant: TenantId, flags: MakeFlags): Promise<{ rollout?: Rollout }> => {
  const skips = flags.skipEmpty === true;
  if (plan === undefined) return {};
  return { rollout: flags.sequence === undefined || skips ? await seenThrough(plan, openClient(flags), tenant, name, skips) : plan };
};

/** All words are read before the gateway is asked and before anything is written. */
export const makeFiles = async (flags: MakeFlags): Promise<Made> => {
  const { signer } = readKey(flags.tenantKey);
  const tenant = fingerprint<TenantId>(nodeCrypto, signer.publicKey);
  const payment = paymentOf(flags, signer, tenant);
  const terms = {
    name: word(nameSchema, flags.name, '--name'),
    state: word(FIELDS.state, flags.state, '--state'),
    release: hexBytes(flags.release, '--release'),
    replicas: wholeNumber(flags.replicas, '--replicas', 1, LIMITS.replicas),
    parameters: word(FIELDS.parameters, pairs(flags.param ?? [], '--param'), '--param'),
    filter: word(filterSchema, pairs(flags.filter ?? [], '--filter'), '--filter'),
    priceCap: ratesOf(flags.priceCap ?? [], '--price-cap', ANY_PRICE),
    currency: payment.currency,
    voucher: payment.hash,
    onIsolation: word(FIELDS.onIsolation, flags.onIsolation, '--on-isolation'),
    patienceMs: word(FIELDS.patienceMs, duration(flags.patience, '--patience'), '--patience'),
    ...(flags.link && { links: word(linkTargets, pairs(flags.link, '--link'), '--link') }),
    ...(flags.publish && { publish: word(publishedPorts, numbers(pairs(flags.publish, '--publish'), '--publish'), '--publish') }),
    ...(flags.fallback !== undefined && { fallback: fallbackTo(hexBytes(flags.fallback, '--fallback'), flags.bake) }),
    ...sharingOf(flags),
    ...(flags.window && { windows: windowsOf(flags.window) }),
    ...(flags.hold !== undefined && { holdMs: word(holdMs, duration(flags.hold, '--hold'), '--hold') }),
  };
  const rollout = await seenRollout(rolloutIn(flags), terms.name, tenant, flags);
  const secrets = await secretsOf(flags, { tenant, name: terms.name, filter: terms.filter });
  const sequence = flags.sequence === undefined ? await nextSequence(flags, tenant) : wholeNumber(flags.sequence, '--sequence', 1);
  const { document } = makeRequest(nodeCrypto, signer, { ...terms, ...rollout, ...secrets, sequence });
  const out = flags.out ?? `${terms.name}-${sequence}.request`;
  const voucherFile = flags.voucher ?? `${out}.voucher`;
  if (payment.document !== null) writeDocument(voucherFile, payment.document, false);
  writeDocument(out, document, false);
  const request = requestIdOf(nodeCrypto, tenant, terms.name);
  return { request, name: terms.name, sequence, state: terms.state, tenant, voucher: hex(payment.hash), files: [voucherFile, out] };
};

/** What of a standing request is to be another; parameters that are not named stay. */
export interface Change {
  state?: Request['state'];
  parameters?: Record<string, string>;
  /** All instances begin anew. */
  bang?: true;
  /** Another release, which falls back to the present one if it does not hold for so long; `null`: to none. */
  update?: { release: Bytes; bake: string | null; rollout?: Rollout };
  /** Times of the day; `null`: at any. */
  windows?: Window[] | null;
  /** To the release that the present one would fall back to. */
  rollback?: true;
}

interface Releases {
  release: Bytes;
  fallback?: Fallback;
  rollout?: Rollout;
}

/** `failed`: some board has had to fall back from the present release, so that nothing is to fall back to it. */
const releasesOf = (held: StandingRequest, { update, rollback }: Change, failed: boolean): Releases => {
  const standing = held.fallback === null ? undefined : { release: fromHex(held.fallback.release), bakeMs: held.fallback.bakeMs };
  if (rollback === true) {
    if (standing === undefined)
      return refuse('not-found', `${held.name} names no release to fall back to; say which: \`request set --release HEX\``);
    return { release: standing.release };
  }
  const release = fromHex(held.release);
  // What has not reached all is not what all can go back to.
  const isProven = !failed && (held.rollout === null || held.rollout.state === 'done');
  const good = !isProven && standing !== undefined ? standing.release : release;
  if (update === undefined)
    return { release, ...(standing !== undefined && { fallback: standing }), ...(held.rollout !== null && { rollout: held.rollout.plan }) };
  const isBaked = update.bake !== null && !equal(good, update.release);
  if (!isBaked) return { release: update.release };
  const { rollout } = update;
  return { release: update.release, fallback: fallbackTo(good, update.bake ?? ''), ...(rollout !== undefined && { rollout }) };
};

/** The newest request of that name with something changed, signed. Error: `not-found`. */
export const nextOf = async (
  name: string,
  change: Change,
  keyFile: string,
  client: Client,
): Promise<{ document: Bytes; doc: Request; request: string; sequence: number; state: Request['state'] }> => {
  const { signer } = readKey(keyFile);
  const tenant = fingerprint<TenantId>(nodeCrypto, signer.publicKey);
  const held = (await standing(client, tenant, name)) ?? refuse('not-found', `tenant ${tenant} has no request ${name} at ${client.url}`);
  const { replicas, filter, priceCap, currency, onIsolation, patienceMs, links, publish, request, shares } = held;
  const failed = (await client.ask('instances')).some((one) => one.request === request && (one.report?.instead ?? null) !== null);
  const sequence = held.sequence + 1;
  const state = change.state ?? held.state;
  const bang = held.bang + (change.bang === true ? 1 : 0);
  const windows = change.windows === undefined ? held.windows : change.windows;
  const kept = {
    ...{ replicas, parameters: { ...held.parameters, ...change.parameters }, filter, priceCap, currency, onIsolation, patienceMs },
    ...(Object.keys(links).length > 0 && { links }),
    ...(Object.keys(publish).length > 0 && { publish }),
    ...(held.holdMs !== null && { holdMs: held.holdMs }),
    ...(shares !== null && { shares }),
    ...(windows !== null && { windows }),
    ...(bang > 0 && { bang }),
    ...(held.secrets.length > 0 && { secrets: held.secrets.map(({ board, box }) => ({ board, box: fromHex(box) })) }),
  };
  const { doc, document } = makeRequest(nodeCrypto, signer, {
    name,
    sequence,
    state,
    ...releasesOf(held, change, failed),
    voucher: fromHex(held.voucher),
    ...kept,
  });
  return { document, doc, request, sequence, state };
};
