/**
 * What gateways state in the end: that a period which was to be closed is closed and stated, that all whose word counts
 * state the same, and that it is what they stated on the way.
 */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Court } from './court.ts';
import type { Logs } from './logs.ts';
import { type GatewayCase, isGood, isThere } from './scene.ts';

/** Statements of all periods that a gateway had closed at some time, in order. */
export interface Said {
  gateway: GatewayCase;
  statements: Bytes[];
}

/** A gateway was told to close a period. */
export interface Closing {
  gateway: GatewayCase;
  sinceMs: number;
}

/** The last close that was asked for: one that runs and can be reached has nobody to blame but itself. */
export const examineClosing = (court: Court, logs: Logs, atMs: number, closing: Closing, statements: Map<string, Bytes[]>): void => {
  const { gateway, sinceMs } = closing;
  if (!isGood(gateway) || !isThere(gateway) || gateway.upMs > sinceMs) return;
  const accuse = (what: string): void => court.docket.accuse('not-closed', atMs, gateway.id, what);
  const period = logs.closedBy(gateway.id, sinceMs);
  const stated = statements.get(gateway.id)?.length ?? 0;
  if (period === null) accuse(`it was told to close the period ${atMs - sinceMs} ms ago, and its log closes none since`);
  else if (stated < period) accuse(`it closed period ${period}, and states ${stated}`);
};

/**
 * Nothing keeps it from all that the others hold: who lost its disk is believed by nobody and hears of no close, who was
 * told another history never takes the one that the others have, and who has just come needs its time.
 */
const isAbreast = ({ limits }: Court, atMs: number, gateway: GatewayCase): boolean =>
  isThere(gateway) && gateway.forgotMs === null && !gateway.isDeceived && gateway.upMs <= atMs - limits.abreastMs;

/** Of the gateways whose word counts all have said the same, and as much unless something keeps them from it. Returns the one word. */
export const examineAgreement = (court: Court, atMs: number, statements: Map<string, Bytes[]>): Bytes[] => {
  const { scene, docket } = court;
  const asked = [...statements.keys()].map((id) => scene.gateway(id));
  const good = [...new Set([...asked, ...scene.gateways.values()])].filter(isGood);
  const first = good.find((gateway) => isAbreast(court, atMs, gateway)) ?? good.find(({ id }) => statements.has(id));
  if (first === undefined) return [];
  const reference = statements.get(first.id) ?? [];
  for (const gateway of good) {
    const other = statements.get(gateway.id) ?? [];
    const mayLag = !isAbreast(court, atMs, gateway) || first.apart.has(gateway.id);
    if (gateway === first || (mayLag && other.length !== reference.length)) continue;
    const at = reference.findIndex((bytes, i) => !equal(bytes, other[i] ?? new Uint8Array(0)));
    if (at >= 0 || other.length !== reference.length)
      docket.accuse(
        'statements-differ',
        atMs,
        `${first.id} ${gateway.id}`,
        `their statements differ from the ${at < 0 ? reference.length + 1 : at + 1}. on, of ${reference.length} and ${other.length}`,
      );
  }
  return reference;
};

/** What was stated of a period on the way is what it comes to in the end, unless another close of it has taken its place. */
export const examineChanges = (court: Court, logs: Logs, atMs: number, reference: Bytes[], said: Said[]): void => {
  for (const { gateway, statements } of said) {
    if (!isGood(gateway) || gateway.forgotMs !== null) continue;
    statements.forEach((bytes, i) => {
      const last = reference[i];
      if (last === undefined || equal(bytes, last) || logs.closersOf(i + 1) > 1) return;
      court.docket.accuse('statement-changed', atMs, gateway.id, `what it stated of period ${i + 1} is not what that comes to in the end`);
    });
  }
};
