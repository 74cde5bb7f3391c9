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
  at: string;
  /** How often it was switched on. */
  boots: number;
}

interface Life extends Pick<Board, 'crypto' | 'entropy' | 'neighbours'> {
  enforcement: Enforcement;
  pace: PaceSpec;
}

export const bootIdOf = ({ at, boots }: Pick<Machine, 'at' | 'boots'>): string => `boot ${boots} of ${at}`;

export const agentOf = (machine: Machine, { enforcement, pace, ...life }: Life): Board => ({
  ...{ unpack: unpackZstd, sealer: nodeSealer, opener: OPENER, software: 'simulated', ...life },
  ...{ id: machine.id, signer: machine.signer, bootId: bootIdOf(machine) },
  offer: {
    ...offerOf(enforcement, machine.spec.capacity, machine.hardware.arch, machine.hardware.model, kindsOf(machine.hardware)),
    ...(machine.spec.updates !== null && { image: { board: machine.hardware.image, parts: ['system'] } }),
  },
  pace: { ...pace, patienceMs: pace.boardPatienceMs },
});
