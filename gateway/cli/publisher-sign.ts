/** `lichen publisher sign --offline`, on a machine that never sees a network, and `lichen release sign`, which puts its signature in. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { sign1 } from '../../runtime/protocol/cose.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import { checkManifest } from '../../runtime/protocol/soundness.ts';
import { toSign } from '../../runtime/protocol/to-sign.ts';
import { writeDocument } from './documents.ts';
import { publicKeyOf, readKey } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { MANIFEST_FILE } from './release-push.ts';
import { addVerb } from './verbs.ts';
import { misused } from './words.ts';

const SIGNATURE_BYTES = 64;
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
      `release ${release}: ${plural(manifest.entries, 'entry', 'entries')} of ${bytes} bytes, tier ${demands}, runs ${manifest.args.join(' ')}`,
      `signed by ${hex(signer.publicKey)}: carry ${flags.out} back, and there: lichen release sign FOLDER ${flags.out}`,
    ].join('\n'),
  );
};

interface TakeFlags extends JsonFlag {
  by?: string;
  raw?: string;
  toSign?: string;
}

/** A key that somebody else holds, and what it said or is to say. */
const heldElsewhere = (key: Bytes, sign: (bytes: Bytes) => Bytes): Signer => ({ publicKey: key, sign });

/** What a device that knows nothing of COSE signs, by the key that it names in it. */
const bytesFor = (payload: Bytes, key: Bytes): Bytes => {
  let bytes: Bytes = new Uint8Array();
  const keep = (asked: Bytes): Bytes => {
    bytes = asked.slice();
    return new Uint8Array(SIGNATURE_BYTES);
  };
  sign1(manifestNoun.typ, payload, heldElsewhere(key, keep));
  return bytes;
};

const documentOf = (payload: Bytes, key: Bytes, rawFile: string): Bytes => {
  const signature = read(rawFile);
  if (signature.length !== SIGNATURE_BYTES)
    refuse('bad-signature', `${rawFile} has ${signature.length} bytes; an Ed25519 signature has ${SIGNATURE_BYTES}`);
  return sign1(
    manifestNoun.typ,
    payload,
    heldElsewhere(key, () => signature),
  );
};

const signatureIn = (payload: Bytes, signatureFile: string | undefined, { by, raw }: TakeFlags): Bytes => {
  if (signatureFile !== undefined && (by !== undefined || raw !== undefined)) misused('either a signed document, or --raw with --by');
  if (signatureFile !== undefined) return read(signatureFile);
  if (raw === undefined || by === undefined) return misused('a signed document is needed, or --by HEX with --raw FILE or --to-sign FILE');
  return documentOf(payload, publicKeyOf(by, '--by'), raw);
};

/** Errors: `conflict` for a signature over something else, `bad-signature` for one that does not hold. */
const take = (directory: string, signatureFile: string | undefined, flags: TakeFlags): void => {
  const path = join(directory, UNSIGNED_FILE);
  const { release, manifest, payload } = openUnsigned(path);
  const { recipe, sequence } = manifest;
  if (flags.toSign !== undefined) {
    if (signatureFile !== undefined || flags.raw !== undefined || flags.by === undefined) misused('--to-sign goes with --by HEX alone');
    const { toSign: out, by = '' } = flags;
    const key = publicKeyOf(by, '--by');
    writeDocument(out, bytesFor(payload, key), true);
    return emit(
      flags,
      { release, recipe, sequence, key: hex(key) },
      () => `${out} is what ${hex(key)} has to sign of ${recipe} ${release}`,
    );
  }
  const document = signatureIn(payload, signatureFile, flags);
  const { hash, signer } = unseal(nodeCrypto, manifestNoun, document);
  if (!equal(hash, nodeCrypto.sha256(payload)))
    refuse('conflict', `${signatureFile} signs release ${hex(hash)}, the folder holds ${release}`);
  const draft = join(directory, `${MANIFEST_FILE}.draft`);
  writeFileSync(draft, document);
  renameSync(draft, join(directory, MANIFEST_FILE));
  rmSync(path);
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
    usage: 'sign <folder> [signature]',
    says: 'put a signature that was made elsewhere into the folder of a release that was built unsigned',
    examples: [
      'release sign museum-2 museum.signature',
      'release sign museum-2 --by HEX --to-sign museum.bytes',
      'release sign museum-2 --by HEX --raw museum.raw',
    ],
    gives: { keys: ['release', 'recipe', 'sequence', 'key'] },
  })
    .option('--by <hex>', 'public key of a device that signs bytes as they are')
    .option('--to-sign <file>', 'with --by: where the bytes go that it has to sign')
    .option('--raw <file>', 'with --by: its signature over them, 64 bytes of Ed25519')
    .action(take);
};
