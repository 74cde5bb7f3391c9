/** Acts 1 to 4: gateways federate, boards are paired, software is pushed and placed, promises turn green. */
import { request as httpGet } from 'node:http';
import { join } from 'node:path';
import * as v from 'valibot';
import { ANY_PRICE, makeBinding, makeRequest, makeVoucher } from '../../gateway/cli/ceremony.ts';
import { openPush, type Push } from '../../gateway/cli/mqtt-push.ts';
import { buildRelease } from '../../recipes/builder/build.ts';
import type { Bundle } from '../../recipes/builder/bundle.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { startBoard } from '../harness/board.ts';
import { askJson, type GatewayProcess, ready, startGateway } from '../harness/gateway.ts';
import { until } from '../harness/wait.ts';
import { ownerIdOf } from './cast.ts';
import { boardsOf, homeOf, type Instance, instances, nameOfBoard, nameOfGateway, type Stage, statusOf } from './stage.ts';

const CURRENCY = 'EUR';
const PACES = { 'tick-ms': 200, 'meter-ms': 500, 'record-ms': 2000, 'report-ms': 1000, 'patience-ms': 3000, 'keepalive-s': 2 };
/** Per CPU second 0.02, per MiB·hour 0.00005, per hour 0.001, per MiB moved 0.0001 (nano-units of the currency). */
const RATES = {
  wallHour: 1_000_000n,
  cpuSecond: 20_000_000n,
  memoryMibHour: 50_000n,
  netMib: 100_000n,
  diskMib: 10_000n,
  dataMibHour: 20_000n,
};

export const openGateways = async (stage: Stage, entry: string): Promise<void> => {
  stage.gateways = stage.cast.gateways.map((setup) => startGateway(entry, setup));
  await Promise.all(stage.gateways.map(ready));
  await until('every gateway to have two peers', 20_000, async () => {
    const all = await Promise.all(stage.gateways.map(statusOf));
    return all.every(({ peers }) => peers.filter(({ up }) => up).length === 2);
  });
  stage.teller.check(true, `gateways ${stage.gateways.map(({ name }) => name).join(', ')} of two operators federate`);
};

const at = (stage: Stage, index: number): GatewayProcess => {
  const gateway = stage.gateways[index];
  if (gateway === undefined) throw new LichenError('unavailable', `gateway ${index} is not there`);
  return gateway;
};

/** Each board is paired at another gateway than the next, with a claim that its owner was given there. */
export const pairBoards = async (stage: Stage, tier: 'dev' | null): Promise<void> => {
  for (const [i, { name, board, owner, data }] of stage.cast.boards.entries()) {
    const answer = await askJson(at(stage, i), 'claim', { body: JSON.stringify({ owner: ownerIdOf(owner) }) });
    const { claim } = parse(v.object({ claim: v.string() }), answer, 'claim');
    const setup = {
      name,
      board,
      data,
      capacity: 'memory=256,cpu=2000,partitions=4',
      claim,
      proxyPort: i === 1 ? stage.link.port : null,
      tier,
      paces: PACES,
    };
    stage.boards.set(board, { setup, process: startBoard(stage.runtime, setup) });
  }
  for (const { name, board } of stage.cast.boards) {
    const home = await until(`board ${name} to be at home`, 30_000, () => homeOf(stage, board));
    stage.teller.say(`board ${name} is paired and at home at ${home.name}`);
  }
  await bindBoards(stage);
};

/** HTTP is the second door to the same thing. */
const bindBoards = async (stage: Stage): Promise<void> => {
  for (const { board, owner } of stage.cast.boards) {
    const terms = {
      board,
      payee: `iban:${ownerIdOf(owner).slice(0, 8)}`,
      version: 1,
      currency: CURRENCY,
      rates: RATES,
      policy: { partitions: 4, labels: [] },
    };
    await until('the pairing to reach the south', 10_000, async () => (await boardsOf(at(stage, 1))).some((row) => row.board === board));
    await askJson(at(stage, 1), 'push', { body: makeBinding(nodeCrypto, owner.signer, terms) });
  }
  const bound = await until('bindings to reach the north', 10_000, async () => {
    const rows = await boardsOf(at(stage, 0));
    return rows.length === 3 && rows.every((row) => row.bound) ? rows : null;
  });
  stage.teller.check(bound.length === 3, "three boards paired over TLS 1.3, bound to their owners' tariffs");
};

/** Pieces under way at once: the gateway commits those that arrive together in one go. */
const PUSH_WINDOW = 8;

/** Pushes the manifest and whatever the gateway says is missing, until nothing is. Returns the number of pieces. */
const pushAll = async (door: Push, bundle: Bundle): Promise<number> => {
  let pushed = 0;
  const pushPiece = async (hash: Bytes): Promise<Bytes[]> => {
    const piece = bundle.pages.get(hex(hash)) ?? bundle.chunks.get(hex(hash));
    if (piece === undefined) throw new LichenError('missing-content', hex(hash));
    pushed++;
    return expectOk(door, piece);
  };
  for (let missing = await expectOk(door, bundle.manifest); missing.length > 0; missing = await expectOk(door, bundle.manifest)) {
    while (missing.length > 0) {
      const named = await Promise.all(missing.splice(0, PUSH_WINDOW).map(pushPiece));
      missing.push(...named.flat());
    }
  }
  return pushed;
};

/** Everything a tenant needs, at the north, over MQTT: documents and content are signed files like any other. */
export const pushSoftware = async (stage: Stage, root: string): Promise<void> => {
  const { cast, teller } = stage;
  const north = at(stage, 0);
  await askJson(north, 'admit', { body: JSON.stringify({ role: 'tenant', key: hex(cast.tenant.signer.publicKey), name: 'tess' }) });
  const door = await openPush({
    address: north.address,
    gatewayKey: north.key,
    tenant: cast.tenantId,
    seed: cast.tenant.seed,
    timeoutMs: 10_000,
  });
  try {
    await expectOk(door, cast.publisher.document);
    for (const [name, replicas] of [
      ['hello-sensor', 2],
      ['primes', 1],
    ] as const) {
      const bundle = await buildRelease({
        recipePath: join(root, 'recipes', name),
        publisherId: cast.publisher.id,
        signer: cast.publisher.signer.signer,
        sequence: 1,
        cachePath: join(root, 'node_modules', '.cache', 'recipes'),
      });
      const pieces = await pushAll(door, bundle);
      teller.say(`release ${name} ${hex(bundle.release).slice(0, 12)}: ${pieces} pieces pushed over MQTT to ${north.name}`);
      await pushRequest(stage, door, name, bundle.release, replicas);
    }
  } finally {
    door.close();
  }
};

/** What is still missing of a release; nothing for other documents. */
const expectOk = async (door: Push, document: Bytes): Promise<Bytes[]> => {
  const { ok, why, missing } = await door.push(document);
  if (!ok) throw new LichenError('unavailable', why);
  return [...missing];
};

const pushRequest = async (stage: Stage, door: Push, name: string, release: Bytes, replicas: number): Promise<void> => {
  const signer = stage.cast.tenant.signer;
  const voucher = makeVoucher(nodeCrypto, signer, {
    name,
    serial: stage.requests.size + 1,
    currency: CURRENCY,
    capMicro: 5_000_000n,
    notAfterMs: 4_102_444_800_000,
  });
  await expectOk(door, voucher.document);
  const terms: Omit<Request, 'v' | 'tenant'> = {
    name,
    sequence: 1,
    state: 'started',
    release,
    replicas,
    parameters: name === 'primes' ? { limit: '1000000' } : {},
    filter: {},
    priceCap: ANY_PRICE,
    currency: CURRENCY,
    voucher: voucher.hash,
    onIsolation: 'continue',
    patienceMs: 120_000,
  };
  stage.requests.set(name, terms);
  await expectOk(door, makeRequest(nodeCrypto, signer, terms).document);
  stage.teller.say(`request ${name} with ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}, signed by the tenant, pushed over MQTT`);
};

const green = (instance: Instance): boolean => instance.report?.promise === 'held';

export const awaitPromises = async (stage: Stage): Promise<Instance[]> => {
  const found = await until('three instances with their promise held', 60_000, async () => {
    const seen = await instances(stage);
    return seen.length === 3 && seen.every(green) ? seen : null;
  });
  for (const { name, index, board, report } of found) {
    const home = await homeOf(stage, board);
    stage.teller.say(
      `${name}/${index} runs on ${nameOfBoard(stage, board)} (${home === null ? '?' : nameOfGateway(stage, home.gateway)}), promise ${report?.promise}, ${report?.address ?? 'no address of its own'}`,
    );
  }
  stage.teller.check(
    new Set(found.filter(({ name }) => name === 'hello-sensor').map(({ board }) => board)).size === 2,
    'the two replicas of hello-sensor are on two boards',
  );
  return found;
};

/** What the sensor serves, fetched from the partition's own address; null where it has none (unprivileged tier). */
export const readSensor = (address: string | null): Promise<string | null> => {
  if (address === null) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const asked = httpGet({ host: address, port: 8080, path: '/readings', timeout: 3000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    asked.on('error', reject).end();
  });
};
