/** The HTTP API's calls, as decisions over rows. */
import * as v from 'valibot';
import type { DecidedCall } from '../../runtime/protocol/api.ts';
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { admitSchema } from '../../runtime/protocol/nouns/log.ts';
import { ownerId, parse, uint } from '../../runtime/protocol/schema.ts';
import { batchAfter, sizeOf } from '../core/log.ts';
import { acceptOnce } from './accept.ts';
import { type Answer, json } from './answering.ts';
import type { ApiInput } from './events.ts';
import { difference, listBoards, listGateways, listInstances, listReleases, listRequests, listShares, status } from './listings.ts';
import { makeClaim } from './pairing.ts';
import { closePeriod, listPeriods } from './periods.ts';
import { answerOf, push } from './push.ts';

const bodyOf = (input: ApiInput): Bytes => input.body ?? refuse('bad-usage', 'the call needs a body');

const readJson = (input: ApiInput): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bodyOf(input)));
  } catch {
    return refuse('bad-schema', 'the body is not JSON');
  }
};

const admitInput = v.strictObject({
  role: v.picklist(['tenant', 'owner', 'publisher']),
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits')),
  name: v.string(),
});

const admit: Answer = (work, service, input, now) => {
  const { role, key, name } = parse(admitInput, readJson(input), 'admission');
  const body = encodeAs(admitSchema, { v: 1, role, key: fromHex(key), name }, 'admit');
  acceptOnce(work, service, 'admit', body, now);
  return json({ id: fingerprint(service.crypto, fromHex(key)) });
};

const claim: Answer = (work, service, input, now) => {
  const { owner } = parse(v.strictObject({ owner: ownerId }), readJson(input), 'claim');
  return json({ claim: makeClaim(work, service, owner, now), validMs: LIMITS.claimMs });
};

const pushed: Answer = (work, service, input, now) => {
  const body = bodyOf(input);
  const { ok, missing } = answerOf(service, body, push(work, service, body, now));
  return json({ ok, missing: missing.map(hex) });
};

/** Entries from `from` up to a signed head that covers them. */
const log: Answer = (work, _service, input) => {
  const author = input.params.author ?? '';
  const from = parse(uint, Number(input.params.from ?? '0'), 'from');
  const batch = batchAfter(work, author, from);
  if (batch === null) return json({ author, from, size: sizeOf(work, author), head: null, entries: [] });
  return json({
    author,
    from,
    size: sizeOf(work, author),
    head: batch.note,
    entries: batch.entries.map(hex),
  });
};

/** But for statements, which take more than a turn. */
export const CALLS: Record<Exclude<DecidedCall, 'statement'>, Answer> = {
  status,
  gateways: listGateways,
  boards: listBoards,
  releases: listReleases,
  difference,
  requests: listRequests,
  instances: listInstances,
  shares: listShares,
  push: pushed,
  admit,
  claim,
  close: (work, service, _input, now) => json(closePeriod(work, service, now)),
  periods: (work) => json(listPeriods(work)),
  log,
};
