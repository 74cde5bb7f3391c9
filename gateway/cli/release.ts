/** `lichen release`: push one from the folder in which it was built, and look at those there are. */
import type { Command } from 'commander';
import { plural } from '../../runtime/protocol/printable.ts';
import { type Answers, keysOf } from './answers.ts';
import { type ApiFlags, openClient } from './client.ts';
import type { Heavy } from './heavy.ts';
import { brief, emit, type JsonFlag, print, progress, say, table } from './output.ts';
import { addTakeSignature } from './publisher-sign.ts';
import { openPusher, type PushFlags } from './push.ts';
import { addCarried } from './release-carry.ts';
import { inspect } from './release-inspect.ts';
import { pushPublisher, pushRelease, readRelease } from './release-push.ts';
import { inspectionText } from './release-text.ts';
import { addApi, addPush, addVerb } from './verbs.ts';

const push = async (directory: string, flags: PushFlags & JsonFlag & { publisher?: string }): Promise<void> => {
  const release = readRelease(directory);
  const pusher = await openPusher(flags);
  const line = progress();
  try {
    if (flags.publisher !== undefined) await pushPublisher(pusher, flags.publisher, say);
    const done = await pushRelease(pusher, release, (count) => line.show(`${release.recipe}: ${count} pieces pushed`));
    line.end();
    const { hash, recipe, sequence } = release;
    emit(
      flags,
      { release: hash, recipe, sequence, to: pusher.to, ...done },
      () => `${recipe} ${hash}\n${plural(done.pieces, 'piece')}, ${done.bytes} bytes pushed; it is complete at ${pusher.to}`,
    );
  } finally {
    line.end();
    pusher.close();
  }
};

/** What a program may hold on to: everything that people are shown. */
const INSPECTED = [
  'release',
  'manifest',
  'key',
  'keyIs',
  'pages',
  'chunks',
  'wireBytes',
  'sbom',
  'missing',
  'wrong',
  'update',
  'files',
] as const;

const look = (directory: string, flags: JsonFlag & { publisher?: string; against?: string }): void => {
  const found = inspect(directory, flags.publisher, flags.against);
  emit(flags, found, () => inspectionText(found));
};

const contentOf = ({ missing, refused }: Answers['releases'][number]): string => {
  if (refused !== '') return `refused: ${refused}`;
  if (missing === null) return 'not here';
  return missing === 0 ? 'complete' : `${plural(missing, 'piece')} missing`;
};

const list = async (flags: ApiFlags & JsonFlag): Promise<void> => {
  const releases = await openClient(flags).ask('releases');
  emit(flags, releases, () =>
    table(
      ['RELEASE', 'RECIPE', 'LABEL', 'SEQUENCE', 'PUBLISHER', 'BYTES', 'CONTENT'],
      releases.map((row) => [
        row.release,
        row.recipe,
        row.label,
        String(row.sequence),
        brief(row.publisher),
        String(row.bytes),
        contentOf(row),
      ]),
      'No releases. `lichen release build` and `lichen release push` bring one.',
    ),
  );
};

const LIGHT: ReadonlySet<string> = new Set(['push', 'list', 'inspect', 'export', 'import', 'sign']);

/** `build` is the builder's own verb; its module is loaded only when that is called for. */
export const register = async (noun: Command, heavy: Heavy, wanted: string | undefined): Promise<void> => {
  if (!LIGHT.has(wanted ?? '')) {
    const registerReleaseBuild = await heavy.builder();
    registerReleaseBuild(noun, print);
  }
  addPush(
    addVerb(noun, {
      usage: 'push <folder>',
      says: 'push a release: its manifest, then whatever the gateway lacks. Run again it goes on where it stopped',
      examples: [
        'release push hello-sensor-1 --publisher publisher-1.cose',
        'release push hello-sensor-1 --mqtt gateway.example:8883 --gateway-key HEX --tenant-key tenant.key',
      ],
      gives: { keys: ['release', 'recipe', 'sequence', 'to', 'pieces', 'bytes'] },
    }),
  )
    .option('--publisher <file>', "push the publisher's signed document first")
    .action(push);
  addCarried(noun);
  addTakeSignature(noun);
  addVerb(noun, {
    usage: 'inspect <folder>',
    says: 'everything in a release before it is asked for: who signed it, what it may do, its files, what a board would fetch',
    examples: ['release inspect hello-sensor-2 --publisher publisher-1.cose --against hello-sensor-1'],
    gives: { keys: INSPECTED },
  })
    .option('--publisher <file>', "the publisher's signed document, to know whose key signed it")
    .option('--against <folder>', 'another release: what is fetched where that is held')
    .action(look);
  addApi(
    addVerb(noun, {
      usage: 'list',
      says: 'releases known here and whether their content is complete',
      examples: ['release list'],
      gives: { keys: keysOf.release, list: true },
    }),
  ).action(list);
};
