/** What operators' and publishers' documents have in common: roots that sign, a threshold of them, and versions. */
import type { Command } from 'commander';
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { isPublicKey, publicKeyOf, readSigners } from './keys.ts';
import { PUSHED, type PushFlags, pushFiles } from './push.ts';
import { addPush, addVerb } from './verbs.ts';
import { misused, wholeNumber } from './words.ts';

export interface RootFlags {
  root: string[];
  threshold?: string;
}

export interface NextFlags extends RootFlags {
  addRoot?: string[];
  dropRoot?: string[];
  name?: string;
  revoke?: string[];
  out: string;
}

interface FirstRoots {
  signers: Signer[];
  /** Those whose keys lie elsewhere. */
  absent: Bytes[];
  roots: Bytes[];
  threshold: number;
}

/** Of a first version; by default all roots must sign. */
export const readRoots = ({ root, threshold }: RootFlags): FirstRoots => {
  const signers = readSigners(
    root.filter((text) => !isPublicKey(text)),
    '--root',
  );
  const absent = root.filter(isPublicKey).map((text) => publicKeyOf(text, '--root'));
  const roots = withNew([], [...signers.map(({ publicKey }) => publicKey), ...absent]);
  if (roots.length < root.length) misused('--root: a key is given twice');
  return {
    signers,
    absent,
    roots,
    threshold: threshold === undefined ? roots.length : wholeNumber(threshold, '--threshold', 1, roots.length),
  };
};

/** Whoever makes a document signs it. */
export const withSigners = (first: FirstRoots): FirstRoots =>
  first.signers.length === 0 ? misused('--root: at least one of them is a key file, which signs') : first;

export const without = (keys: Bytes[], dropped: Bytes[], flag: string): Bytes[] => {
  const unknown = dropped.findIndex((drop) => !keys.some((key) => equal(key, drop)));
  if (unknown >= 0) misused(`${flag}: the document does not list this key`);
  return keys.filter((key) => !dropped.some((drop) => equal(drop, key)));
};

export const withNew = (keys: Bytes[], added: Bytes[]): Bytes[] =>
  [...keys, ...added].filter((key, at, all) => all.findIndex((one) => equal(one, key)) === at);

interface Roots {
  name: string;
  roots: Bytes[];
  threshold: number;
  revoked: Bytes[];
}

/** A new root whose key is here signs along, to show that it is held. */
export const nextRoots = (previous: Roots, flags: NextFlags): { change: Roots; signers: Signer[] } => {
  const added = (flags.addRoot ?? []).map((text) => publicKeyOf(text, '--add-root'));
  const signers = readSigners([...flags.root, ...(flags.addRoot ?? []).filter((text) => !isPublicKey(text))], '--root');
  const dropped = (flags.dropRoot ?? []).map((text) => publicKeyOf(text, '--drop-root'));
  const roots = withNew(without(previous.roots, dropped, '--drop-root'), added);
  const threshold = flags.threshold === undefined ? previous.threshold : wholeNumber(flags.threshold, '--threshold', 1, LIMITS.rootKeys);
  const revoked = withNew(
    previous.revoked,
    (flags.revoke ?? []).map((text) => publicKeyOf(text, '--revoke')),
  );
  const strangers = signers.filter(({ publicKey }) => ![...roots, ...previous.roots].some((root) => equal(root, publicKey)));
  if (strangers.length > 0) misused('--root names a key that is a root of neither version; --add-root makes it one');
  return { change: { name: flags.name ?? previous.name, roots, threshold, revoked }, signers };
};

export const addRoots = (command: Command): Command =>
  command
    .requiredOption('--root <key...>', 'key files of the roots; hex of one that signs elsewhere')
    .option('--threshold <number>', 'how many roots must sign; all of them by default');

export const addNextRoots = (command: Command): Command =>
  command
    .requiredOption('--root <file...>', 'key files of the roots that sign: enough for the former version and for this one')
    .option('--add-root <key...>', 'key file of a new root, which signs, too; hex of one that signs elsewhere')
    .option('--drop-root <key...>', 'a root (hex or file) that is one no longer')
    .option('--threshold <number>', 'how many roots must sign from now on')
    .option('--name <text>', 'a new name')
    .option('--revoke <key...>', 'a key (hex or file) that is believed no longer')
    .requiredOption('--out <file>', 'where the signed document goes');

/** Where a trust document is needed it is pushed like any other. */
export const addTrustPush = (noun: Command, who: string): void => {
  addPush(
    addVerb(noun, {
      usage: 'push <file...>',
      says: `push ${who} documents to a gateway`,
      examples: [`${noun.name()} push ${noun.name()}-2.cose`],
      gives: { keys: PUSHED },
    }),
  ).action((files: string[], flags: PushFlags) => pushFiles(files, flags));
};
