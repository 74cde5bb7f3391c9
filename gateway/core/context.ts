/** What every decision of a gateway may use beside its draft. */
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import type { GatewayId, OperatorId } from '../../runtime/protocol/ids.ts';
import type { Draft } from '../../runtime/turn/draft.ts';

export interface Context {
  crypto: Crypto;
  signer: Signer;
  me: GatewayId;
  operator: OperatorId;
  /** A peer or board silent for this long counts as out of reach. */
  silenceMs: number;
}

/** Core reads and writes rows; what leaves the gateway is the service's affair. */
export type Rows = Pick<Draft<unknown>, 'get' | 'put' | 'remove' | 'scan' | 'recall' | 'remember' | 'recallAll'>;
