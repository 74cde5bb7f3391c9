/**
 * Logs for the tenants of their instances: a question that the tenant signed is answered once, sealed to the key that it names.
 * Nothing is remembered between question and answer but what the engine gives back.
 */
import { instances } from '../core/tables.ts';
import { type Bytes, fromHex, hex, utf8 } from '../protocol/bytes.ts';
import { asLichenError, type LichenError, refuse, tell } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { encodeAs, unseal } from '../protocol/noun.ts';
import { LOG_INFO, logFrame, logText, type Watch, watchNoun } from '../protocol/nouns/watch.ts';
import { beginning } from '../protocol/printable.ts';
import { leaseId, parse } from '../protocol/schema.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Of, Work } from './events.ts';

/** Hash of the question and the key to answer to, as hex. */
const HASH_DIGITS = 64;

/** Errors: `wrong-signer`, `not-found`. Whoever carries the question cannot have made it, and it opens to nobody else. */
const askedFor = (work: Work, board: Board, payload: Bytes): { lease: string; watch: Watch } => {
  const { value, signer } = unseal(board.crypto, watchNoun, payload);
  if (fingerprint(board.crypto, signer) !== value.tenant) refuse('wrong-signer', `tenant ${value.tenant} did not sign the question`);
  const found = instances
    .all(work)
    .filter(({ value: { lease } }) => lease.tenant === value.tenant && lease.name === value.name && lease.index === value.index)
    // One that is on its way out speaks only when there is no other.
    .sort((a, b) => b.value.lease.term - a.value.lease.term)[0];
  if (found === undefined) return refuse('not-found', `${value.name}/${value.index} is not on this board`);
  return { lease: found.key, watch: value };
};

const refusalOf = (of: Bytes, error: LichenError): Bytes => {
  const { code, says, why, next } = tell(error);
  return encodeAs(logFrame, { v: 1, of, refusal: { v: 1, code, why: beginning(`${says} ${why}`, 300), next }, box: null }, 'log');
};

export const tailed = (work: Work, board: Board, payload: Bytes): void => {
  const of = board.crypto.sha256(payload);
  try {
    const { lease, watch } = askedFor(work, board, payload);
    // A position in another lease's log says nothing about this one: it is read from its beginning.
    const from = watch.lease === null || watch.lease === lease ? watch.from : 0;
    const { tailBytes, waitMs, to } = watch;
    const step = { kind: 'log', partition: lease, from, tailBytes, waitMs, tag: hex(of) + hex(to) } as const;
    work.emit({ kind: 'partition', step });
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'publish', topic: 'log', payload: refusalOf(of, error) });
  }
};

/** Dropped by the link when the session is over: whoever asked asks again. */
export const logged = (work: Work, board: Board, event: Of<'logged'>, _now: Instant): void => {
  const { from, next, missed, tag } = event;
  const [of, to] = [fromHex(tag.slice(0, HASH_DIGITS)), fromHex(tag.slice(HASH_DIGITS))];
  const lease = parse(leaseId, event.partition, 'log');
  try {
    const text = encodeAs(logText, { v: 1, lease, from, next, missed, text: utf8(event.text) }, 'log');
    const box = board.sealer.sealTo(to, utf8(LOG_INFO), of, text, board.entropy.bytes(32));
    work.emit({ kind: 'publish', topic: 'log', payload: encodeAs(logFrame, { v: 1, of, refusal: null, box }, 'log') });
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code !== 'weak-key') throw thrown;
    work.emit({ kind: 'publish', topic: 'log', payload: refusalOf(of, error) });
  }
};
