/** `lichen key`: one private key in one file. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import { openKeyFile } from '../../runtime/adapters/keyfile.ts';
import { askPassphrase } from '../../runtime/adapters/passphrase.ts';
import { sealSeed } from '../../runtime/adapters/sealed-key.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag, say } from './output.ts';
import { addVerb } from './verbs.ts';
import { misused } from './words.ts';

const show = (file: string, flags: JsonFlag): void => {
  const { publicKey } = readKey(file).signer;
  const shown = { file, id: fingerprint(nodeCrypto, publicKey), publicKey: hex(publicKey) };
  emit(flags, shown, () => `id          ${shown.id}\npublic key  ${shown.publicKey}`);
};

/** Asked for twice: what is mistyped once would be lost. */
const passphraseAgain = (file: string): string => {
  const once = askPassphrase(`${file}, the new one`);
  return once === askPassphrase(`${file}, the new one again`) ? once : misused('the two passphrases differ; nothing was changed');
};

/** Whole or not at all, and never readable to others. */
const replaceKey = (file: string, bytes: Uint8Array): void => {
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
};

export const register = (noun: Command): void => {
  const gives = { keys: ['file', 'id', 'publicKey'] };
  addVerb(noun, {
    usage: 'new <file>',
    says: 'make a key, and its folder; a file that holds one already is left as it is',
    examples: ['key new tenant.key', 'key new husum/gateway.key --json'],
    gives,
  }).action((file: string, flags: JsonFlag) => {
    if (existsSync(file)) say(`${file} is there already and stays as it is.`);
    else mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    openKeyFile(file);
    show(file, flags);
  });
  addVerb(noun, {
    usage: 'protect <file>',
    says: 'seal a key under a passphrase, or under another one; what uses the key takes it from LICHEN_PASSPHRASE_FILE, else asks',
    examples: ['key protect release.key', 'LICHEN_PASSPHRASE_FILE=words key protect release.key --new-passphrase-file new-words'],
    gives,
  })
    .option('--new-passphrase-file <file>', 'the new passphrase is in this file; else it is asked for, twice')
    .action((file: string, flags: JsonFlag & { newPassphraseFile?: string }) => {
      const { seed } = readKey(file);
      const words = flags.newPassphraseFile;
      const passphrase = words === undefined ? passphraseAgain(file) : readFileSync(words, 'utf8').replace(/\r?\n$/, '');
      replaceKey(file, sealSeed(seed, passphrase));
      const { publicKey } = signerFromSeed(seed);
      const shown = { file, id: fingerprint(nodeCrypto, publicKey), publicKey: hex(publicKey) };
      emit(flags, shown, () => `${file} is opened by its passphrase only from now on; without it the key is lost`);
    });
  addVerb(noun, {
    usage: 'show <file>',
    says: 'the public half of a key and the id that it gives',
    examples: ['key show tenant.key'],
    gives,
  }).action(show);
};
