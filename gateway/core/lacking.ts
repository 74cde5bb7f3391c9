/** Why a request has no board, or not enough of them: told to its tenant and in `doctor`. */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { dataMibOf } from '../../runtime/protocol/nouns/data.ts';
import { limitsIo } from '../../runtime/protocol/nouns/io.ts';
import { needsOf, publishedOf, targetsOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Context, Rows } from './context.ts';
import { leasedLimits } from './contract.ts';
import { unfit } from './fit.ts';
import { leasesFor } from './holding.ts';
import { currentLease } from './leased.ts';
import { linkedRequests } from './links.ts';
import { canPublish, takenBy } from './ports.ts';
import { leftFor } from './purse.ts';
import { lentBy, roomsOf } from './rooms.ts';
import { bindings, boards, manifests, releases, vouchers } from './tables.ts';
import { isFor } from './waves.ts';

/** An instance without a lease that this request asks for gets none any more. */
const voucherLacking = (rows: Rows, id: RequestId, request: Request): string[] => {
  if (vouchers.get(rows, hex(request.voucher)) === null) return [];
  const isUnpaid = (index: number): boolean => {
    const held = currentLease(rows, id, index);
    const goesOn = held !== null && !held.closed && isFor(rows, request, held) && equal(held.doc.voucher, request.voucher);
    return !goesOn && leftFor(rows, id, request, index) === 0n;
  };
  const unpaid = Array.from({ length: request.replicas }, (_, index) => index).filter(isUnpaid);
  return unpaid.length === 0 ? [] : [`voucher ${hex(request.voucher).slice(0, 12)} is spent: name another one`];
};

/** Where nothing of it runs, whatever is free of the port is for it. */
const portsLacking = (rows: Rows, manifest: Manifest, request: Request): string[] => {
  const wanted = publishedOf(manifest, request);
  const free = ({ key, value: { offer } }: ReturnType<typeof boards.all>[number]): boolean =>
    canPublish(manifest, request, offer?.ports, takenBy(rows, leasesFor(rows, key)));
  if (wanted.length === 0 || boards.all(rows).some(free)) return [];
  return [`no board has port ${wanted.map(({ outside, protocol }) => `${outside}/${protocol}`).join(', ')} free`];
};

/** Of boards that nothing is leased on now, whatever they have. */
const absentBoards = (rows: Rows): string[] => {
  let [away, unbound] = [0, 0];
  for (const { key, value } of boards.all(rows)) {
    if (value.home === null || !value.here) away++;
    else if (bindings.get(rows, key) === null) unbound++;
  }
  return [
    ...(away === 0 ? [] : [`${plural(away, 'board is', 'boards are')} away`]),
    ...(unbound === 0 ? [] : [`${plural(unbound, 'board has', 'boards have')} no tariff of an owner (lichen board bind)`]),
  ];
};

/** Board by board, where none lacks it for all. */
const roomLacking = (rows: Rows, context: Context, request: Request, manifest: Manifest, now: Instant): string[] => {
  const id = requestIdOf(context.crypto, request.tenant, request.name);
  const { missing } = releases.get(rows, hex(request.release)) ?? { missing: 0 };
  if (missing > 0)
    return [`${plural(missing, 'piece of its release has', 'pieces of its release have')} not come to this gateway: push it again`];
  if (vouchers.get(rows, hex(request.voucher)) === null) return ['its voucher has not come to this gateway: push it'];
  const candidates = [...roomsOf(rows, context, now).of.entries()].map(([, candidate]) => candidate);
  const asked = {
    ...{ request, manifest, limits: leasedLimits(rows, request, manifest) },
    ...{ needs: needsOf(manifest), beside: linkedRequests(context.crypto, manifest, request) },
  };
  const own = new Set(candidates.filter(({ held }) => held.has(id)).map(({ board }) => board));
  if (boards.all(rows).length === 0) return ['no board is paired'];
  return [...unfit(candidates, asked, own), ...absentBoards(rows)];
};

export const lackingFor = (rows: Rows, context: Context, request: Request, now: Instant): string[] => {
  if (request.state === 'destroyed') return [];
  const manifest = manifests.get(rows, hex(request.release))?.doc;
  if (manifest === undefined) return ['its release has not come to this gateway: push it'];
  const nowhere = lackedByAll(rows, context, request, manifest);
  return nowhere.length > 0 ? nowhere : roomLacking(rows, context, request, manifest, now);
};

/** What no board has, whatever is free of it. */
const lackedByAll = (rows: Rows, context: Pick<Context, 'crypto'>, request: Request, manifest: Manifest): string[] => {
  const lent = boards.all(rows).map(({ key, value: { offer } }) => {
    const binding = bindings.get(rows, key);
    return offer === null || binding === null ? new Set<string>() : lentBy(offer, binding);
  });
  const needs = needsOf(manifest);
  const unlent = needs.filter((need) => !lent.some((set) => set.has(need)));
  const together = unlent.length > 0 || needs.length === 0 || lent.some((set) => needs.every((need) => set.has(need)));
  const dataMib = dataMibOf(manifest.limits);
  const most = Math.max(0, ...boards.all(rows).map(({ value: { offer } }) => offer?.dataMib ?? 0));
  const anyLimitsIo = boards.all(rows).some(({ value: { offer } }) => offer?.enforces.io === true);
  const absent = [...targetsOf(manifest, request).values()].filter(
    (name) => currentLease(rows, requestIdOf(context.crypto, request.tenant, name), 0) === null,
  );
  return [
    ...unlent.map((need) => `no board lends ${need}`),
    ...(together ? [] : [`no board lends ${needs.join(', ')} together`]),
    ...(dataMib === 0 || most >= dataMib ? [] : [`no board has ${dataMib} MiB for /data`]),
    ...voucherLacking(rows, requestIdOf(context.crypto, request.tenant, request.name), request),
    ...(!limitsIo(manifest.limits) || anyLimitsIo ? [] : ['no board limits how fast its card is read and written']),
    ...portsLacking(rows, manifest, request),
    ...absent.map((name) => `it is to be beside ${name}, which has no board`),
  ];
};
