/** `lichen publisher sign --offline`, on a machine that never sees a network, and `lichen release sign`, which puts its signature in. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { sign1 } from '../../runtime/protocol/cose.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { checkManifest } from '../../runtime/protocol/soundness.ts';
import { toSign } from '../../runtime/protocol/to-sign.ts';
import { writeDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { MANIFEST_FILE } from './release-push.ts';
import { addVerb } from './verbs.ts';
import { misused } from './words.ts';

const UNSIGNED_FILE = '000000-manifest.tosign';

const read = (path: string): Bytes => (existsSync(path) ? new Uint8Array(readFileSync(path)) : refuse('not-found', `there is no ${path}`));

/** Whoever signs reads what it is, and not only that somebody wants it signed. Errors: `bad-schema`, `bad-release`. */
const openUnsigned = (path: string): { payload: Bytes; manifest: Manifest; release: string } => {
  const { typ, payload } = decodeAs(toSign, read(path), 'what is to be signed');
  if (typ !== manifestNoun.typ) refuse('bad-schema', `${path} holds a ${typ}; only manifests are signed this way`);
  const manifest = decodeAs(manifestNoun.schema, payload, 'manifest');
  checkManifest(manifest);
  return { payload, manifest, release: hex(nodeCrypto.sha256(payload)) };
};

interface SignFlags extends JsonFlag {
  key: string;
  offline?: boolean;
  out: string;
}

const sign = (path: string, flags: SignFlags): void => {
  if (flags.offline !== true) misused('--offline is needed: this asks nobody for anything, and signs what the file says');
  const { payload, manifest, release } = openUnsigned(path);
  const { signer } = readKey(flags.key);
  writeDocument(flags.out, sign1(manifestNoun.typ, payload, signer), true);
  const { recipe, label, sequence, publisher, bytes, demands } = manifest;
  emit(flags, { file: flags.out, release, recipe, sequence, publisher, key: hex(signer.publicKey) }, () =>
    [
      `${recipe} "${label}", sequence ${sequence}, publisher ${publisher}`,
      `release ${release}: ${manifest.entries} entries of ${bytes} bytes, tier ${demands}, runs ${manifest.args.join(' ')}`,
      `signed by ${hex(signer.publicKey)}: carry ${flags.out} back, and there: lichen release sign FOLDER ${flags.out}`,
    ].join('\n'),
  );
};

/** Errors: `conflict` for a signature over something else. */
const take = (directory: string, signatureFile: string, flags: JsonFlag): void => {
  const path = join(directory, UNSIGNED_FILE);
  const { release, manifest } = openUnsigned(path);
  const document = read(signatureFile);
  const { hash, signer } = unseal(nodeCrypto, manifestNoun, document);
  if (!equal(hash, nodeCrypto.sha256(openUnsigned(path).payload)))
    refuse('conflict', `${signatureFile} signs release ${hex(hash)}, the folder holds ${release}`);
  const draft = join(directory, `${MANIFEST_FILE}.draft`);
  writeFileSync(draft, document);
  renameSync(draft, join(directory, MANIFEST_FILE));
  rmSync(path);
  const { recipe, sequence } = manifest;
  emit(flags, { release, recipe, sequence, key: hex(signer) }, () => `${recipe} ${release} is signed by ${hex(signer)}; push ${directory}`);
};

export const addOfflineSign = (noun: Command): void => {
  addVerb(noun, {
    usage: 'sign <file>',
    says: 'sign what `lichen release build --unsigned` wrote, on a machine that needs no network; says what it is',
    examples: ['publisher sign 000000-manifest.tosign --offline --key release.key --out museum.signature'],
    gives: { keys: ['file', 'release', 'recipe', 'sequence', 'publisher', 'key'] },
  })
    .requiredOption('--key <file>', 'key file of the release key')
    .option('--offline', 'say that this machine asks nobody')
    .requiredOption('--out <file>', 'where the signature goes')
    .action(sign);
};

export const addTakeSignature = (noun: Command): void => {
  addVerb(noun, {
    usage: 'sign <folder> <signature>',
    says: 'put a signature that was made elsewhere into the folder of a release that was built unsigned',
    examples: ['release sign museum-2 museum.signature'],
    gives: { keys: ['release', 'recipe', 'sequence', 'key'] },
  }).action(take);
};
