/**
 * One fixed value for every noun and message, and one more for each form it can take. What they encode to is pinned in
 * test/vectors; they stand in no relation to each other.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { BoardId, GatewayId, OperatorId, OwnerId, TenantId } from '../../runtime/protocol/ids.ts';
import { type Noun, seal, sealMany } from '../../runtime/protocol/noun.ts';
import { invoiceSchema, postingSchema, statementSchema } from '../../runtime/protocol/nouns/billing.ts';
import {
  type Hello,
  helloNoun,
  homeNoun,
  offerSchema,
  outcomeNoun,
  pairingNoun,
  type Report,
  reportNoun,
  systemOutcomeNoun,
  usageNoun,
} from '../../runtime/protocol/nouns/board.ts';
import { grantNoun, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import { ackNoun, chainPoint, desiredNoun, leaseNoun, nowNoun } from '../../runtime/protocol/nouns/lease.ts';
import { admitSchema, closeSchema, entrySchema, pairSchema, peerFrame, presenceSchema } from '../../runtime/protocol/nouns/log.ts';
import {
  answer,
  bring,
  carried,
  chunk,
  claim,
  gone,
  pairAnswer,
  paired,
  refusal,
  usageBatch,
  want,
} from '../../runtime/protocol/nouns/messages.ts';
import { neighbourWant, neighbourWord } from '../../runtime/protocol/nouns/neighbours.ts';
import type { NetworkWish } from '../../runtime/protocol/nouns/reach.ts';
import { type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import { bindingNoun, requestNoun, rotationNoun, verdictNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { secretsText } from '../../runtime/protocol/nouns/secrets.ts';
import { sharedNoun, shareIdOf, shareNoun } from '../../runtime/protocol/nouns/share.ts';
import { operatorNoun, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import { logFrame, logText, watchNoun } from '../../runtime/protocol/nouns/watch.ts';
import type { Schema } from '../../runtime/protocol/schema.ts';
import { toSign } from '../../runtime/protocol/to-sign.ts';
import { keyOf, testCrypto } from './crypto.ts';
import * as on from './federation.ts';

const v = 1 as const;
const fill = (byte: number, length = 32): Bytes => new Uint8Array(length).fill(byte);
const board = on.idOf<BoardId>('board 1');
const gateway = on.idOf<GatewayId>('gateway a');
const tenant = on.idOf<TenantId>('tenant');
const owner = on.idOf<OwnerId>('owner');
const wallMs = 1_763_856_000_123;
const registers = {
  ...{ wallMs: 86_400_000n, cpuMicros: 4_294_967_296n, memoryMibS: 2_764_800n, netInBytes: 9_007_199_254_740_993n },
  ...{ netOutBytes: 18_446_744_073_709_551_615n, diskBytes: 0n, diskMibS: 23n, energyMj: 24n },
};
const lease = on.lease({ on: 'board 1' });
const head = { seq: 7, hash: fill(7) };

const offer = {
  ...{ tier: 'full' as const, arch: 'arm64' as const, memoryMib: 400, cpuMillis: 4000, partitions: 8 },
  enforces: { memory: true, cpu: true, pids: true, network: true, disk: false, deadline: true },
  ...{ engine: 'crun 1.21', model: 'Raspberry Pi Zero 2 W', box: fill(5) },
};
const hello: Hello = {
  ...{ v, board, speaks: { min: 1, max: 1 }, software: '0.1.0', bootId: '00000000-0000-4000-8000-000000000001', nonce: fill(1, 16) },
  ...{ home: fill(2, 40), head, offer },
};
const report: Report = {
  ...{ v, board, bootId: hello.bootId, monoMs: 5_000_000_000 },
  instances: [
    { lease: lease.lease, state: 'running', promise: 'held', restarts: 0, address: 'fd00:17c4:e400::1', detail: '' },
    {
      lease: on.lease({ on: 'board 1', index: 1 }).lease,
      state: 'refused',
      promise: 'unknown',
      restarts: 3,
      address: null,
      detail: 'bad-signature',
    },
    {
      ...{ lease: on.lease({ on: 'board 1', index: 2 }).lease, state: 'running', promise: 'held', restarts: 0, address: null, detail: '' },
      connection: '{"url":"mqtt://[fd00::1]"}',
      ...{ instead: fill(5), outcome: fill(6, 400) },
    },
  ],
};
const network: NetworkWish = {
  outbound: [
    { to: 'internet', port: 443, protocol: 'tcp' },
    { to: '10.9.0.0/16', port: 1883, protocol: 'tcp' },
    { to: '2001:db8::/32', port: 65_535, protocol: 'udp' },
    { to: 'time.example.org', port: 123, protocol: 'udp' },
  ],
  dns: true,
  links: [{ name: 'db', port: 5432, protocol: 'tcp' }],
  publish: [{ name: 'web', port: 80, protocol: 'tcp' }],
};
const manifest: Manifest = {
  ...{ v, publisher: on.PUBLISHER, recipe: 'echo', label: '1.0 «äöü» 水', sequence: 42, arch: 'any', pages: [fill(3), fill(4)] },
  ...{
    entries: 200_000,
    bytes: 4_294_967_296,
    args: ['bin/node', 'main.mjs', '{{port}}'],
    env: { LANG: 'C.UTF-8', TZ: 'UTC' },
    engine: 'node',
  },
  ...{
    parameters: { port: '8080', greeting: '' },
    limits: {
      memoryMib: 64,
      cpuMillis: 500,
      pids: 32,
      tmpMib: 0,
      logKib: 64,
      openFiles: 256,
      dataMib: 512,
      dataInodes: 4096,
      readKibPerS: 4096,
      writeKibPerS: 1024,
      ioOpsPerS: 200,
    },
    demands: 'reduced',
  },
  promises: [
    { name: 'answers', probe: { kind: 'http', port: 8080, path: '/' }, intervalMs: 1000, timeoutMs: 500, graceMs: 3000 },
    { name: 'listens', probe: { kind: 'tcp', port: 65_535 }, intervalMs: 100, timeoutMs: 1, graceMs: 0 },
    { name: 'checks', probe: { kind: 'exec', args: ['bin/check', '--all'] }, intervalMs: 60_000, timeoutMs: 10_000, graceMs: 60_000 },
  ],
};
/** With all that a release need not say. */
const whole: Manifest = {
  ...manifest,
  ...{ parameterSchema: '{"type":"object"}', connectionSchema: '{"type":"object","properties":{"url":{"type":"string"}}}' },
  shares: { most: 64, parameters: { path: '' }, parameterSchema: '{"type":"object"}', connectionSchema: '{"type":"object"}' },
  sbom: fill(9),
  ...{ reload: 'SIGHUP', stop: { signal: 'SIGINT', graceMs: 60_000 }, holdMs: 86_400_000 },
  data: {
    onUpdate: 'snapshot',
    before: { args: ['/bin/dump'], withinMs: 1 },
    after: { args: ['/bin/migrate', '{{greeting}}'], withinMs: 3_600_000 },
  },
  promises: [
    { name: 'fresh', probe: { kind: 'file', path: '/data/log', maxAgeMs: 60_000 }, intervalMs: 100, timeoutMs: 1, graceMs: 0 },
    { name: 'cool', probe: { kind: 'value', path: '/data/degrees', min: '-40', max: '85.5' }, intervalMs: 100, timeoutMs: 1, graceMs: 0 },
    { name: 'full', probe: { kind: 'reading', args: ['/bin/level'], min: '1', max: '2' }, intervalMs: 100, timeoutMs: 1, graceMs: 0 },
  ],
};
const usage = {
  ...{ v, board, seq: 8, prev: fill(7), lease: lease.lease, kind: 'point' as const, bootId: hello.bootId, monoMs: 5_000_000_000, wallMs },
  ...{ quality: 'interpolated' as const, tier: 'full' as const, amnesia: false, registers },
};
const posting = {
  ...{ lease: lease.lease, board, tenant, owner, operator: on.OPERATOR, request: on.REQUEST, name: 'echo', index: 0, term: 1 },
  ...{ tier: 'full' as const, currency: 'EUR', fromSeq: 1, toSeq: 8, used: registers, uncharged: { ...registers, netOutBytes: 0n } },
  ...{ reason: 'overlap, cap' as const, debitMicro: 1_000_001n, creditMicro: 863_000n, feeMicro: 137_000n, roundingMicro: 1n },
};
const vector = { [gateway]: 12, [on.idOf<GatewayId>('gateway b')]: 4_294_967_296 };
const invoice = { v, tenant, period: 2, vector, closedMs: wallMs, currency: 'EUR', postings: [posting], totalMicro: 1_000_001n };
const statement = {
  ...{ v, period: 2, previous: fill(9), vector, closedMs: wallMs, invoices: [invoice] },
  payouts: [{ owner, currency: 'EUR', creditMicro: 863_000n }],
  fees: [{ operator: on.OPERATOR, currency: 'EUR', feeMicro: 137_000n }],
  totals: [{ currency: 'EUR', chargesMicro: 1_000_001n, earningsMicro: 863_000n, feesMicro: 137_000n, roundingMicro: 1n }],
};
const watched = { v, tenant, name: 'echo', index: 0, tailBytes: 65_536, waitMs: 20_000, to: fill(3) };
const trust = {
  v,
  version: 2,
  previous: fill(5),
  threshold: 1,
  roots: [keyOf('root 1').publicKey],
  revoked: [keyOf('lost key').publicKey],
};

const share = {
  ...{ v, tenant, name: 'blog', sequence: 3, state: 'started' as const, host: { tenant: on.idOf<TenantId>('tenant b'), name: 'front' } },
  parameters: { path: 'blog' },
};
const shareId = shareIdOf(testCrypto, on.REQUEST, tenant, 'blog');
const shared = {
  ...{ v, board, lease: lease.lease, monoMs: 5_000_000_000 },
  shares: [
    { share: shareId, connection: '{"url":"http://[fd00::1]:8080/blog"}', detail: '' },
    { share: shareId, connection: null, detail: 'full' },
  ],
};

/** A signed noun with its value; the rule of its name in the CDDL says what it may hold. */
export interface SignedFrame {
  name: string;
  rule: string;
  noun: Noun<unknown>;
  value: unknown;
  document: Bytes;
}

export interface PlainFrame {
  name: string;
  rule: string;
  schema: Schema<unknown>;
  value: unknown;
}

const one = <T>(noun: Noun<T>, value: T, by: string, form = ''): SignedFrame => ({
  ...{ name: noun.name + form, rule: noun.name, noun, value, document: seal(noun, value, keyOf(by)) },
});
const many = <T>(noun: Noun<T>, value: T, by: Signer[]): SignedFrame => ({
  ...{ name: noun.name, rule: noun.name, noun, value, document: sealMany(noun, value, by) },
});
const plain = <T>(rule: string, schema: Schema<T>, value: T, form = ''): PlainFrame => ({ name: rule + form, rule, schema, value });

export const SIGNED: SignedFrame[] = [
  many(operatorNoun, on.operatorDoc({ ...trust, peers: [on.idOf<OperatorId>('peer')], retired: [gateway], feePermille: 1000 }), [
    keyOf('root 1'),
    keyOf('root 2'),
  ]),
  many(publisherNoun, { ...trust, name: 'Crustose Press', publisher: on.PUBLISHER, keys: [keyOf('release key').publicKey] }, [
    keyOf('root 1'),
  ]),
  one(manifestNoun, manifest, 'release key'),
  one(manifestNoun, { ...manifest, network, devices: ['1wire', 'usb:0403:6001'] }, 'release key', '/reaching'),
  one(manifestNoun, whole, 'release key', '/whole'),
  one(manifestNoun, { ...manifest, image: { board: 'generic-amd64' } }, 'release key', '/image'),
  one(manifestNoun, { ...manifest, image: { board: 'generic-amd64', part: 'runtime' } }, 'release key', '/runtime'),
  one(requestNoun, on.request(), 'tenant'),
  one(
    requestNoun,
    on.request({
      state: 'stopped',
      parameters: { port: '81' },
      filter: { tier: 'full', board, owner, region: 'north' },
      onIsolation: 'stop',
      holdMs: 0,
      bang: 7,
    }),
    'tenant',
    '/filtered',
  ),
  one(requestNoun, on.request({ links: { db: 'stock' }, publish: { web: 8080 } }), 'tenant', '/reaching'),
  one(requestNoun, on.request({ fallback: { release: fill(5), bakeMs: 60_000 } }), 'tenant', '/fallback'),
  one(
    requestNoun,
    on.request({
      fallback: { release: fill(5), bakeMs: 60_000 },
      rollout: {
        waves: [
          { kind: 'count', count: 1 },
          { kind: 'share', permille: 250 },
          { kind: 'label', label: 'attic' },
        ],
        tolerated: 1,
      },
      windows: [{ fromMinute: 1380, minutes: 120 }],
    }),
    'tenant',
    '/rollout',
  ),
  one(requestNoun, on.request({ secrets: [{ board, box: fill(4, 100) }] }), 'tenant', '/sealed'),
  one(watchNoun, { ...watched, lease: null, from: null }, 'tenant'),
  one(watchNoun, { ...watched, lease: lease.lease, from: 12 }, 'tenant', '/on'),
  one(requestNoun, on.request({ shares: { most: 64, tenants: null } }), 'tenant', '/open'),
  one(requestNoun, on.request({ shares: { most: 1, tenants: [tenant] } }), 'tenant', '/shared'),
  one(shareNoun, share, 'tenant'),
  one(shareNoun, { ...share, state: 'destroyed', parameters: {} }, 'tenant', '/destroyed'),
  one(voucherNoun, on.voucher(), 'tenant'),
  one(verdictNoun, { v, tenant, period: 2, invoice: fill(6), verdict: 'dispute', reason: 'The board was off.' }, 'tenant'),
  one(bindingNoun, on.binding('board 1', { policy: { partitions: 4, labels: ['attic', 'solar'] } }), 'owner'),
  one(bindingNoun, on.binding('board 1', { policy: { partitions: 4, labels: [], grants: ['internet', 'gpio'] } }), 'owner', '/lending'),
  one(upkeepNoun, { v, board, owner, version: 1, publisher: on.PUBLISHER }, 'owner'),
  one(upkeepNoun, { v, board, owner, version: 2, publisher: on.PUBLISHER, release: fill(5) }, 'owner', '/pinned'),
  one(upkeepNoun, { v, board, owner, version: 3, publisher: null }, 'owner', '/ended'),
  one(upkeepNoun, { v, board, owner, version: 4, publisher: null, neighbours: false }, 'owner', '/alone'),
  one(
    upkeepNoun,
    {
      v,
      board,
      owner,
      version: 4,
      publisher: on.PUBLISHER,
      rollout: { wave: 2, tolerated: 1, bakeMs: 600_000 },
      windows: [{ fromMinute: 60, minutes: 90 }],
    },
    'owner',
    '/waves',
  ),
  one(
    bindingNoun,
    on.binding('board 1', { policy: { partitions: 4, labels: [], windows: [{ fromMinute: 0, minutes: 1440 }] } }),
    'owner',
    '/windows',
  ),
  many(
    rotationNoun,
    { v, kind: 'board', subject: board, version: 1, from: keyOf('board 1').publicKey, to: keyOf('new key').publicKey },
    ['board 1', 'new key'].map(keyOf),
  ),
  one(leaseNoun, lease, 'gateway a'),
  one(
    leaseNoun,
    on.lease({ on: 'board 1', onIsolation: 'stop', voucher: fill(6), guarded: { leaseMs: 60_000, guardians: [gateway] } }),
    'gateway a',
    '/guarded',
  ),
  one(leaseNoun, on.lease({ on: 'board 1', voucher: fill(6), windows: [{ fromMinute: 60, minutes: 30 }] }), 'gateway a', '/windows'),
  one(renewalNoun, { v, board, nonce: fill(1, 16), leases: [lease.lease] }, 'board 1'),
  one(grantNoun, { v, board, guardian: gateway, nonce: fill(1, 16), leases: [lease.lease] }, 'gateway a'),
  one(desiredNoun, { v, board, gateway, tenure: 3, seq: 9, leases: [{ lease: fill(1, 60), request: fill(2) }] }, 'gateway a'),
  one(
    desiredNoun,
    { v, board, gateway, tenure: 3, seq: 9, leases: [{ lease: fill(1, 60), request: fill(2), shares: [fill(3)] }] },
    'gateway a',
    '/sharing',
  ),
  one(
    desiredNoun,
    { v, board, gateway, tenure: 3, seq: 10, leases: [], image: { release: fill(5), publisher: fill(6), upkeep: fill(7) } },
    'gateway a',
    '/image',
  ),
  one(
    desiredNoun,
    { v, board, gateway, tenure: 3, seq: 11, leases: [], runtime: { release: fill(5), publisher: fill(6), upkeep: fill(7) } },
    'gateway a',
    '/runtime',
  ),
  one(desiredNoun, { v, board, gateway, tenure: 3, seq: 12, leases: [], upkeep: fill(7) }, 'gateway a', '/upkeep'),
  one(
    nowNoun,
    { v, board, gateway, nonce: fill(1, 16), speaks: 1, wallMs, known: head, proof: fill(6, 60), operators: [fill(4, 50)] },
    'gateway a',
  ),
  one(ackNoun, { v, board, gateway, stored: head, replicated: 5 }, 'gateway a'),
  one(pairingNoun, { v, board, token: fill(8), exporter: fill(9) }, 'board 1'),
  one(homeNoun, { v, board, tenure: 3, gateway }, 'board 1'),
  one(helloNoun, hello, 'board 1'),
  one(
    helloNoun,
    { ...hello, offer: { ...hello.offer, grants: ['links', 'lan', 'usb:0403:6001'], ports: { first: 8000, last: 8015 } } },
    'board 1',
    '/lending',
  ),
  one(
    helloNoun,
    { ...hello, offer: { ...hello.offer, image: { board: 'generic-amd64', parts: ['system', 'runtime'] } } },
    'board 1',
    '/image',
  ),
  one(reportNoun, report, 'board 1'),
  one(sharedNoun, shared, 'board 1'),
  one(reportNoun, { ...report, system: { slot: 'a', release: null, update: null } }, 'board 1', '/flashed'),
  one(
    reportNoun,
    { ...report, system: { slot: 'b', release: fill(5), update: { release: fill(5), phase: 'kept', detail: '' } } },
    'board 1',
    '/updated',
  ),
  one(reportNoun, { ...report, liars: [{ gateway, about: fill(5), times: 2 }] }, 'board 1', '/liars'),
  one(
    reportNoun,
    {
      ...report,
      card: {
        disk: 'sda',
        says: 'ACME',
        readOnly: false,
        errors: 0,
        sizeMib: 7000,
        freeMib: 60,
        writtenBytes: 5_000_000_000,
        everWrittenMib: 9,
      },
    },
    'board 1',
    '/card',
  ),
  one(
    reportNoun,
    {
      ...report,
      card: {
        ...{
          disk: 'mmcblk0',
          says: '0x000013 R1J56L 07/2022',
          wornPercent: 90,
          spare: 'urgent',
          errors: 3,
          erredMs: wallMs,
          readOnly: true,
        },
        ...{ damaged: true, sizeMib: 29_000, freeMib: 20_000, writtenBytes: 0 },
      },
    },
    'board 1',
    '/card-at-its-end',
  ),
  one(
    outcomeNoun,
    { v, board, lease: lease.lease, release: fill(3), sequence: 4, result: 'failed', why: 'answers did not hold within 3 s' },
    'board 1',
  ),
  one(systemOutcomeNoun, { v, board, part: 'system', release: fill(5), upkeep: 4, result: 'passed', why: '' }, 'board 1'),
  one(
    reportNoun,
    {
      ...report,
      runtime: {
        slot: 'data',
        release: fill(5),
        update: { release: fill(6), phase: 'failed', detail: 'it did not come home' },
        outcome: fill(7, 300),
      },
    },
    'board 1',
    '/runtime',
  ),
  one(usageNoun, usage, 'board 1'),
  one(usageNoun, { ...usage, kind: 'open', amnesia: true, quality: 'bounded', tier: 'dev' }, 'board 1', '/open'),
];

export const PLAIN: PlainFrame[] = [
  plain('entry', entrySchema, { v, author: gateway, seq: 11, wallMs, kind: 'usage', body: fill(1, 30) }),
  plain('admit', admitSchema, { v, role: 'tenant', key: keyOf('tenant').publicKey, name: 'Ådne' }),
  plain('pair', pairSchema, { v, board, key: keyOf('board 1').publicKey, owner, claim: fill(8) }),
  plain('presence', presenceSchema, { v, board, here: false, tenure: 3, sinceMs: wallMs }),
  plain('close', closeSchema, { v, period: 2, vector, closedMs: wallMs }),
  plain('offer', offerSchema, offer),
  plain('chain-point', chainPoint, head),
  plain('peer-frame', peerFrame, { kind: 'have', vector, cosigned: null }, '/have'),
  plain('peer-frame', peerFrame, { kind: 'have', vector: {}, cosigned: 'lichen/log/…\n' }, '/cosigned'),
  plain(
    'peer-frame',
    peerFrame,
    { kind: 'entries', author: gateway, from: 3, entries: [fill(1, 5), fill(2, 300)], head: 'lichen/log/…\n' },
    '/entries',
  ),
  plain('peer-frame', peerFrame, { kind: 'want', hashes: [fill(1)] }, '/want'),
  plain('peer-frame', peerFrame, { kind: 'blob', hash: fill(1), bytes: fill(3, 5) }, '/blob'),
  plain('peer-frame', peerFrame, { kind: 'blob', hash: fill(1), bytes: null }, '/absent'),
  plain('peer-frame', peerFrame, { kind: 'renew', renewal: fill(1, 60) }, '/renew'),
  plain('peer-frame', peerFrame, { kind: 'grant', board, grant: fill(2, 60) }, '/grant'),
  plain('peer-frame', peerFrame, { kind: 'poll', request: on.REQUEST, index: 0, term: 2 }, '/poll'),
  plain('peer-frame', peerFrame, { kind: 'vote', request: on.REQUEST, index: 0, term: 2 }, '/vote'),
  plain('page', pageSchema, {
    v,
    entries: [
      { kind: 'dir', path: 'bin' },
      { kind: 'link', path: 'bin/sh', target: 'busybox' },
      { kind: 'file', path: 'bin/busybox', executable: true, bytes: 65_537, hash: fill(1), chunks: [[fill(2), 65_536]] },
      { kind: 'more', path: 'bin/busybox', chunks: [[fill(3), 1]] },
    ],
  }),
  plain('usage-batch', usageBatch, { v, records: [fill(1, 200), fill(2, 201)] }),
  plain('bring', bring, { v, lease: fill(1, 300), request: fill(2, 400), voucher: fill(3, 200) }),
  plain('bring', bring, { v, lease: fill(1, 300) }, '/lease-alone'),
  plain('want', want, { v, hashes: [fill(1), fill(2)] }),
  plain('chunk', chunk, { v, hash: fill(1), bytes: fill(2, 300) }),
  plain('chunk', chunk, { v, hash: fill(1), bytes: null }, '/absent'),
  plain('neighbour-word', neighbourWord, { v, nonce: fill(1, 16), who: fill(2, 8), port: 7643, whole: true, asks: false, tag: fill(3) }),
  plain('neighbour-want', neighbourWant, {
    v,
    pieces: [{ file: { hash: fill(1), executable: true }, offset: 65_536, chunk: [fill(2), 16_384] }],
  }),
  plain('log-frame', logFrame, { v, of: fill(1), refusal: null, box: fill(2, 300) }),
  plain('log-frame', logFrame, { v, of: fill(1), refusal: { v, code: 'not-found', why: '', next: '' }, box: null }, '/refused'),
  plain('log-text', logText, { v, lease: lease.lease, from: 5, next: 12, missed: 5, text: fill(0x61, 7) }),
  plain('secrets-text', secretsText, { v, tenant, name: 'echo', board, files: { 'api-key': fill(1, 20), 'db-password': fill(2, 8) } }),
  plain('gone', gone, { v }),
  plain('to-sign', toSign, { v, typ: 'lichen.manifest+cbor', payload: fill(1, 40) }),
  plain('carried', carried, { v, session: 'carried/1', frames: [{ topic: 'want', payload: fill(1, 40) }] }),
  plain('answer', answer, {
    v,
    of: fill(1),
    ok: false,
    code: 'stale',
    why: 'sequence 3 is known',
    next: 'Sign again.',
    missing: [fill(2)],
  }),
  plain('claim', claim, {
    v,
    token: fill(8),
    gateway,
    key: keyOf('gateway a').publicKey,
    address: 'gateway-a.example:8883',
    operator: on.OPERATOR,
  }),
  plain('paired', paired, { v, gateway, wallMs, operators: [[fill(1, 20), fill(2, 21)], []] }),
  plain('paired', paired, { v, gateway, wallMs, operators: [], owner }, '/owner'),
  plain('refusal', refusal, { v, code: 'claim-used', why: '', next: 'Ask for a new one.' }),
  plain('pair-answer', pairAnswer, { kind: 'paired', paired: { v, gateway, wallMs, operators: [] } }, '/paired'),
  plain('pair-answer', pairAnswer, { kind: 'refused', refusal: { v, code: 'claim-unknown', why: '', next: '' } }, '/refused'),
  plain('posting', postingSchema, posting),
  plain('invoice', invoiceSchema, invoice),
  plain('statement', statementSchema, statement),
];
