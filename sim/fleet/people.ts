/** The people of a virtual federation and what they sign: one operator, one owner, one tenant, one publisher. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import {
  type BoardId,
  fingerprint,
  type GatewayId,
  idFrom,
  type OperatorId,
  type OwnerId,
  type PublisherId,
  type TenantId,
} from '../../runtime/protocol/ids.ts';
import { parseJsonSchema } from '../../runtime/protocol/json-schema.ts';
import { payloadOf, seal, sealMany } from '../../runtime/protocol/noun.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import {
  type Binding,
  bindingNoun,
  type Rates,
  type Request,
  type Rollout,
  requestIdOf,
  requestNoun,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import { type Share, shareNoun } from '../../runtime/protocol/nouns/share.ts';
import { type GatewayEntry, operatorNoun, publisherNoun, trustId } from '../../runtime/protocol/nouns/trust.ts';
import { type Upkeep, upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';
import type { BoardSpec, GatewaySpec, WorkloadSpec } from '../scenario/scenario.ts';
import type { Keys } from '../world/crypto.ts';
import type { Release } from './releases.ts';

/** Nano-units: about what a small virtual machine costs, so that invoices read like invoices. */
const RATES: Rates = {
  wallHour: 3_600_000n,
  cpuSecond: 77_777n,
  memoryMibHour: 12_345n,
  netMib: 55_555n,
  diskMib: 3_333n,
  dataMibHour: 2_222n,
};
const FEE_PERMILLE = 137;
const CURRENCY = 'EUR';
/** The year 2096. */
const LATE_MS = 4_000_000_000_000;
export const PORT = 8883;

/** More than there are workloads. */
const SERIALS = 1_000;

const inWaves = ({ canaries }: WorkloadSpec): { rollout?: Rollout } =>
  canaries === null
    ? {}
    : {
        rollout: {
          waves: [
            { kind: 'count', count: canaries },
            { kind: 'share', permille: 500 },
          ],
          tolerated: 0,
        },
      };

const examplesOf = ({ parameterSchema = '{"type":"object"}' }: Pick<Manifest, 'parameterSchema'>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(parseJsonSchema(parameterSchema, 'the schema of a share').properties ?? {}).flatMap(([key, { examples }]) =>
      Array.isArray(examples) ? [[key, String(examples[0])]] : [],
    ),
  );

export class People {
  readonly keys: Keys;
  readonly #seed: string;
  /** What is signed is also told to the judge. */
  readonly #signed: (document: Bytes) => void;
  readonly operator: OperatorId;
  readonly operatorDocument: Bytes;
  readonly gateways: GatewayEntry[];
  readonly owner: OwnerId;
  readonly tenant: TenantId;
  readonly publisher: PublisherId;
  readonly publisherDocument: Bytes;
  readonly publisherKey: Signer;
  readonly #sequences = new Map<string, number>();

  constructor(keys: Keys, seed: string, gateways: GatewaySpec[], signed: (document: Bytes) => void) {
    this.keys = keys;
    this.#seed = seed;
    this.#signed = signed;
    const roots = ['root 1', 'root 2', 'root 3'].map((name) => this.signerOf(name));
    const first = { threshold: 2, roots: roots.map(({ publicKey }) => publicKey) };
    const trust = { ...{ v: 1 as const, version: 1, previous: null, revoked: [] }, ...first };
    this.gateways = gateways.map(({ name, region }) => {
      const key = this.signerOf(`gateway ${name}`).publicKey;
      return { gateway: fingerprint<GatewayId>(keys.crypto, key), key, name, region, address: `${name}.example:${PORT}` };
    });
    this.operator = idFrom<OperatorId>(trustId(keys.crypto, 'operator', first));
    const operator = { ...trust, name: 'Simulated operator', operator: this.operator, gateways: this.gateways, peers: [], retired: [] };
    this.operatorDocument = this.#sign(sealMany(operatorNoun, { ...operator, feePermille: FEE_PERMILLE }, roots.slice(0, 2)));
    this.publisher = idFrom<PublisherId>(trustId(keys.crypto, 'publisher', first));
    this.publisherKey = this.signerOf('release key');
    const publisher = { ...trust, name: 'Simulated publisher', publisher: this.publisher, keys: [this.publisherKey.publicKey] };
    this.publisherDocument = this.#sign(sealMany(publisherNoun, publisher, roots.slice(0, 2)));
    this.owner = fingerprint<OwnerId>(keys.crypto, this.signerOf('owner').publicKey);
    this.tenant = fingerprint<TenantId>(keys.crypto, this.signerOf('tenant').publicKey);
  }

  /** The same key for the same name in a run of the same seed. */
  signerOf(name: string): Signer {
    return this.keys.signer(this.keys.crypto.sha256(utf8(`${this.#seed}/${name}`)));
  }

  #sign(document: Bytes): Bytes {
    this.#signed(document);
    return document;
  }

  /** What a publisher signs once a release is built. */
  publish(release: Pick<Release, 'document'>): void {
    this.#signed(release.document);
  }

  /** Its owner lends what there is of devices. */
  bind(board: BoardId, partitions: number, grants: string[]): Bytes {
    const binding: Binding = {
      ...{ v: 1, board, owner: this.owner, payee: 'DE02 1203 0000 0000 2020 51', version: 1, currency: CURRENCY, rates: RATES },
      policy: { partitions, labels: [], grants },
    };
    return this.#sign(seal(bindingNoun, binding, this.signerOf('owner')));
  }

  /** Its owner's word on its upkeep: whether it shares anything with its network, and whose systems it is given and when. */
  upkeep(board: BoardId, { neighbours, updates }: Pick<BoardSpec, 'neighbours' | 'updates'>): Bytes {
    const word: Upkeep = {
      ...{ v: 1, board, owner: this.owner, version: 1, publisher: updates === null ? null : this.publisher },
      ...(!neighbours && { neighbours }),
      ...(updates !== null && updates.wave !== null && { rollout: { ...updates, wave: updates.wave } }),
    };
    return this.#sign(seal(upkeepNoun, word, this.signerOf('owner')));
  }

  #voucher(workload: WorkloadSpec) {
    return {
      v: 1 as const,
      tenant: this.tenant,
      name: workload.name,
      serial: this.#serialOf(workload.name),
      currency: CURRENCY,
      capMicro: workload.capMicro,
      notAfterMs: LATE_MS,
    };
  }

  readonly #serials = new Map<string, number>();
  #serialOf(name: string): number {
    const serial = this.#serials.get(name) ?? this.#serials.size + 1;
    this.#serials.set(name, serial);
    return serial;
  }

  /** Another voucher from now on. */
  topUp(workload: string): void {
    this.#serials.set(workload, this.#serialOf(workload) + SERIALS);
  }

  readonly #bangs = new Map<string, number>();
  bang(workload: string): void {
    this.#bangs.set(workload, (this.#bangs.get(workload) ?? 0) + 1);
  }

  voucher(workload: WorkloadSpec): Bytes {
    return this.#sign(seal(voucherNoun, this.#voucher(workload), this.signerOf('tenant')));
  }

  /** Each is the next in its sequence. */
  request(workload: WorkloadSpec, release: Release, good: Release | null, state: Request['state']): Bytes {
    const sequence = (this.#sequences.get(workload.name) ?? 0) + 1;
    this.#sequences.set(workload.name, sequence);
    const bang = this.#bangs.get(workload.name);
    const request: Request = {
      ...{ v: 1, tenant: this.tenant, name: workload.name, sequence, state, release: release.hash, replicas: workload.replicas },
      ...{ parameters: {}, filter: workload.region === null ? {} : { region: workload.region }, priceCap: RATES, currency: CURRENCY },
      voucher: this.keys.crypto.sha256(payloadOf(voucherNoun, this.#voucher(workload))),
      ...{ onIsolation: workload.onIsolation, patienceMs: workload.patienceMs },
      ...(workload.shares > 0 && { shares: { most: workload.shares, tenants: [] } }),
      ...(bang !== undefined && { bang }),
      ...(good !== null && workload.bakeMs !== null && { fallback: { release: good.hash, bakeMs: workload.bakeMs }, ...inWaves(workload) }),
    };
    return this.#sign(seal(requestNoun, request, this.signerOf('tenant')));
  }

  /** All that the tenant has of it, each with the parameters that the schema gives as an example. */
  shares(workload: WorkloadSpec, { shares }: Manifest): Bytes[] {
    if (shares === undefined) return [];
    const host = { tenant: this.tenant, name: workload.name };
    return Array.from({ length: workload.shares }, (_, i) => {
      const share: Share = {
        v: 1,
        tenant: this.tenant,
        name: `share-${i}`,
        sequence: 1,
        state: 'started',
        host,
        parameters: examplesOf(shares),
      };
      return this.#sign(seal(shareNoun, share, this.signerOf('tenant')));
    });
  }

  requestIdOf(workload: string): string {
    return requestIdOf(this.keys.crypto, this.tenant, workload);
  }
}
