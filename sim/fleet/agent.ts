/** What the real agent is told of the virtual board that it runs on. */
import { nodeSealer, openerFromSeed } from '../../runtime/adapters/hpke.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import type { Board } from '../../runtime/agent/events.ts';
import { offerOf } from '../../runtime/core/capacity.ts';
import type { Enforcement } from '../../runtime/ports/partitions.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { BoardId } from '../../runtime/protocol/ids.ts';
import { kindsOf } from '../hardware/bus.ts';
import type { Hardware } from '../hardware/profiles.ts';
import type { BoardSpec, PaceSpec } from '../scenario/scenario.ts';

/** Nothing is sealed to a virtual board: it offers no key. */
const OPENER = openerFromSeed(new Uint8Array(32));

interface Machine {
  id: BoardId;
  signer: Signer;
  spec: BoardSpec;
  hardware: Hardware;
}

interface Life extends Pick<Board, 'crypto' | 'entropy' | 'bootId' | 'neighbours'> {
  enforcement: Enforcement;
  pace: PaceSpec;
}

export const agentOf = ({ id, signer, spec, hardware }: Machine, { enforcement, pace, ...life }: Life): Board => ({
  ...{ unpack: unpackZstd, sealer: nodeSealer, opener: OPENER, signer, id, software: 'simulated', ...life },
  offer: offerOf(enforcement, spec.capacity, hardware.arch, hardware.model, kindsOf(hardware)),
  pace: { ...pace, patienceMs: pace.boardPatienceMs },
});
