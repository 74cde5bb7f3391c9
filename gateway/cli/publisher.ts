/** `lichen publisher`: the document that names the keys under which releases are published. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { idFrom, type PublisherId } from '../../runtime/protocol/ids.ts';
import { type PublisherDoc, publisherNoun, trustId, unsealPublisher } from '../../runtime/protocol/nouns/trust.ts';
import { firstPublisher, nextPublisher } from './ceremony.ts';
import { openTrust, readAs, writeDocument } from './documents.ts';
import { publicKeyOf } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addOfflineSign } from './publisher-sign.ts';
import { addNextRoots, addRoots, addTrustPush, type NextFlags, nextRoots, type RootFlags, readRoots, withNew, without } from './trust.ts';
import { addVerb } from './verbs.ts';

interface InitFlags extends RootFlags, JsonFlag {
  name: string;
  key: string[];
  out: string;
}

interface ChangeFlags extends NextFlags, JsonFlag {
  key?: string[];
  dropKey?: string[];
}

const GIVES = ['file', 'publisher', 'version', 'name', 'keys'] as const;

const tell = (file: string, { publisher, version, name, keys }: PublisherDoc, flags: JsonFlag): void =>
  emit(
    flags,
    { file, publisher, version, name, keys },
    () => `${file}: publisher ${publisher} "${name}", version ${version}, ${keys.length} release key${keys.length === 1 ? '' : 's'}`,
  );

const keysOf = (texts: string[] = [], flag = '--key') => texts.map((text) => publicKeyOf(text, flag));

const init = (flags: InitFlags): void => {
  const { roots, threshold } = readRoots(flags);
  const { doc, document } = firstPublisher(nodeCrypto, roots, { threshold, name: flags.name, keys: withNew([], keysOf(flags.key)) });
  unsealPublisher(nodeCrypto, document, null);
  writeDocument(flags.out, document, true);
  tell(flags.out, doc, flags);
};

const next = (previousFile: string, flags: ChangeFlags): void => {
  const { value: previous } = readAs(publisherNoun, previousFile, openTrust);
  const { change, signers } = nextRoots(previous, flags);
  const keys = withNew(without(previous.keys, keysOf(flags.dropKey, '--drop-key'), '--drop-key'), keysOf(flags.key));
  const { doc, document } = nextPublisher(nodeCrypto, previous, { ...change, keys }, signers);
  unsealPublisher(nodeCrypto, document, previous);
  writeDocument(flags.out, document, true);
  tell(flags.out, doc, flags);
};

export const register = (noun: Command): void => {
  addRoots(
    addVerb(noun, {
      usage: 'id',
      says: 'the id that roots and threshold give',
      examples: ['publisher id --root publisher-root.key'],
      gives: { keys: ['publisher'] },
    }),
  ).action((flags: RootFlags & JsonFlag) => {
    const { roots, threshold } = readRoots(flags);
    const publisher = idFrom<PublisherId>(trustId(nodeCrypto, 'publisher', { roots: roots.map((root) => root.publicKey), threshold }));
    emit(flags, { publisher }, () => publisher);
  });
  addRoots(
    addVerb(noun, {
      usage: 'init',
      says: 'make and sign version 1',
      examples: ['publisher init --root publisher-root.key --name "Crustose Press" --key release.key --out publisher-1.cose'],
      gives: { keys: GIVES },
    }),
  )
    .requiredOption('--name <text>', 'what people call this publisher')
    .requiredOption('--key <key...>', 'a key (hex or file) that signs releases')
    .requiredOption('--out <file>', 'where the signed document goes')
    .action(init);
  addNextRoots(
    addVerb(noun, {
      usage: 'next <previous>',
      says: 'make and sign the version that follows: changed release keys or roots',
      examples: [
        'publisher next publisher-1.cose --root publisher-root.key --key new-release.key --drop-key release.key --out publisher-2.cose',
      ],
      gives: { keys: GIVES },
    }),
  )
    .option('--key <key...>', 'a further key (hex or file) that signs releases')
    .option('--drop-key <key...>', 'a key (hex or file) that signs no more')
    .action(next);
  addOfflineSign(noun);
  addTrustPush(noun, "publishers'");
};
