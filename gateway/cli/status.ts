/** `lichen status`: one screen. */
import type { Command } from 'commander';
import { boardTable } from './board.ts';
import { type ApiFlags, openClient } from './client.ts';
import { stateOf } from './gateway.ts';
import { instanceTable } from './instance.ts';
import { age, emit, type JsonFlag, paint, table } from './output.ts';
import { addApi, addVerb } from './verbs.ts';

const status = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const client = openClient(flags);
  const [gateway, gateways, boards, instances] = await Promise.all([
    client.ask('status'),
    client.ask('gateways'),
    client.ask('boards'),
    client.ask('instances'),
  ]);
  emit(flags, { gateway, gateways, boards, instances }, () => {
    const peers = gateways
      .filter((entry) => entry.gateway !== gateway.gateway)
      .map((entry) => {
        const link = gateway.peers.find((peer) => peer.gateway === entry.gateway);
        return [
          entry.gateway,
          entry.name,
          entry.region,
          stateOf(entry),
          link === undefined ? '-' : age(link.forMs),
          String(gateway.vector[entry.gateway] ?? 0),
        ];
      });
    return [
      `${paint.bold('GATEWAY')}  ${gateway.gateway}  ${gateway.name} in ${gateway.region}, ${gateway.software}, ${gateway.pending} entries pending`,
      '',
      table(['PEER', 'NAME', 'REGION', 'STATE', 'FOR', 'ENTRIES'], peers, 'No peers: what this gateway holds is held nowhere else.'),
      '',
      boardTable(boards, gateway.wallMs),
      '',
      instanceTable(instances, gateway.wallMs),
    ].join('\n');
  });
};

export const register = (program: Command): void => {
  addApi(
    addVerb(program, {
      usage: 'status',
      says: 'gateway, peers, boards and instances on one screen',
      examples: ['status', 'status --api http://gateway.example:8080 --json'],
      gives: { keys: ['gateway', 'gateways', 'boards', 'instances'] },
    }),
  ).action(status);
};
