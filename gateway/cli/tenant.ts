/** `lichen tenant`: who may request here. */
import type { Command } from 'commander';
import { hex } from '../../runtime/protocol/bytes.ts';
import { type ApiFlags, openClient } from './client.ts';
import { publicKeyOf } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addToken, addVerb } from './verbs.ts';

const admit = async (flags: ApiFlags & JsonFlag & { key: string; name: string }): Promise<void> => {
  const key = hex(publicKeyOf(flags.key, '--key'));
  const { id } = await openClient(flags).ask('admit', { body: { role: 'tenant', key, name: flags.name } });
  emit(flags, { tenant: id, name: flags.name, key }, () => `tenant ${id} "${flags.name}" may request here and at every peer`);
};

export const register = (noun: Command): void => {
  addToken(
    addVerb(noun, {
      usage: 'admit',
      says: 'admit a tenant by its public key',
      examples: ['tenant admit --key tenant.key --name "Harbour Museum" --token-file husum/admin.token'],
      gives: { keys: ['tenant', 'name', 'key'] },
    }),
  )
    .requiredOption('--key <key>', 'its public key in hex, or a key file')
    .requiredOption('--name <text>', 'what people call it')
    .action(admit);
};
