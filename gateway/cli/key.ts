/** `lichen key`: one private key in one file. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { openKeyFile } from '../../runtime/adapters/keyfile.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag, say } from './output.ts';
import { addVerb } from './verbs.ts';

const show = (file: string, flags: JsonFlag): void => {
  const { publicKey } = readKey(file).signer;
  const shown = { file, id: fingerprint(nodeCrypto, publicKey), publicKey: hex(publicKey) };
  emit(flags, shown, () => `id          ${shown.id}\npublic key  ${shown.publicKey}`);
};

export const register = (noun: Command): void => {
  const gives = { keys: ['file', 'id', 'publicKey'] };
  addVerb(noun, {
    usage: 'new <file>',
    says: 'make a key; a file that holds one already is left as it is',
    examples: ['key new tenant.key', 'key new gateway/gateway.key --json'],
    gives,
  }).action((file: string, flags: JsonFlag) => {
    if (existsSync(file)) say(`${file} is there already and stays as it is.`);
    else if (!existsSync(dirname(file))) refuse('not-found', `there is no folder ${dirname(file)}`);
    openKeyFile(file);
    show(file, flags);
  });
  addVerb(noun, {
    usage: 'show <file>',
    says: 'the public half of a key and the id that it gives',
    examples: ['key show tenant.key'],
    gives,
  }).action(show);
};
