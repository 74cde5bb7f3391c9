/** `lichen publisher`: the document that names the keys under which releases are published. */
import type { Command } from 'commander';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { type PublisherDoc, publisherNoun, unsealPublisher } from '../../runtime/protocol/nouns/trust.ts';
import { firstPublisher, nextPublisher, publisherIdOf } from './ceremony.ts';
import { openTrust, readAs } from './documents.ts';
import { publicKeyOf } from './keys.ts';
import { emit, type JsonFlag } from './output.ts';
import { addOfflineSign } from './publisher-sign.ts';
import {
  addNextRoots,
  addRoots,
  addTrustPush,
  type NextFlags,
  nextRoots,
  type RootFlags,
  readRoots,
  withNew,
  without,
  withSigners,
} from './trust.ts';
import { addEndorse, addUnfinished, type FinishFlags, finish, lackingLines, type Trust } from './trust-sign.ts';
import { addVerb } from './verbs.ts';

interface InitFlags extends RootFlags, FinishFlags, JsonFlag {
  name: string;
  key: string[];
}

interface ChangeFlags extends NextFlags, FinishFlags, JsonFlag {
  key?: string[];
  dropKey?: string[];
}

const GIVES = ['file', 'publisher', 'version', 'name', 'keys', 'lacking'] as const;

const linesOf = ({ publisher, version, name, keys }: PublisherDoc): string[] => [
  `publisher ${publisher} "${name}", version ${version}`,
  ...keys.map((key) => `release key ${hex(key)}`),
];

const TRUST: Trust<PublisherDoc> = { noun: publisherNoun, unseal: unsealPublisher, lines: linesOf };

const tell = (doc: PublisherDoc, lacking: number, flags: JsonFlag & FinishFlags): void => {
  const { publisher, version, name, keys } = doc;
  emit(flags, { file: flags.out, publisher, version, name, keys, lacking }, () =>
    [...linesOf(doc), ...lackingLines('publisher', flags.out, lacking)].join('\n'),
  );
};

const keysOf = (texts: string[] = [], flag = '--key') => texts.map((text) => publicKeyOf(text, flag));

const init = (flags: InitFlags): void => {
  const { signers, absent, threshold } = withSigners(readRoots(flags));
  const terms = { threshold, absent, name: flags.name, keys: withNew([], keysOf(flags.key)) };
  const { doc, document } = firstPublisher(nodeCrypto, signers, terms);
  tell(doc, finish(TRUST, document, null, flags), flags);
};

const next = (previousFile: string, flags: ChangeFlags): void => {
  const { value: previous } = readAs(publisherNoun, previousFile, openTrust);
  const { change, signers } = nextRoots(previous, flags);
  const keys = withNew(without(previous.keys, keysOf(flags.dropKey, '--drop-key'), '--drop-key'), keysOf(flags.key));
  const { doc, document } = nextPublisher(nodeCrypto, previous, { ...change, keys }, signers);
  tell(doc, finish(TRUST, document, previous, flags), flags);
};

interface RotateFlags extends NextFlags, FinishFlags, JsonFlag {
  from: string;
  to: string;
}

const rotate = (previousFile: string, { from, to, ...flags }: RotateFlags): void =>
  next(previousFile, { ...flags, key: [to], dropKey: [from] });

/** Of a key that signs releases also the listing goes; any other was never asked for one. */
const revoke = (previousFile: string, flags: NextFlags & FinishFlags & JsonFlag & { key: string[] }): void => {
  const { keys } = readAs(publisherNoun, previousFile, openTrust).value;
  const { key, ...rest } = flags;
  const listed = keysOf(key)
    .map(hex)
    .filter((one) => keys.some((held) => hex(held) === one));
  next(previousFile, { ...rest, revoke: key, dropKey: listed });
};

const addSigning = (command: Command): Command =>
  addUnfinished(command)
    .requiredOption('--root <file...>', 'key files of the roots that sign: enough for the former version and for this one')
    .requiredOption('--out <file>', 'where the signed document goes');

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
    const publisher = publisherIdOf(nodeCrypto, roots, threshold);
    emit(flags, { publisher }, () => publisher);
  });
  addUnfinished(
    addRoots(
      addVerb(noun, {
        usage: 'init',
        says: 'make and sign version 1',
        examples: ['publisher init --root publisher-root.key --name "Crustose Press" --key release.key --out publisher-1.cose'],
        gives: { keys: GIVES },
      }),
    ),
  )
    .requiredOption('--name <text>', 'what people call this publisher')
    .requiredOption('--key <key...>', 'a key (hex or file) that signs releases')
    .requiredOption('--out <file>', 'where the signed document goes')
    .action(init);
  addUnfinished(
    addNextRoots(
      addVerb(noun, {
        usage: 'next <previous>',
        says: 'make and sign the version that follows: changed release keys or roots',
        examples: [
          'publisher next publisher-1.cose --root publisher-root.key --key new-release.key --drop-key release.key --out publisher-2.cose',
        ],
        gives: { keys: GIVES },
      }),
    ),
  )
    .option('--key <key...>', 'a further key (hex or file) that signs releases')
    .option('--drop-key <key...>', 'a key (hex or file) that signs no more; what it signed is begun nowhere any more')
    .action(next);
  addSigning(
    addVerb(noun, {
      usage: 'rotate <previous>',
      says: 'make and sign the version that follows, with another release key in the place of one; what that one signed is begun nowhere any more',
      examples: [
        'publisher rotate publisher-1.cose --root publisher-root.key --from release.key --to new-release.key --out publisher-2.cose',
      ],
      gives: { keys: GIVES },
    }),
  )
    .requiredOption('--from <key>', 'the key (hex or file) that signs no more')
    .requiredOption('--to <key>', 'the key (hex or file) that signs from now on')
    .action(rotate);
  addSigning(
    addVerb(noun, {
      usage: 'revoke <previous>',
      says: 'make and sign the version that follows, in which a key that was stolen or lost is believed no longer',
      examples: ['publisher revoke publisher-2.cose --root publisher-root.key --key stolen.key --out publisher-3.cose'],
      gives: { keys: GIVES },
    }),
  )
    .requiredOption('--key <key...>', 'the key (hex or file)')
    .action(revoke);
  addEndorse(noun, TRUST);
  addOfflineSign(noun);
  addTrustPush(noun, "publishers'");
};
