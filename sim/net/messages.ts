/** Tier A: boards and gateways exchange whole messages over virtual connections. No stream, no packet, no heartbeat. */
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import { Connections } from './connection.ts';
import type { Carrier, GatewayEnd, Heard, Paths } from './doors.ts';
import { BoardMessages } from './message-boards.ts';
import { type FrameHeard, PeerMessages } from './message-peers.ts';

export interface MessageOptions {
  clock: VirtualClock;
  paths: Paths;
  chance: Chance;
  heard: Heard;
  frameHeard: FrameHeard;
}

export const messageCarrier = ({ clock, paths, chance, heard, frameHeard }: MessageOptions): Carrier => {
  const gateways = new Map<string, GatewayEnd>();
  const connections = new Connections(clock, paths);
  const boards = new BoardMessages({ connections, gateways, chance, heard });
  const peers = new PeerMessages(connections, gateways, frameHeard);
  return {
    board: (end) => boards.link(end),
    gateway: (end) => {
      gateways.set(end.id, end);
      return { front: boards.front, peers: peers.door(end) };
    },
    end: (id, how) => {
      if (gateways.delete(id)) {
        boards.ended(id);
        peers.ended(id);
      }
      connections.end(id, how);
    },
    settled: () => null,
  };
};
