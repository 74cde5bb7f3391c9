/**
 * Documents that several roots sign, each where its key is: one makes it (`--unfinished`), the others endorse it one after the other, and
 * what travels between their machines is a file.
 */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Noun, payloadOf, sealAlso, unsealMany } from '../../runtime/protocol/noun.ts';
import { lackingRoots } from '../../runtime/protocol/nouns/trust.ts';
import { openTrust, readAs, writeDocument } from './documents.ts';
import { readKey } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addVerb } from './verbs.ts';
import { misused } from './words.ts';

interface Rooted {
  version: number;
  previous: Bytes | null;
  name: string;
  roots: Bytes[];
  threshold: number;
}

/** One of the two kinds of documents that roots sign. */
export interface Trust<T extends Rooted> {
  noun: Noun<T>;
  /** As whoever holds `held` takes it, or refuses it. */
  unseal: (crypto: Crypto, bytes: Bytes, held: T | null) => unknown;
  /** For people, the whole of what is signed. */
  lines: (doc: T) => string[];
}

export interface FinishFlags {
  out: string;
  unfinished?: boolean;
}

const SIGNATURES = 2 * LIMITS.rootKeys;

/** How many more of its own roots, and of those before, must sign. */
const lackingIn = <T extends Rooted>({ noun }: Trust<T>, document: Bytes, previous: T | null): { own: number; former: number } => {
  const { value, signers } = unsealMany(nodeCrypto, noun, document, SIGNATURES);
  return { own: lackingRoots(value, signers), former: previous === null ? 0 : lackingRoots(previous, signers) };
};

/** What a gateway would refuse is not handed out, unless it is said to be unfinished. Answers how many signatures it lacks at least. */
export const finish = <T extends Rooted>(trust: Trust<T>, document: Bytes, previous: T | null, flags: FinishFlags): number => {
  const { own, former } = lackingIn(trust, document, previous);
  const lacking = Math.max(own, former);
  if (lacking === 0 || flags.unfinished !== true) trust.unseal(nodeCrypto, document, previous);
  writeDocument(flags.out, document, true);
  return lacking;
};

/** For people; nothing when it is whole. */
export const lackingLines = (noun: string, file: string, lacking: number): string[] =>
  lacking === 0
    ? []
    : [
        `${lacking} more root${lacking === 1 ? '' : 's'} must sign: carry ${file} there, and there: lichen ${noun} endorse ${file} --key ROOT.key`,
      ];

export const addUnfinished = (command: Command): Command =>
  command.option('--unfinished', 'further roots sign it elsewhere: write it with the signatures there are');

interface EndorseFlags extends JsonFlag {
  key: string;
  previous?: string;
  out: string;
}

/** Who signs names the version before: it says whose signatures this one needs. */
const previousOf = <T extends Rooted>({ noun }: Trust<T>, { version, previous }: T, file: string | undefined): T | null => {
  if (version === 1) return null;
  if (file === undefined) return misused(`--previous is needed: version ${version} is also signed by the roots of the one before`);
  const { value } = readAs(noun, file, openTrust);
  const isPrevious = previous !== null && equal(previous, nodeCrypto.sha256(payloadOf(noun, value)));
  return isPrevious ? value : refuse('conflict', `it does not follow from ${file}`);
};

const endorse = <T extends Rooted>(trust: Trust<T>, path: string, flags: EndorseFlags): void => {
  const { value, bytes } = readAs(trust.noun, path, openTrust);
  const previous = previousOf(trust, value, flags.previous);
  const { signer } = readKey(flags.key);
  const isRoot = [...value.roots, ...(previous?.roots ?? [])].some((root) => equal(root, signer.publicKey));
  if (!isRoot) refuse('wrong-signer', `${hex(signer.publicKey)} is no root of it`);
  const document = sealAlso(nodeCrypto, trust.noun, bytes, signer, SIGNATURES);
  const lacking = finish(trust, document, previous, { out: flags.out, unfinished: true });
  const { version, name, threshold, roots } = value;
  emit(flags, { file: flags.out, version, name, key: hex(signer.publicKey), lacking }, () =>
    [
      ...trust.lines(value),
      `${threshold} of these roots: ${roots.map(hex).join(', ')}`,
      `signed by ${hex(signer.publicKey)}`,
      ...lackingLines(trust.noun.name, flags.out, lacking),
      ...(lacking === 0 ? [`it is whole; push it: lichen ${trust.noun.name} push ${flags.out}`] : []),
    ].join('\n'),
  );
};

export const addEndorse = <T extends Rooted>(noun: Command, trust: Trust<T>): void => {
  const { name } = trust.noun;
  addVerb(noun, {
    usage: 'endorse <document>',
    says: 'put the signature of another root on a document, on a machine that needs no network; says what it is',
    examples: [`${name} endorse ${name}-2.draft --previous ${name}-1.cose --key root-2.key --out ${name}-2.cose`],
    gives: { keys: ['file', 'version', 'name', 'key', 'lacking'] },
  })
    .requiredOption('--key <file>', 'key file of the root')
    .option('--previous <file>', 'the version before; needed for all but the first')
    .requiredOption('--out <file>', 'where the document goes, with its signatures')
    .action((path: string, flags: EndorseFlags) => endorse(trust, path, flags));
};
