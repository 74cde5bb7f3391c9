import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Part } from '../../runtime/protocol/image.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { objectionTo } from '../core/apply-demand.ts';
import { allGateways, gateways, isRevoked } from '../core/directory.ts';
import { openOf as openLeasesOf, stillWanted } from '../core/holding.ts';
import { alive } from '../core/homing.ts';
import { lackingFor } from '../core/lacking.ts';
import { currentLease } from '../core/leased.ts';
import { vectorOf } from '../core/log.ts';
import { isCopied, replicatedOf, usageHead } from '../core/replicas.ts';
import { lackingFor as lackingShare } from '../core/shares.ts';
import {
  accusations,
  bindings,
  boardSessions,
  boards,
  cards,
  hellos,
  leases,
  manifests,
  peers,
  pendings,
  releases,
  reports,
  requests,
  rotations,
  shareReports,
  shares,
  systems,
  upkeeps,
} from '../core/tables.ts';
import { type Answer, json } from './answering.ts';
import { differenceOf } from './difference.ts';
import type { Service, Work } from './events.ts';
import { fleetView } from './fleet-view.ts';
import { stockOf } from './pieces.ts';
import { rolloutView } from './rollout-view.ts';

export const status: Answer = (work, service, _input, now) =>
  json({
    gateway: service.me,
    name: service.name,
    region: service.region,
    operator: service.operator,
    software: service.software,
    wallMs: now.wallMs,
    vector: vectorOf(work),
    pending: pendings.all(work).length,
    content: { bytes: stockOf(work), most: service.contentBytes },
    boardsHere: boardSessions.all(work).map(({ key }) => key),
    peers: peers
      .all(work)
      .map(({ key, value }) => ({ gateway: key, up: value.up, forMs: Math.round(now.monoMs - value.sinceMs), vector: value.vector })),
  });

export const listGateways: Answer = (work, service, _input, now) =>
  json(
    allGateways(work, service).map(({ gateway, name, region, address, operator, key }) => ({
      gateway,
      name,
      region,
      address,
      operator,
      serving: gateways(work, service).some((entry) => entry.gateway === gateway),
      revoked: isRevoked(work, service, key),
      reachable: alive(work, service, gateway, now),
    })),
  );

const hexOf = (bytes: Bytes | null): string | null => (bytes === null ? null : hex(bytes));

/** Its owner's word on its system, and its own. */
const systemOf = (work: Work, service: Service, board: string, now: Instant) => {
  const upkeep = upkeeps.get(work, board)?.doc;
  const wish = upkeep && {
    ...{ version: upkeep.version, publisher: upkeep.publisher, release: hexOf(upkeep.release ?? null) },
    rollout: upkeep.rollout ?? null,
    windows: upkeep.windows ?? null,
    ...(upkeep.neighbours !== undefined && { neighbours: upkeep.neighbours }),
  };
  return {
    upkeep: wish ?? null,
    system: partOf(work, service, board, 'system', now),
    runtime: partOf(work, service, board, 'runtime', now),
  };
};

const partOf = (work: Work, service: Service, board: string, part: Part, now: Instant) => {
  const said = systems.get(work, `${board}/${part}`);
  const update = said?.update ?? null;
  return (
    said && {
      ...{ slot: said.slot, release: hexOf(said.release) },
      update: update && { ...update, release: hex(update.release) },
      fleet: fleetView(work, service, board, part, now),
    }
  );
};

export const listBoards: Answer = (work, service, _input, now) =>
  json(
    boards.all(work).map(({ key, value }) => ({
      board: key,
      owner: value.owner,
      home: value.home,
      here: value.here,
      sinceMs: value.sinceMs,
      quarantined: value.quarantined,
      /** End of its usage chain as known here, and up to where a peer holds it too. */
      usage: { seq: usageHead(work, key).seq, replicated: replicatedOf(work, key) },
      offer: value.offer === null ? null : { ...value.offer, ...(value.offer.box && { box: hex(value.offer.box) }) },
      /** As the board signed it, for who seals to the key that it names. */
      hello: hexOf(hellos.get(work, key)),
      /** How it came from the key that its id is made of to that of the hello. */
      rotations: rotations.all(work, key).map(({ value: document }) => hex(document)),
      labels: bindings.get(work, key)?.policy.labels ?? [],
      /** What its owner lends of network and devices, where it is offered as well. */
      grants: bindings.get(work, key)?.policy.grants ?? [],
      rates: bindings.get(work, key)?.rates ?? null,
      windows: bindings.get(work, key)?.policy.windows ?? null,
      bound: bindings.get(work, key) !== null,
      binding: bindings.get(work, key)?.version ?? 0,
      /** Gateways that gave it something else for a piece of content. */
      liars: (accusations.get(work, key) ?? []).map((liar) => ({ ...liar, about: hex(liar.about) })),
      /** What it says of its card; null: nothing. */
      card: cards.get(work, key),
      ...systemOf(work, service, key, now),
    })),
  );

/** Null: nothing of it is waited for, as it was let go, or never asked for. */
const missingOf = (work: Work, release: string): number | null => {
  const held = releases.get(work, release);
  return held === null || held.gone === true ? null : held.missing;
};

export const listReleases: Answer = (work) =>
  json(
    manifests.all(work).map(({ key, value: { doc } }) => ({
      release: key,
      recipe: doc.recipe,
      label: doc.label,
      sequence: doc.sequence,
      /** The boards whose system it is; null: it is a program. */
      image: doc.image?.board ?? null,
      part: doc.image === undefined ? null : (doc.image.part ?? 'system'),
      publisher: doc.publisher,
      bytes: doc.bytes,
      limits: { memoryMib: doc.limits.memoryMib, cpuMillis: doc.limits.cpuMillis },
      /** With their defaults, and the schema that they are held against. */
      parameters: doc.parameters,
      parameterSchema: doc.parameterSchema ?? null,
      /** What it takes of each share; null: it serves its own request alone. */
      shares: doc.shares ?? null,
      missing: missingOf(work, key),
      /** Why it is refused for good; empty: it is not. */
      refused: releases.get(work, key)?.refused ?? '',
    })),
  );

const refusalOf = (work: Work, request: Request): string => {
  const manifest = manifests.get(work, hex(request.release))?.doc;
  const error = manifest === undefined ? null : objectionTo(request, manifest);
  return error === null ? (releases.get(work, hex(request.release))?.refused ?? '') : error.message.slice(0, LIMITS.textBytes / 4);
};

/** `from`: hex of a release, or none. */
export const difference: Answer = (work, service, { params }) =>
  json(differenceOf(work, service, params.release ?? '', params.from === undefined || params.from === '' ? null : params.from));

export const listRequests: Answer = (work, service, _input, now) =>
  json(
    requests.all(work).map(({ key, value: { doc } }) => ({
      request: key,
      tenant: doc.tenant,
      name: doc.name,
      sequence: doc.sequence,
      state: doc.state,
      release: hex(doc.release),
      replicas: doc.replicas,
      // Whole, so that its tenant can sign the next sequence of it from any machine.
      parameters: doc.parameters,
      filter: doc.filter,
      priceCap: doc.priceCap,
      currency: doc.currency,
      voucher: hex(doc.voucher),
      onIsolation: doc.onIsolation,
      secrets: (doc.secrets ?? []).map(({ board, box }) => ({ board, box: hex(box) })),
      patienceMs: doc.patienceMs,
      links: doc.links ?? {},
      publish: doc.publish ?? {},
      holdMs: doc.holdMs ?? null,
      fallback: doc.fallback === undefined ? null : { release: hex(doc.fallback.release), bakeMs: doc.fallback.bakeMs },
      shares: doc.shares ?? null,
      windows: doc.windows ?? null,
      rollout: rolloutView(work, service, key, doc, now),
      bang: doc.bang ?? 0,
      /** Another gateway has it, too. */
      copied: isCopied(work, service, key),
      /** Why it is not acted upon; empty: it is. */
      refused: refusalOf(work, doc),
      ...placedOf(work, service, key, doc, now),
    })),
  );

/** Its leases, and why some are missing. */
const placedOf = (work: Work, service: Service, id: string, doc: Request, now: Instant): { leases: (string | null)[]; lacks: string[] } => {
  const held = Array.from({ length: doc.replicas }, (_, index) => {
    const held = currentLease(work, id, index);
    return held === null || !stillWanted(work, held) ? null : held.doc.lease;
  });
  return { leases: held, lacks: held.includes(null) ? lackingFor(work, service, doc, now) : [] };
};

/** How each instance of the host serves the share, as its board said last. */
const servingsOf = (work: Work, host: string, share: string) =>
  reportsOf(work, host).flatMap(({ lease, board, index, report }) => {
    const said = shareReports.get(work, lease)?.shares.find((one) => one.share === share);
    return said === undefined
      ? []
      : [{ lease, board, index, address: report?.address ?? null, connection: said.connection, detail: said.detail }];
  });

const reportsOf = (work: Work, host: string) =>
  openLeasesOf(work, host).map(({ doc: { lease, board, index } }) => ({ lease, board, index, report: reports.get(work, lease) }));

export const listShares: Answer = (work) =>
  json(
    shares.all(work).map(({ key, value: { doc } }) => {
      const [host = '', share = ''] = key.split('/');
      return {
        share,
        tenant: doc.tenant,
        name: doc.name,
        sequence: doc.sequence,
        state: doc.state,
        host: { ...doc.host, request: host },
        parameters: doc.parameters,
        /** Why no instance serves it; empty: they do, or it is destroyed. */
        refused: doc.state === 'destroyed' ? '' : (lackingShare(work, host, share, doc)?.message.slice(0, LIMITS.textBytes / 4) ?? ''),
        servings: doc.state === 'destroyed' ? [] : servingsOf(work, host, share),
      };
    }),
  );

export const listInstances: Answer = (work) =>
  json(
    leases
      .all(work)
      .filter(({ value }) => !value.closed)
      .map(({ key, value: { doc, opened } }) => ({
        lease: key,
        request: doc.request,
        name: doc.name,
        index: doc.index,
        term: doc.term,
        tenant: doc.tenant,
        board: doc.board,
        guardian: doc.guardian,
        currency: doc.currency,
        opened,
        report: reports.get(work, key),
      })),
  );
