/** Who takes part: two operators with three gateways, two owners with three boards, a publisher and a tenant. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstOperator, firstPublisher, operatorIdOf } from '../../gateway/cli/ceremony.ts';
import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { type KeyFile, openKeyFile } from '../../runtime/adapters/keyfile.ts';
import { type BoardId, fingerprint, type GatewayId, type OwnerId, type TenantId } from '../../runtime/protocol/ids.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import { rendezvous } from '../../runtime/protocol/rendezvous.ts';
import type { GatewaySetup } from '../harness/gateway.ts';
import { freePorts } from '../harness/ports.ts';

export interface BoardCast {
  name: string;
  board: BoardId;
  owner: KeyFile;
  data: string;
}

export interface Cast {
  dir: string;
  gateways: GatewaySetup[];
  boards: BoardCast[];
  tenant: KeyFile;
  tenantId: TenantId;
  publisher: { id: string; signer: KeyFile; document: Uint8Array };
}

export const SILENCE_MS = 3_000;

const ownerIdOf = (key: KeyFile): OwnerId => fingerprint<OwnerId>(nodeCrypto, key.signer.publicKey);

export { ownerIdOf };

const castGateways = async (dir: string): Promise<GatewaySetup[]> => {
  const ports = await freePorts(6);
  const key = (name: string): KeyFile => openKeyFile(join(dir, 'keys', `${name}.key`));
  const [alder, birch] = [key('operator-alder'), key('operator-birch')];
  const ids = [alder, birch].map((root) => operatorIdOf(nodeCrypto, [root.signer.publicKey], 1));
  const plan = [
    { name: 'north', region: 'upland', operator: 0 },
    { name: 'south', region: 'lowland', operator: 0 },
    { name: 'east', region: 'coast', operator: 1 },
  ].map((row, i) => {
    const data = join(dir, `gateway-${row.name}`);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const publicKey = openKeyFile(join(data, 'gateway.key')).signer.publicKey;
    return {
      ...row,
      data,
      key: publicKey,
      gateway: fingerprint<GatewayId>(nodeCrypto, publicKey),
      port: ports[2 * i] ?? 0,
      apiPort: ports[2 * i + 1] ?? 0,
    };
  });
  const files = [alder, birch].map((root, o) => {
    const gateways: GatewayEntry[] = plan
      .filter((row) => row.operator === o)
      .map(({ gateway, key, name, region, port }) => ({ gateway, key, name, region, address: `127.0.0.1:${port}` }));
    const terms = {
      threshold: 1,
      name: o === 0 ? 'alder' : 'birch',
      gateways,
      peers: ids.filter((_id, i) => i !== o),
      feePermille: o === 0 ? 80 : 100,
    };
    const path = join(dir, `operator-${terms.name}.cose`);
    writeFileSync(path, firstOperator(nodeCrypto, [root.signer], terms).document);
    return path;
  });
  return plan.map(({ operator, ...row }) => {
    const [own = '', other = ''] = operator === 0 ? files : [...files].reverse();
    return { ...row, operator: ids[operator] ?? '', operatorFiles: [own, other], silenceMs: SILENCE_MS };
  });
};

/**
 * A board's key is drawn, and with it the gateways it will call home. Keys are drawn until the story has the cast it
 * needs: two boards at home in the north, so that its death is about something.
 */
const castBoards = (dir: string, gateways: GatewaySetup[]): BoardCast[] => {
  const owners = ['olga', 'omar'].map((name) => openKeyFile(join(dir, 'keys', `owner-${name}.key`)));
  const ids = gateways.map(({ gateway }) => gateway);
  return ['ash', 'beech', 'cedar'].map((name, i) => {
    const data = join(dir, `board-${name}`);
    mkdirSync(data, { recursive: true, mode: 0o711 });
    const wanted = ids[i === 2 ? 1 : 0];
    const seed = drawSeed((publicKey) => rendezvous(nodeCrypto, fingerprint(nodeCrypto, publicKey), ids)[0] === wanted);
    writeFileSync(join(data, 'board.key'), seed, { mode: 0o600 });
    const publicKey = signerFromSeed(seed).publicKey;
    const owner = owners[i === 2 ? 1 : 0];
    if (owner === undefined) throw new Error('two owners');
    return { name, board: fingerprint<BoardId>(nodeCrypto, publicKey), owner, data };
  });
};

const drawSeed = (suits: (publicKey: Uint8Array) => boolean): Uint8Array => {
  for (;;) {
    const seed = kernelEntropy.bytes(32);
    if (suits(signerFromSeed(seed).publicKey)) return seed;
  }
};

export const makeCast = async (dir: string): Promise<Cast> => {
  mkdirSync(join(dir, 'keys'), { recursive: true, mode: 0o700 });
  const key = (name: string): KeyFile => openKeyFile(join(dir, 'keys', `${name}.key`));
  const gateways = await castGateways(dir);
  const signer = key('publisher-release');
  const { doc, document } = firstPublisher(nodeCrypto, [key('publisher-root').signer], {
    threshold: 1,
    name: 'meadow',
    keys: [signer.signer.publicKey],
  });
  const tenant = key('tenant-tess');
  return {
    dir,
    gateways,
    boards: castBoards(dir, gateways),
    tenant,
    tenantId: fingerprint<TenantId>(nodeCrypto, tenant.signer.publicKey),
    publisher: { id: doc.publisher, signer, document },
  };
};
