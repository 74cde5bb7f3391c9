/** Why a request has no board, as far as it is not their room: told to its tenant and in `doctor`. */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { dataMibOf } from '../../runtime/protocol/nouns/data.ts';
import { limitsIo } from '../../runtime/protocol/nouns/io.ts';
import { needsOf, publishedOf, targetsOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import type { Context, Rows } from './context.ts';
import { leasesFor } from './holding.ts';
import { currentLease } from './leased.ts';
import { canPublish, takenBy } from './ports.ts';
import { leftFor } from './purse.ts';
import { lentBy } from './rooms.ts';
import { bindings, boards, manifests, vouchers } from './tables.ts';
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

export const lackingFor = (rows: Rows, context: Pick<Context, 'crypto'>, request: Request): string[] => {
  const manifest = manifests.get(rows, hex(request.release))?.doc;
  if (manifest === undefined || request.state === 'destroyed') return [];
  const lent = boards.all(rows).map(({ key, value: { offer } }) => {
    const binding = bindings.get(rows, key);
    return offer === null || binding === null ? new Set<string>() : lentBy(offer, binding);
  });
  const needs = needsOf(manifest);
  const nowhere = needs.filter((need) => !lent.some((set) => set.has(need)));
  const together = nowhere.length > 0 || needs.length === 0 || lent.some((set) => needs.every((need) => set.has(need)));
  const dataMib = dataMibOf(manifest.limits);
  const most = Math.max(0, ...boards.all(rows).map(({ value: { offer } }) => offer?.dataMib ?? 0));
  const anyLimitsIo = boards.all(rows).some(({ value: { offer } }) => offer?.enforces.io === true);
  const absent = [...targetsOf(manifest, request).values()].filter(
    (name) => currentLease(rows, requestIdOf(context.crypto, request.tenant, name), 0) === null,
  );
  return [
    ...nowhere.map((need) => `no board lends ${need}`),
    ...(together ? [] : [`no board lends ${needs.join(', ')} together`]),
    ...(dataMib === 0 || most >= dataMib ? [] : [`no board has ${dataMib} MiB for /data`]),
    ...voucherLacking(rows, requestIdOf(context.crypto, request.tenant, request.name), request),
    ...(!limitsIo(manifest.limits) || anyLimitsIo ? [] : ['no board limits how fast its card is read and written']),
    ...portsLacking(rows, manifest, request),
    ...absent.map((name) => `it is to be beside ${name}, which has no board`),
  ];
};
